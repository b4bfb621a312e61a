// Goal: a consumer applies each event exactly once, in order, whatever is delivered again, replaced, or wrong.
// Method: the same tests on both pairs of stores; the database says what was applied.
#include <atomic>

#include "integration/consumer_fixture.hpp"
#include "support/forwarding_ports.hpp"

namespace write_aside::integration {
namespace {

TYPED_TEST_SUITE(Consuming, Pairs, PairNames);

TYPED_TEST(Consuming, AppliesEachEventOnce) {
  this->publish_numbers(1, 100);
  EXPECT_EQ(this->consume_all(this->options()).applied, 100u);
  EXPECT_EQ(this->count_seen(), 100);
  this->publish_numbers(101, 150);
  EXPECT_EQ(this->consume_all(this->options()).applied, 50u);
  EXPECT_EQ(this->count_seen(), 150);
}

// As Kafka does, with more patience: readers of what is committed see nothing until they have asked a few times.
class LateStream final : public support::ForwardingEventStream {
 public:
  using ForwardingEventStream::ForwardingEventStream;

  Result<Bounds> bounds(const std::string& topic, std::int32_t partition, ports::Isolation isolation) override {
    auto bounds = ForwardingEventStream::bounds(topic, partition, isolation);
    if (bounds && isolation == ports::Isolation::read_committed && ++asked_ < 20) bounds->end = bounds->begin;
    return bounds;
  }

