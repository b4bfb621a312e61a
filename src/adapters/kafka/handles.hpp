// librdkafka's handles, each owned by a unique_ptr that knows how to give it back.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

namespace write_aside::kafka {

template <auto give_back>
struct GiveBack {
  template <class Handle>
  void operator()(Handle* handle) const {
    give_back(handle);
  }
};
// `rd_kafka_metadata` and friends hand out pointers to const.
struct GiveMetadataBack {
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};

using ClientHandle = std::unique_ptr<rd_kafka_t, GiveBack<rd_kafka_destroy>>;
using ConfHandle = std::unique_ptr<rd_kafka_conf_t, GiveBack<rd_kafka_conf_destroy>>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, GiveBack<rd_kafka_topic_destroy>>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, GiveBack<rd_kafka_queue_destroy>>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, GiveBack<rd_kafka_event_destroy>>;
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, GiveBack<rd_kafka_error_destroy>>;
using MessageHandle = std::unique_ptr<rd_kafka_message_t, GiveBack<rd_kafka_message_destroy>>;
using HeadersHandle = std::unique_ptr<rd_kafka_headers_t, GiveBack<rd_kafka_headers_destroy>>;
using MetadataHandle = std::unique_ptr<const rd_kafka_metadata_t, GiveMetadataBack>;
using AdminOptionsHandle = std::unique_ptr<rd_kafka_AdminOptions_t, GiveBack<rd_kafka_AdminOptions_destroy>>;
using ConfigResourceHandle = std::unique_ptr<rd_kafka_ConfigResource_t, GiveBack<rd_kafka_ConfigResource_destroy>>;
using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, GiveBack<rd_kafka_NewTopic_destroy>>;
using PartitionListHandle =
    std::unique_ptr<rd_kafka_topic_partition_list_t, GiveBack<rd_kafka_topic_partition_list_destroy>>;
using ListOffsetsHandle =
    std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, GiveBack<rd_kafka_ListConsumerGroupOffsets_destroy>>;
using AlterOffsetsHandle =
    std::unique_ptr<rd_kafka_AlterConsumerGroupOffsets_t, GiveBack<rd_kafka_AlterConsumerGroupOffsets_destroy>>;

}  // namespace write_aside::kafka
