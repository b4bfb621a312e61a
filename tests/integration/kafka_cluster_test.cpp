// Goal: what is wrong with a set-up is said at once, on one line, with the way out; topics are made as the guarantee
// needs them; a reader copes with offsets that are not there.
#include <librdkafka/rdkafka.h>

#include "adapters/kafka/client.hpp"
#include "adapters/kafka/handles.hpp"
#include "integration/kafka_fixture.hpp"

namespace write_aside::kafka_test {
namespace {

using testing::Test;

Error error_of(const kafka::Properties& properties, kafka::Options options = {}) {
  options.open_timeout = 2s;
  auto opened = kafka::open(properties, options);
  EXPECT_FALSE(opened.has_value());
  return opened ? Error{} : opened.error();
}

bool says(const Error& error, std::string_view words) { return error.message.find(words) != std::string::npos; }

TEST(KafkaConnection, SaysWhyABrokerCannotBeReached) {
  const auto begun = Clock::now();
  const Error error = error_of({{"bootstrap.servers", "127.0.0.1:1"}});
  EXPECT_LT(Clock::now() - begun, 10s);
  EXPECT_EQ(error.code, ErrorCode::unreachable);
  EXPECT_TRUE(says(error, "kafka://127.0.0.1:1")) << error.message;
  EXPECT_TRUE(says(error, "Connection refused")) << error.message;
}

TEST(KafkaConnection, RefusesByNameWhatWouldBreakTheGuarantee) {
  const std::vector<std::pair<std::string, std::string>> conflicts = {{"acks", "1"},
                                                                      {"request.required.acks", "0"},
                                                                      {"enable.idempotence", "false"},
                                                                      {"transactional.id", "mine"},
                                                                      {"message.timeout.ms", "0"},
                                                                      {"isolation.level", "read_uncommitted"}};
  for (const auto& [name, value] : conflicts) {
    const Error error = error_of({{"bootstrap.servers", "127.0.0.1:1"}, {name, value}});
    EXPECT_EQ(error.code, ErrorCode::invalid_argument);
    EXPECT_TRUE(says(error, "'" + name + "'")) << error.message;
  }
}

TEST(KafkaConnection, NamesAPropertyThatLibrdkafkaDoesNotKnow) {
  EXPECT_TRUE(says(error_of({{"bootstrap.servers", "127.0.0.1:1"}, {"liner.ms", "1"}}), "'liner.ms'"));
  EXPECT_TRUE(says(error_of({}), "bootstrap.servers"));
}

TEST(KafkaConnection, ShowsNoSecretInAMessage) {
  const Error error = error_of({{"bootstrap.servers", "127.0.0.1:1"},
                                {"security.protocol", "SASL_SSL"},
                                {"ssl.key.pem", "hunter2"},
                                {"sasl.password", "hunter2"}});
  EXPECT_FALSE(says(error, "hunter2")) << error.message;
}

class KafkaTopics : public KafkaFixture {};

TEST_F(KafkaTopics, AreMadeCompactedForTheLedger) {
  ASSERT_TRUE(stream_->create_topic({name_("ledger"), 3, true}, soon()).has_value());
  const auto ledger = stream_->topic(name_("ledger")).value();
  ASSERT_TRUE(ledger.has_value());
  EXPECT_TRUE(ledger->compacted);
  EXPECT_EQ(ledger->partitions, 3);
  EXPECT_FALSE(stream_->topic(orders_).value()->compacted);
}

TEST_F(KafkaTopics, WarnOfSettingsThatMayLoseWhatWasAcknowledged) {
  kafka::Options options;
  options.replication_factor = 1;
  const auto stream = kafka::open(support::kafka_properties(), options);
  ASSERT_TRUE(stream.has_value()) << stream.error().message;
  ASSERT_TRUE((*stream)->create_topic({name_("single"), 1, true}, soon()).has_value());
  const auto topic = (*stream)->topic(name_("single")).value();
  ASSERT_TRUE(topic.has_value());
  ASSERT_FALSE(topic->warnings.empty());
  EXPECT_NE(topic->warnings.front().find("one replica"), std::string::npos) << topic->warnings.front();
}

class KafkaReaders : public KafkaFixture {
 protected:
  // As retention would.
  void delete_records_below(std::int64_t offset) {
    auto client = kafka::Client::open(RD_KAFKA_CONSUMER, support::kafka_properties());
    ASSERT_TRUE(client.has_value());
    const kafka::PartitionListHandle list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), orders_.c_str(), 0)->offset = offset;
    const std::unique_ptr<rd_kafka_DeleteRecords_t, kafka::GiveBack<rd_kafka_DeleteRecords_destroy>> request(
        rd_kafka_DeleteRecords_new(list.get()));
    const kafka::QueueHandle queue(rd_kafka_queue_new((*client)->get()));
    rd_kafka_DeleteRecords_t* asked = request.get();
    rd_kafka_DeleteRecords((*client)->get(), &asked, 1, nullptr, queue.get());
    const kafka::EventHandle event(rd_kafka_queue_poll(queue.get(), 10'000));
    ASSERT_NE(event, nullptr);
    ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
};

TEST_F(KafkaReaders, GoOnAtTheBeginningWhereTheirOffsetWasDeleted) {
  const auto producer = initialised("a");
  for (const std::string_view value : {"0", "1", "2"}) ASSERT_TRUE(commit(*producer, value));
  delete_records_below(4);  // each record is followed by a marker
  auto reader = stream_->reader({{orders_, 0, 0}}, ports::Isolation::read_committed);
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  std::vector<std::string> values;
  for (const auto deadline = soon(); values.empty() && Clock::now() < deadline;) {
    const auto records = (*reader)->poll(10, deadline);
    ASSERT_TRUE(records.has_value()) << records.error().message;
    for (const auto& one : *records) values.push_back(*one.value);
  }
  EXPECT_EQ(values, (std::vector<std::string>{"2"}));
}

TEST_F(KafkaReaders, KeepAPositionBeyondTheEndSoThatLostDataIsNoticed) {
  ASSERT_TRUE(commit(*initialised("a"), "x"));
  auto reader = stream_->reader({{orders_, 0, 1'000}}, ports::Isolation::read_committed);
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  const auto records = (*reader)->poll(10, soon());
  ASSERT_TRUE(records.has_value()) << records.error().message;
  EXPECT_TRUE(records->empty());
  EXPECT_EQ((*reader)->position(orders_, 0).value(), 1'000);
}

TEST_F(KafkaReaders, ReturnFromAPollWhenOnlyTheirPositionHasMoved) {
  const auto producer = initialised("a");
  auto reader = stream_->reader({{orders_, 0, ports::offset_beginning}}, ports::Isolation::read_committed);
  ASSERT_TRUE(producer->begin().has_value());
  ASSERT_TRUE(stage(*producer, record("aborted")));
  ASSERT_TRUE(producer->end(ports::Ending::abort, soon()).clean);
  const auto begun = Clock::now();
  const auto records = (*reader)->poll(1, begun + 60s);
  ASSERT_TRUE(records.has_value()) << records.error().message;
  EXPECT_TRUE(records->empty());
  EXPECT_EQ((*reader)->position(orders_, 0).value(), 2);
  EXPECT_LT(Clock::now() - begun, 20s);
}

}  // namespace
}  // namespace write_aside::kafka_test