 private:
  std::atomic<int> asked_{0};
};

TYPED_TEST(Consuming, TakesInWhatWasBeingCommittedWhenItWasToldToReadToTheEnd) {
  this->publish_numbers(1, 100);
  this->coordinator_.reset();  // gives its lanes back
  auto stream = std::make_shared<LateStream>(this->pair_.stream);
  this->coordinator_ = Coordinator::open(this->pair_.database, stream, {.source = this->pair_.name("shop")}).value();
  const auto consumer = Consumer::open(*this->coordinator_, this->options()).value();
  EXPECT_TRUE(consumer->run_to_end(&TestFixture::store).has_value());
  EXPECT_EQ(this->count_seen(), 100);
}

TYPED_TEST(Consuming, KeepsTheOrderOfAPartition) {
  this->publish_numbers(1, 200);
  std::map<std::int32_t, std::int64_t> last;
  bool in_order = true;
  auto options = this->options();
  options.batch_max = 7;
  this->consume_all(options, [&](UnitOfWork&, std::span<const ReceivedEvent> events) -> Result<void> {
    for (const ReceivedEvent& event : events) {
      const auto [place, first] = last.emplace(event.partition, -1);
      in_order = in_order && event.offset > place->second;
      place->second = event.offset;
    }
    return {};
  });
  EXPECT_TRUE(in_order);
  EXPECT_FALSE(last.empty());
}

TYPED_TEST(Consuming, BeginsAtTheEndIfAskedTo) {
  this->publish_numbers(1, 10);
  auto options = this->options();
  options.start = ConsumerOptions::Start::end;
  EXPECT_EQ(this->consume_all(options).applied, 0u);
  this->publish_numbers(11, 15);
  EXPECT_EQ(this->consume_all(options).applied, 5u);
}

TYPED_TEST(Consuming, GivesEachConsumerItsOwnPositionsAndInbox) {
  this->publish_numbers(1, 10);
  auto other = this->options();
  other.name += "2";
  const auto nothing = [](UnitOfWork&, std::span<const ReceivedEvent>) -> Result<void> { return {}; };
  EXPECT_EQ(this->consume_all(this->options(), nothing).applied, 10u);
  EXPECT_EQ(this->consume_all(other, nothing).applied, 10u);
}

TYPED_TEST(Consuming, PassesOverAnEventThatItsProducerPublishedAgain) {
  this->publish({this->event(this->orders_, 1, "good", "first"), this->event(this->orders_, 2, "good", "second")});
  EXPECT_EQ(this->consume_all(this->options()).applied, 2u);
  this->publish({this->event(this->orders_, 1, "good", "first"), this->event(this->orders_, 3, "good", "third"),
                 this->event(this->orders_, 3, "good", "third")});
  const ConsumerProgress progress = this->consume_all(this->options());
  EXPECT_EQ(progress.applied, 1u);
  EXPECT_EQ(progress.duplicates, 2u);
  EXPECT_EQ(this->count_seen(), 3);
}

TYPED_TEST(Consuming, PassesOverEverythingWhenItIsReplayedFromTheBeginning) {
  this->publish_numbers(1, 60);
  this->consume_all(this->options());
  this->change_own("update ", "position", " set next_offset = 0");
  this->publish_numbers(61, 70);
  const ConsumerProgress progress = this->consume_all(this->options());
  EXPECT_EQ(progress.applied, 10u);
  EXPECT_EQ(progress.duplicates, 60u);
  EXPECT_EQ(this->count_seen(), 70);
}

TYPED_TEST(Consuming, TakesARecordWithoutOurHeadersByItsPlace) {
  struct : ports::Deliveries {
    std::atomic<int> count = 0;
    void delivered(std::uint64_t, Result<std::int64_t>) override { ++count; }
  } deliveries;
  const auto producer = this->pair_.stream->producer(deliveries).value();
  const std::vector<ports::RecordView> records(
      2, {.topic = this->orders_, .partition = 0, .key = "k", .value = "good 5", .headers = {}, .timestamp_ms = 1});
  ASSERT_TRUE(producer->produce(records, 1).has_value());
  this->await([&] { return deliveries.count == 1; });
  std::vector<std::string> ids;
  this->consume_all(this->options(), [&](UnitOfWork&, std::span<const ReceivedEvent> events) -> Result<void> {
    for (const ReceivedEvent& event : events) ids.push_back(event.id);
    return {};
  });
  EXPECT_EQ(ids, (std::vector<std::string>{"0", "1"}));
  this->change_own("update ", "position", " set next_offset = 0");
  EXPECT_EQ(this->consume_all(this->options()).duplicates, 2u);
}

TYPED_TEST(Consuming, IdentifiesEventsByTheHeaderItIsTold) {
  auto first = this->event(this->orders_, 1);
  first.headers = {{"id", "a"}};
  auto again = this->event(this->orders_, 1);
  again.headers = {{"id", "a"}};
  this->publish({first});
  this->publish({again});
  auto options = this->options();
  options.identity_header = "id";
  const ConsumerProgress progress = this->consume_all(options);
  EXPECT_EQ(progress.applied, 1u);
  EXPECT_EQ(progress.duplicates, 1u);
  auto before = this->event(this->orders_, 11);
  before.headers = {{"id", "b"}};
  this->publish({before, this->event(this->orders_, 21)});  // one key, one partition
  EXPECT_EQ(this->expect_stop(options).code, ErrorCode::invalid_argument);
  EXPECT_EQ(this->number("select count(*) from seen where id = 11"), 1) << "what stands before it is applied";
  EXPECT_EQ(this->number("select count(*) from seen where id = 21"), 0);
}

// Ids may hold any bytes, and be longer than an index takes.
TYPED_TEST(Consuming, TakesIdsThatNoColumnTakes) {
  const std::string huge(100'000, 'x');
  const std::string bytes("\0\xff\x80", 3);
  struct : ports::Deliveries {
    std::atomic<int> count = 0;
    void delivered(std::uint64_t, Result<std::int64_t>) override { ++count; }
  } deliveries;
  const auto producer = this->pair_.stream->producer(deliveries).value();
  std::vector<std::vector<ports::HeaderView>> headers;
  for (const std::string& id : {huge, huge + "y", bytes, huge, bytes}) {
    headers.push_back({{"ce_source", "s"}, {"ce_id", id == huge ? std::string_view(huge) : std::string_view(bytes)}});
  }
  headers[1][1].value = "other";
  std::vector<ports::RecordView> records;
  for (const auto& some : headers) {
    records.push_back(
        {.topic = this->orders_, .partition = 0, .key = "k", .value = "good", .headers = some, .timestamp_ms = 1});
  }
  ASSERT_TRUE(producer->produce(records, 1).has_value());
  this->await([&] { return deliveries.count == 1; });
  const auto nothing = [](UnitOfWork&, std::span<const ReceivedEvent>) -> Result<void> { return {}; };
  const ConsumerProgress progress = this->consume_all(this->options(), nothing);
  EXPECT_EQ(progress.applied, 3u);
  EXPECT_EQ(progress.duplicates, 2u);
}

TYPED_TEST(Consuming, StopsAtTheEventThatIsRefusedWithAllBeforeItApplied) {
  this->publish({this->event(this->orders_, 10), this->event(this->orders_, 20), this->event(this->orders_, 30, "bad"),
                 this->event(this->orders_, 40)});  // one key, one partition
  const Error error = this->expect_stop(this->options());
  EXPECT_EQ(error.code, ErrorCode::constraint);
  EXPECT_NE(error.message.find(this->orders_ + "["), std::string::npos) << error.message;
  EXPECT_EQ(this->number("select cast(sum(id) as bigint) from seen"), 30);
  this->change("insert into seen values (30, 'mended')");
  const auto mended = [](UnitOfWork& unit, std::span<const ReceivedEvent> events) -> Result<void> {
    std::vector<ReceivedEvent> good;
    for (const ReceivedEvent& event : events) {
      if (!event.value->starts_with("bad")) good.push_back(event);
    }
    return TestFixture::store(unit, good);
  };
  EXPECT_EQ(this->consume_all(this->options(), mended).applied, 2u);
  EXPECT_EQ(this->number("select cast(sum(id) as bigint) from seen"), 100);
}

TYPED_TEST(Consuming, TriesAgainWhatTheHandlerCallsRetriable) {
  this->publish_numbers(1, 1);
  auto options = this->options();
  options.retry_for = 20s;
  int tries = 0;
  const auto third_time = [&](UnitOfWork& unit, std::span<const ReceivedEvent> events) -> Result<void> {
    if (++tries < 3) {
      return failure(Error{ErrorCode::unknown, Side::caller, Effect::no, true, "the mail server is away", {}});
    }
    return TestFixture::store(unit, events);
  };
  EXPECT_EQ(this->consume_all(options, third_time).applied, 1u);
  EXPECT_EQ(this->count_seen(), 1);
}

TYPED_TEST(Consuming, LeavesNothingOfABatchWhoseHandlerThrows) {
  this->publish_numbers(1, 5);
  const auto consumer = Consumer::open(*this->coordinator_, this->options()).value();
  const auto throws = [](UnitOfWork& unit, std::span<const ReceivedEvent> events) -> Result<void> {
    if (auto stored = TestFixture::store(unit, events); !stored) return stored;
    throw std::runtime_error("a defect");
  };
  EXPECT_THROW(static_cast<void>(consumer->run_to_end(throws)), std::runtime_error);
  EXPECT_EQ(this->count_seen(), 0);
  EXPECT_EQ(this->consume_all(this->options()).applied, 5u);
}

// A member that was replaced without knowing, since it was paused: its generation is no longer the row's.
TYPED_TEST(Consuming, LetsAReplacedMemberCommitNothing) {
  this->publish_numbers(1, 10);
  Running running(*this->coordinator_, this->options(), &TestFixture::store);
  this->await([&] { return this->count_seen() == 10; });
  this->change_own("update ", "position", " set generation = generation + 1, next_offset = next_offset + 1000");
  this->publish_numbers(11, 20);
  // It claims the partitions anew, and finds a position that the topic does not have.
  const auto result = running.join();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::gone);
  EXPECT_EQ(this->count_seen(), 10);
}

TYPED_TEST(Consuming, GoesOnFromTheStoredPositionAfterALostClaim) {
  this->publish_numbers(1, 10);
  Running running(*this->coordinator_, this->options(), &TestFixture::store);
  this->await([&] { return this->count_seen() == 10; });
  this->change_own("update ", "position", " set generation = generation + 1");
  this->publish_numbers(11, 20);
  this->await([&] { return this->count_seen() == 20; });
  EXPECT_TRUE(running.stop().has_value());
}

// As after a restore of the group's offsets, or a reset by its tools.
TYPED_TEST(Consuming, DoesNotCareWhereTheGroupStands) {
  this->publish_numbers(1, 30);
  this->consume_all(this->options());
  int number = 30;
  for (const std::int64_t offset : {0, 1'000}) {
    const std::vector<ports::Position> restored{{this->orders_, 0, offset}, {this->orders_, 1, offset}};
    this->await([&] { return this->pair_.stream->store_positions(this->options().name, restored).has_value(); });
    this->publish_numbers(number + 1, number + 10);
    number += 10;
    const ConsumerProgress progress = this->consume_all(this->options());
    EXPECT_EQ(progress.applied, 10u);
    EXPECT_EQ(progress.duplicates, 0u);
  }
  EXPECT_EQ(this->count_seen(), 50);
}

TYPED_TEST(Consuming, DividesTheWorkAmongMembers) {
  std::map<std::int32_t, int> by_first;
  std::map<std::int32_t, int> by_second;
  const auto noting = [](std::map<std::int32_t, int>& counts) {
    return [&counts](UnitOfWork& unit, std::span<const ReceivedEvent> events) -> Result<void> {
      auto stored = TestFixture::store(unit, events);
      for (const ReceivedEvent& event : events) ++counts[event.partition];
      return stored;
    };
  };
  Running first(*this->coordinator_, this->options(), noting(by_first));
  Running second(*this->coordinator_, this->options(), noting(by_second));
  this->await([&] { return first.progress().partitions == 1 && second.progress().partitions == 1; });
  this->publish_numbers(1, 200);
  this->await([&] { return this->count_seen() == 200; });
  EXPECT_TRUE(first.stop().has_value());
  // The other one takes over.
  this->publish_numbers(201, 300);
  this->await([&] { return this->count_seen() == 300; });
  EXPECT_TRUE(second.stop().has_value());
  EXPECT_EQ(by_first.size(), 1u);
  EXPECT_EQ(by_second.size(), 2u);
}

TYPED_TEST(Consuming, PublishesAndAppliesInOneUnit) {
  this->publish_numbers(1, 50);
  int failures = 3;
  const auto transform = [&](UnitOfWork& unit, std::span<const ReceivedEvent> events) -> Result<void> {
    for (const ReceivedEvent& event : events) {
      auto published = unit.publish({.topic = this->out_, .key = event.key, .type = "t", .value = event.value});
      if (!published) return published;
    }
    auto stored = TestFixture::store(unit, events);
    if (stored && failures-- > 0) {
      return failure(Error{ErrorCode::busy, Side::database, Effect::no, true, "made up", {}});
    }
    return stored;
  };
  EXPECT_EQ(this->consume_all(this->options(), transform).applied, 50u);
  ASSERT_TRUE(this->coordinator_->flush(10s).has_value());
  this->change("delete from seen");
  auto downstream = this->options();
  downstream.name += "-downstream";
  downstream.topics = {this->out_};
  EXPECT_EQ(this->consume_all(downstream).applied, 50u);
  EXPECT_EQ(this->count_seen(), 50);
}

TYPED_TEST(Consuming, StopsWhenTheTopicIsNotTheOneOfThePosition) {
  this->publish_numbers(1, 5);
  this->consume_all(this->options());
  this->change_own("update ", "position", " set topic_id = 'another'");
  if (!this->pair_.stream->topic(this->orders_).value()->id.empty()) {
    EXPECT_EQ(this->expect_stop(this->options()).code, ErrorCode::gone);
  }
  this->change_own("update ", "position", " set topic_id = '', stream_id = 'another'");
  EXPECT_EQ(this->expect_stop(this->options()).code, ErrorCode::gone);
}

TYPED_TEST(Consuming, StopsWhenTheTopicIsShorterThanThePosition) {
  this->publish_numbers(1, 5);
  this->consume_all(this->options());
  this->change_own("update ", "position", " set next_offset = 1000");
  const Error error = this->expect_stop(this->options());
  EXPECT_EQ(error.code, ErrorCode::gone);
  EXPECT_NE(error.message.find("made anew"), std::string::npos) << error.message;
}

// What a topic of the same name with as many records looks like to a client that is told no topic ids.
TYPED_TEST(Consuming, StopsWhenAnotherRecordStandsWhereTheLastOneWas) {
  this->publish_numbers(1, 5);
  this->consume_all(this->options());
  this->change_own("update ", "position", " set topic_id = ''");
  EXPECT_EQ(this->consume_all(this->options()).applied, 0u);
  this->change_own("update ", "position", " set topic_id = '', last_seen = '1.2' where last_offset is not null");
  const Error error = this->expect_stop(this->options());
  EXPECT_EQ(error.code, ErrorCode::gone);
  EXPECT_NE(error.message.find("made anew"), std::string::npos) << error.message;
}

TYPED_TEST(Consuming, RefusesATopicThatIsNotThere) {
  auto options = this->options();
  options.topics = {this->pair_.name("nowhere")};
  const auto consumer = Consumer::open(*this->coordinator_, options);
  ASSERT_FALSE(consumer.has_value());
  EXPECT_EQ(consumer.error().code, ErrorCode::unknown_topic);
}

TYPED_TEST(Consuming, PassesOverAnOlderUnitOfTheSameLaneIfToldTo) {
  auto options = this->options();
  options.strictly_increasing = true;
  struct : ports::Deliveries {
    std::atomic<int> count = 0;
    void delivered(std::uint64_t, Result<std::int64_t>) override { ++count; }
  } deliveries;
  const auto producer = this->pair_.stream->producer(deliveries).value();
  // Units of lane 1 in the order 5, 4, 6, one of lane 2, and one more event of unit 6.
  const std::vector<std::string> units{"1.1.5.1", "1.1.4.9", "1.1.6.1", "2.1.1.1", "1.1.6.1"};
  std::vector<std::string> ids;
  std::vector<std::vector<ports::HeaderView>> headers;
  for (std::size_t i = 0; i < units.size(); ++i) ids.push_back("id" + std::to_string(i));
  for (std::size_t i = 0; i < units.size(); ++i) {
    headers.push_back({{"ce_source", "s"}, {"ce_id", ids[i]}, {"wa-unit", units[i]}});
  }
  std::vector<ports::RecordView> records;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < units.size(); ++i) values.push_back("good " + std::to_string(i));
  for (std::size_t i = 0; i < units.size(); ++i) {
    records.push_back({.topic = this->orders_,
                       .partition = 0,
                       .key = "k",
                       .value = values[i],
                       .headers = headers[i],
                       .timestamp_ms = 1});
  }
  ASSERT_TRUE(producer->produce(records, 1).has_value());
  this->await([&] { return deliveries.count == 1; });
  const ConsumerProgress progress = this->consume_all(options);
  EXPECT_EQ(progress.outdated, 1u);
  EXPECT_EQ(this->number("select count(*) from seen where id = 1"), 0);
  EXPECT_EQ(this->count_seen(), 4);
}

}  // namespace
}  // namespace write_aside::integration
