// Goal: records that the stream removes take their entries in the inbox with them and no others, and none is passed
// over that was not applied.
// Method: both pairs of stores; records are removed as an operator or retention would.
#include <librdkafka/rdkafka.h>

#include "adapters/kafka/client.hpp"
#include "adapters/kafka/handles.hpp"
#include "integration/consumer_fixture.hpp"
#include "integration/local_stream_fixture.hpp"

namespace write_aside::integration {
namespace {

void remove_records_below(const EmbeddedPair& pair, const std::string& topic, std::int32_t partition,
                          std::int64_t offset) {
  const std::string file = (pair.folder / "shop.events").string();
  const auto run = [&](const std::string& sql) { return local_stream_test::raw_query(file, sql); };
  const std::string of = " FROM partition WHERE number = " + std::to_string(partition) +
                         " AND topic = (SELECT id FROM topic WHERE name = '" + topic + "')";
  const std::string first = run("SELECT ref << 40" + of).at(0);
  const std::string gone =
      " WHERE position >= " + first + " AND position < " + std::to_string(std::stoll(first) + offset);
  for (const std::string& table : run("SELECT name FROM sqlite_master WHERE name GLOB 'record_[0-9]*'")) {
    run(std::string("DELETE FROM ").append(table).append(gone));
  }
  run("UPDATE partition SET begin_offset = " + std::to_string(offset) + " WHERE ref = (SELECT ref" + of + ")");
}

void remove_records_below(const ServerPair& /*pair*/, const std::string& topic, std::int32_t partition,
                          std::int64_t offset) {
  auto client = kafka::Client::open(RD_KAFKA_CONSUMER, support::kafka_properties());
  ASSERT_TRUE(client.has_value());
  const kafka::PartitionListHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
  const std::unique_ptr<rd_kafka_DeleteRecords_t, kafka::GiveBack<rd_kafka_DeleteRecords_destroy>> request(
      rd_kafka_DeleteRecords_new(list.get()));
  const kafka::QueueHandle queue(rd_kafka_queue_new((*client)->get()));
  rd_kafka_DeleteRecords_t* asked = request.get();
  rd_kafka_DeleteRecords((*client)->get(), &asked, 1, nullptr, queue.get());
  const kafka::EventHandle event(rd_kafka_queue_poll(queue.get(), 10'000));
  ASSERT_NE(event, nullptr);
  ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
}

template <class Pair>
class Removing : public Consuming<Pair> {
 protected:
  [[nodiscard]] ConsumerOptions options() const {
    ConsumerOptions options = Consuming<Pair>::options();
    options.prune_interval = 0ms;
    return options;
  }
  void remove_below(std::int32_t partition, std::int64_t offset) {
    remove_records_below(this->pair_, this->orders_, partition, offset);
  }
  // From where the entries of a partition are: the first, or the one behind `skipped` others.
  std::int64_t entry(std::int32_t partition, int skipped = 0) {
    return std::get<std::int64_t>(
        this->change_own("select record_offset from ", "inbox",
                         " where partition = " + std::to_string(partition) + " and consumer = '" + options().name +
                             "' order by record_offset limit 1 offset " + std::to_string(skipped))
            .rows.at(0)
            .at(0));
  }
  std::int64_t count_entries(const std::string& where) {
    return std::get<std::int64_t>(
        this->change_own("select count(*) from ", "inbox", " where " + where).rows.at(0).at(0));
  }
  // Runs until the inbox holds that many entries of the consumer.
  void run_until_entries(std::int64_t count) {
    Running running(*this->coordinator_, options(), &Consuming<Pair>::store);
    this->await([&] { return count_entries("consumer = '" + options().name + "'") == count; });
    EXPECT_TRUE(running.stop().has_value());
  }
  static Result<void> nothing(UnitOfWork&, std::span<const ReceivedEvent>) { return {}; }
};

TYPED_TEST_SUITE(Removing, Pairs, PairNames);

TYPED_TEST(Removing, ForgetsTheEntriesOfRecordsThatAreGoneAndNoOthers) {
  this->publish_numbers(1, 100);
  this->consume_all(this->options());
  auto other = this->options();
  other.name += "2";
  this->consume_all(other, &TestFixture::nothing);
  const std::int64_t begin = this->entry(0, 10);
  this->remove_below(0, begin);
  this->run_until_entries(90);
  const std::string mine = "consumer = '" + this->options().name + "'";
  EXPECT_EQ(this->count_entries(mine + " and partition = 0 and record_offset < " + std::to_string(begin)), 0);
  EXPECT_EQ(this->count_entries("consumer = '" + other.name + "'"), 100) << "it sees to its own";
  // What is left is still known.
  this->change_own("update ", "position",
                   " set next_offset = case partition when 0 then " + std::to_string(begin) + " else 0 end");
  const ConsumerProgress progress = this->consume_all(this->options());
  EXPECT_EQ(progress.applied, 0u);
  EXPECT_EQ(progress.duplicates, 90u);
  EXPECT_EQ(this->count_seen(), 100);
}

TYPED_TEST(Removing, KeepsTheEntryOfAnEventThatStandsInALaterRecordAsWell) {
  this->publish({this->event(this->orders_, 3, "good", "first"), this->event(this->orders_, 13)});
  this->publish({this->event(this->orders_, 3, "good", "first"), this->event(this->orders_, 23)});
  EXPECT_EQ(this->consume_all(this->options()).duplicates, 1u);
  const std::string first = "id = 'first'";
  const auto column = [&](const std::string& name) {
    return std::get<std::int64_t>(this->change_own("select " + name + " from ", "inbox", " where " + first).rows[0][0]);
  };
  const auto partition = static_cast<std::int32_t>(column("partition"));
  this->remove_below(partition, column("record_offset"));
  this->run_until_entries(2);  // of 13 there is no record any more
  EXPECT_EQ(this->count_entries(first), 1);
  this->change_own("update ", "position",
                   " set next_offset = " + std::to_string(column("record_offset")) +
                       " where partition = " + std::to_string(partition));
  EXPECT_EQ(this->consume_all(this->options()).duplicates, 2u);
  EXPECT_EQ(this->count_seen(), 3);
}

TYPED_TEST(Removing, StopsWhereRecordsWereRemovedBeforeTheyWereApplied) {
  this->publish_numbers(1, 10);
  this->consume_all(this->options());
  const std::int64_t last = this->entry(0, static_cast<int>(this->count_entries("partition = 0")) - 1);
  this->publish_numbers(11, 40);
  this->remove_below(0, last + 5);
  const Error error = this->expect_stop(this->options());
  EXPECT_EQ(error.code, ErrorCode::gone);
  EXPECT_NE(error.message.find(this->orders_ + "[0]"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("removed before they were applied"), std::string::npos) << error.message;
  auto anew = this->options();
  anew.name += "-anew";
  const std::uint64_t left = this->consume_all(anew, &TestFixture::nothing).applied;
  EXPECT_GT(left, 0u);
  EXPECT_LT(left, 40u);
}

TYPED_TEST(Removing, PassesOverNothingThatIsRemovedWhileItRuns) {
  for (int number = 0; number < 30; ++number) this->publish({this->event(this->orders_, 3 + 10 * number)});
  auto options = this->options();
  options.batch_max = 1;
  const auto consumer = Consumer::open(*this->coordinator_, options).value();
  bool removed = false;
  const auto done = consumer->run_to_end([&](UnitOfWork& unit, std::span<const ReceivedEvent> events) -> Result<void> {
    if (!removed) this->remove_below(events.front().partition, events.front().offset + 10);
    removed = true;
    return TestFixture::store(unit, events);
  });
  // What was read ahead is as good as any.
  const bool read_ahead = std::is_same_v<TypeParam, ServerPair> && done.has_value();
  EXPECT_EQ(this->count_seen(), read_ahead ? 30 : 1);
  if (!read_ahead) {
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code, ErrorCode::gone) << done.error().message;
  }
}

// The topics of a local stream are never deleted.
class Recreating : public Consuming<ServerPair> {
 protected:
  void delete_topic(const std::string& topic) {
    auto client = kafka::Client::open(RD_KAFKA_CONSUMER, support::kafka_properties());
    ASSERT_TRUE(client.has_value());
    const std::unique_ptr<rd_kafka_DeleteTopic_t, kafka::GiveBack<rd_kafka_DeleteTopic_destroy>> request(
        rd_kafka_DeleteTopic_new(topic.c_str()));
    const kafka::QueueHandle queue(rd_kafka_queue_new((*client)->get()));
    rd_kafka_DeleteTopic_t* asked = request.get();
    rd_kafka_DeleteTopics((*client)->get(), &asked, 1, nullptr, queue.get());
    const kafka::EventHandle event(rd_kafka_queue_poll(queue.get(), 10'000));
    ASSERT_NE(event, nullptr);
    ASSERT_EQ(rd_kafka_event_error(event.get()), RD_KAFKA_RESP_ERR_NO_ERROR);
    await([&] { return !pair_.stream->topic(topic).value(); });
  }
};

TEST_F(Recreating, StopsWhenTheTopicWasDeletedAndMadeAnewWithAsManyRecords) {
  publish_numbers(1, 20);
  consume_all(options());
  coordinator_.reset();  // its producers know the topic that goes
  delete_topic(orders_);
  ASSERT_TRUE(pair_.stream->create_topic({orders_, 2}, Clock::now() + 10s).value());
  coordinator_ = Coordinator::open(pair_.database, pair_.stream, {.source = pair_.name("shop")}).value();
  publish_numbers(101, 160);
  const Error error = expect_stop(options());
  EXPECT_EQ(error.code, ErrorCode::gone);
  EXPECT_NE(error.message.find("made anew"), std::string::npos) << error.message;
  EXPECT_EQ(count_seen(), 20);
}

}  // namespace
}  // namespace write_aside::integration
