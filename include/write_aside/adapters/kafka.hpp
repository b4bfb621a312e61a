// Kafka as the stream, through librdkafka (2.0.2 or later); brokers 3.6 or later.
//
// A lane's producer is a transactional one; a topic, a partition and an offset are Kafka's own. Events can be read by
// any Kafka client; one that is to see committed events only reads with isolation.level=read_committed.
//
// `properties` are librdkafka's own, passed through: bootstrap.servers, TLS, SASL, linger.ms and so on. Those that the
// guarantee depends on are refused by name: acks other than all, enable.idempotence=false, an infinite time-out. No
// value of a property appears in a message.
//
// What a reported success promises: an acknowledged record is written by all in-sync replicas, the end of a
// transaction is known to the coordinator of transactions. After a failed or unanswered end nothing is known, and the
// producer instance must be destroyed: it never sends the end of a transaction again.
//
// open() connects, and checks the brokers' version: a broker knows the setting
// transaction.partition.verification.enable since 3.6. That needs the right DescribeConfigs on the cluster.
//
// Threads: the EventStream is safe from many threads. librdkafka starts its own: for the stream itself, for each
// producer and for each open reader one, plus one for each broker it talks to. Acknowledgements come from those.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::kafka {

using Properties = std::map<std::string, std::string>;

struct Options {
  std::chrono::milliseconds open_timeout{10'000};     // until the first broker answers
  std::chrono::milliseconds request_timeout{10'000};  // of a question to the brokers without a deadline of its own
  // Of topics that are made: this many replicas; 0: three, or as many as there are brokers.
  std::int16_t replication_factor = 0;
  // False for a principal without DescribeConfigs on the cluster: you vouch that every broker is 3.6 or later.
  bool check_brokers = true;
};

[[nodiscard]] Result<std::shared_ptr<ports::EventStream>> open(const Properties& properties,
                                                               const Options& options = {});

}  // namespace write_aside::kafka
