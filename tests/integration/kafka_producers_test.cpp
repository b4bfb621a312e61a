// Goal: an instance is trusted only as long as everything it did is known (B4), and giving one up takes no time.
#include <librdkafka/rdkafka.h>

#include "adapters/kafka/client.hpp"
#include "adapters/kafka/handles.hpp"
#include "integration/kafka_fixture.hpp"

namespace write_aside::kafka_test {
namespace {

class KafkaProducers : public KafkaFixture {
 protected:
  // As an operator would.
  void limit_topic(const char* bytes) {
    auto client = kafka::Client::open(RD_KAFKA_CONSUMER, support::kafka_properties());
    ASSERT_TRUE(client.has_value());
    const kafka::ConfigResourceHandle topic(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, orders_.c_str()));
    rd_kafka_ConfigResource_set_config(topic.get(), "max.message.bytes", bytes);
    rd_kafka_ConfigResource_t* changed = topic.get();
    const kafka::QueueHandle queue(rd_kafka_queue_new((*client)->get()));
    rd_kafka_AlterConfigs((*client)->get(), &changed, 1, nullptr, queue.get());
    const kafka::EventHandle event(rd_kafka_queue_poll(queue.get(), 10'000));
    ASSERT_NE(event, nullptr);
    ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
};

TEST_F(KafkaProducers, CallAnEmptyTransactionClean) {
  const auto producer = initialised("a");
  for (const ports::Ending ending : {ports::Ending::commit, ports::Ending::abort}) {
    ASSERT_TRUE(producer->begin().has_value());
    EXPECT_TRUE(producer->end(ending, soon()).clean);
  }
  EXPECT_TRUE(commit(*producer, "x"));
}

TEST_F(KafkaProducers, CallManyTransactionsInARowClean) {
  const auto producer = initialised("a");
  for (int count = 0; count < 30; ++count) EXPECT_TRUE(commit(*producer, std::to_string(count))) << count;
}

TEST_F(KafkaProducers, B4_CallAnEndThatWasNotAnsweredInTimeUncleanAndRefuseEverythingAfterIt) {
  const auto producer = initialised("a");
  // The answer may be there at once where the machine is busy with other things: until one comes too late.
  ports::EndReport report{.clean = true};
  for (int count = 0; report.clean && count < 100; ++count) {
    ASSERT_TRUE(producer->begin().has_value());
    ASSERT_TRUE(stage(*producer, record("x")));
    report = producer->end(ports::Ending::commit, Clock::now());
  }
  ASSERT_FALSE(report.clean);
  ASSERT_TRUE(report.error.has_value());
  EXPECT_EQ(report.error->effect, Effect::unknown);
  EXPECT_FALSE(producer->begin().has_value());
  EXPECT_FALSE(producer->end(ports::Ending::commit, soon()).clean);
  EXPECT_FALSE(stage(*producer, record("y")));
  EXPECT_TRUE(commit(*initialised("a"), "after"));
}

TEST_F(KafkaProducers, B4_CallTheAbortOfUndeliveredRecordsUnclean) {
  // With a linger this long the record is still here when the transaction is aborted.
  const auto lingering = support::open_kafka({{"linger.ms", "5000"}});
  ASSERT_NE(lingering, nullptr);
  const auto producer = initialised("a", lingering.get());
  ASSERT_TRUE(producer->begin().has_value());
  const ports::RecordView one = record("x");
  const std::uint64_t token = ++token_;
  ASSERT_TRUE(producer->produce({&one, 1}, token).has_value());
  EXPECT_FALSE(producer->end(ports::Ending::abort, soon()).clean);
  const auto answer = answers_.await(token);
  ASSERT_TRUE(answer.has_value());
  EXPECT_FALSE(answer->has_value());
}

TEST_F(KafkaProducers, AreDestroyedAtOnceWithATransactionOpenAndRecordsUndelivered) {
  const auto lingering = support::open_kafka({{"linger.ms", "20000"}});
  ASSERT_NE(lingering, nullptr);
  auto producer = initialised("a", lingering.get());
  ASSERT_TRUE(producer->begin().has_value());
  const std::vector<ports::RecordView> many(1'000, record("x"));
  ASSERT_TRUE(producer->produce(many, ++token_).has_value());
  const auto begun = Clock::now();
  producer.reset();
  EXPECT_LT(Clock::now() - begun, 2s);
  EXPECT_FALSE(answers_.await(token_, Clock::now()).has_value()) << "no answer comes from a destroyed producer";
}

TEST_F(KafkaProducers, T2_InitialiseOverAnOpenTransactionWithoutWaitingForLibrdkafkasRetry) {
  auto older = initialised("a");
  ASSERT_TRUE(older->begin().has_value());
  ASSERT_TRUE(stage(*older, record("left open")));
  older.reset();
  const auto begun = Clock::now();
  const auto newer = initialised("a");
  EXPECT_LT(Clock::now() - begun, 1'500ms);
  EXPECT_TRUE(commit(*newer, "newer"));
  EXPECT_EQ(committed(1), (std::vector<std::string>{"newer"}));
}

TEST_F(KafkaProducers, TellTheTransactionalIdThatAnotherTook) {
  const auto older = initialised("a");
  ASSERT_TRUE(older->begin().has_value());
  ASSERT_TRUE(stage(*older, record("older")));
  const auto newer = initialised("a");
  const ports::EndReport report = older->end(ports::Ending::commit, soon());
  ASSERT_TRUE(report.error.has_value());
  EXPECT_EQ(report.error->code, ErrorCode::fenced);
  EXPECT_TRUE(report.error->retriable) << "with a new instance";
  EXPECT_NE(report.error->message.find(name_("a")), std::string::npos) << report.error->message;
}

TEST_F(KafkaProducers, RefuseARecordAboveTheTopicsLimitAndGoOn) {
  const auto generous = support::open_kafka({{"message.max.bytes", "4000000"}});
  ASSERT_NE(generous, nullptr);
  const auto producer = initialised("a", generous.get());
  ASSERT_TRUE(producer->begin().has_value());
  const std::string large(2'000'000, 'x');
  const ports::RecordView one = record(large);
  const auto refused = producer->produce({&one, 1}, ++token_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::event_too_large);
  EXPECT_TRUE(stage(*producer, record("small")));
  EXPECT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  EXPECT_EQ(committed(1), (std::vector<std::string>{"small"}));
}

TEST_F(KafkaProducers, AskAgainForALimitThatTheTopicLoweredMeanwhile) {
  const auto producer = initialised("a");
  ASSERT_TRUE(commit(*producer, "before"));
  limit_topic("2000");
  const std::string large(10'000, 'x');
  const ports::RecordView one = record(large);
  ASSERT_TRUE(producer->begin().has_value());
  ASSERT_TRUE(producer->produce({&one, 1}, ++token_).has_value()) << "as it was known";
  const auto answer = answers_.await(token_);
  ASSERT_TRUE(answer.has_value());
  ASSERT_FALSE(answer->has_value());
  EXPECT_EQ(answer->error().code, ErrorCode::event_too_large) << answer->error().message;

  const auto next = initialised("a");
  ASSERT_TRUE(next->begin().has_value());
  const auto refused = next->produce({&one, 1}, ++token_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::event_too_large);
  EXPECT_TRUE(stage(*next, record("small")));
  EXPECT_TRUE(next->end(ports::Ending::commit, soon()).clean);
}

TEST_F(KafkaProducers, C1_TakeNothingOfACallInWhichOneRecordIsTooLargeForItsManyHeaders) {
  const auto producer = initialised("a");
  ASSERT_TRUE(producer->begin().has_value());
  const std::vector<ports::HeaderView> headers(3'000, ports::HeaderView{"h", ""});
  const std::string nearly(stream_->record_bytes_max() - headers.size(), 'x');
  ports::RecordView framed = record(nearly);
  framed.headers = headers;
  const std::vector<ports::RecordView> both = {record("first"), framed};
  const auto refused = producer->produce(both, ++token_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::event_too_large);
  EXPECT_TRUE(stage(*producer, record("after")));
  EXPECT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  EXPECT_EQ(committed(1), (std::vector<std::string>{"after"}));
}

TEST_F(KafkaProducers, RefuseACallThatDoesNotFitWholeAndTakeNothingOfIt) {
  const auto small = support::open_kafka({{"queue.buffering.max.messages", "100"}, {"linger.ms", "5000"}});
  ASSERT_NE(small, nullptr);
  const auto producer = initialised("a", small.get());
  ASSERT_TRUE(producer->begin().has_value());
  const std::vector<ports::RecordView> many(101, record("x"));
  const auto refused = producer->produce(many, ++token_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::busy);
  EXPECT_EQ(refused.error().effect, Effect::no);
  const std::vector<ports::RecordView> few(50, record("y"));
  EXPECT_TRUE(producer->produce(few, ++token_).has_value());
  EXPECT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  EXPECT_EQ(committed(50), std::vector<std::string>(50, "y"));
}

TEST_F(KafkaProducers, NameBothLimitsOfATransactionsTimeOut) {
  const auto refused = stream_->transactional_producer(name_("a"), 24h, answers_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("86400000 ms"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("transaction.max.timeout.ms"), std::string::npos);
  EXPECT_NE(refused.error().message.find("900000 ms"), std::string::npos);
}

TEST_F(KafkaProducers, ProduceToATopicThatIsNewToThemWithoutASecondsWait) {
  const auto producer = initialised("a");
  const std::string other = name_("other");
  ASSERT_TRUE(stream_->create_topic({other, 1, false}, soon()).has_value());
  ASSERT_TRUE(producer->begin().has_value());
  ports::RecordView one = record("x");
  one.topic = other;
  const auto begun = Clock::now();
  EXPECT_TRUE(stage(*producer, one));
  EXPECT_LT(Clock::now() - begun, 900ms);
}

}  // namespace
}  // namespace write_aside::kafka_test
