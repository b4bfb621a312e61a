// Goal: an event that cannot be applied is parked together with the position, those of its key wait for it or follow it,
// others go on, and the operator has it tried again or gives it up.
#include "integration/consumer_fixture.hpp"

namespace write_aside::integration {
namespace {

template <class Pair>
class Parking : public Consuming<Pair> {
 protected:
  [[nodiscard]] ConsumerOptions options() const {
    ConsumerOptions options = Consuming<Pair>::options();
    options.on_failure = ConsumerOptions::OnFailure::park;
    return options;
  }
  std::vector<ParkedEvent> parked() {
    return parked_events(*this->pair_.database, {.consumer = options().name}, 100).value();
  }
  std::vector<std::string> states() {
    std::vector<std::string> states;
    for (const ParkedEvent& one : parked()) {
      states.push_back((one.state == ParkedEvent::State::waiting ? "waiting " : "parked ") + *one.event.value);
    }
    return states;
  }
  // Key 3: 3, a bad 13, 23, 33. Key 4: 4, 14.
  void publish_with_a_bad_one() {
    this->publish({this->event(this->orders_, 3), this->event(this->orders_, 13, "bad"), this->event(this->orders_, 4),
                   this->event(this->orders_, 23), this->event(this->orders_, 14), this->event(this->orders_, 33)});
  }
};

TYPED_TEST_SUITE(Parking, Pairs, PairNames);
using Strings = std::vector<std::string>;

TYPED_TEST(Parking, LetsLaterEventsOfTheKeyWaitAndOthersGoOn) {
  this->publish_with_a_bad_one();
  const ConsumerProgress progress = this->consume_all(this->options());
  EXPECT_EQ(progress.applied, 3u);
  EXPECT_EQ(progress.parked, 3u);
  EXPECT_EQ(this->number("select cast(sum(id) as bigint) from seen"), 3 + 4 + 14);
  EXPECT_EQ(this->states(), (Strings{"parked bad 13", "waiting good 23", "waiting good 33"}));
  EXPECT_NE(this->parked().front().error.find("onstraint"), std::string::npos) << this->parked().front().error;
}

TYPED_TEST(Parking, RemembersTheParkedKeysOverARestart) {
  this->publish_with_a_bad_one();
  this->consume_all(this->options());
  this->publish({this->event(this->orders_, 43), this->event(this->orders_, 44)});
  this->consume_all(this->options());
  EXPECT_EQ(this->number("select count(*) from seen where id = 43"), 0);
  EXPECT_EQ(this->number("select count(*) from seen where id = 44"), 1);
}

TYPED_TEST(Parking, TriesAgainInOrderWhenTold) {
  this->publish_with_a_bad_one();
  this->consume_all(this->options());
  std::vector<std::string> order;
  const auto mended = [&](UnitOfWork&, std::span<const ReceivedEvent> events) -> Result<void> {
    for (const ReceivedEvent& event : events) order.push_back(*event.value);
    return {};
  };
  EXPECT_EQ(retry_parked(*this->pair_.database, {.consumer = this->options().name}).value(), 1u);
  Running running(*this->coordinator_, this->options(), mended);
  this->await([&] { return this->parked().empty(); });
  ASSERT_TRUE(running.stop().has_value());
  EXPECT_EQ(order, (Strings{"bad 13", "good 23", "good 33"}));
}

TYPED_TEST(Parking, ParksAgainWhatFailsAgain) {
  this->publish_with_a_bad_one();
  this->consume_all(this->options());
  this->change_own("update ", "parked", " set error = 'old' where state = 'parked'");
  EXPECT_EQ(retry_parked(*this->pair_.database, {.consumer = this->options().name, .key = "key3"}).value(), 1u);
  Running running(*this->coordinator_, this->options(), &TestFixture::store);
  this->await([&] { return this->parked().front().error != "old"; });
  ASSERT_TRUE(running.stop().has_value());
  EXPECT_EQ(this->states(), (Strings{"parked bad 13", "waiting good 23", "waiting good 33"}));
}

TYPED_TEST(Parking, AppliesThoseThatWaitedWhenTheParkedOneIsDropped) {
  this->publish_with_a_bad_one();
  this->consume_all(this->options());
  const auto bad = this->parked().front().event;
  EXPECT_EQ(
      drop_parked(
          *this->pair_.database,
          {.consumer = this->options().name, .topic = bad.topic, .partition = bad.partition, .offset = bad.offset})
          .value(),
      1u);
  Running running(*this->coordinator_, this->options(), &TestFixture::store);
  this->await([&] { return this->parked().empty(); });
  this->publish({this->event(this->orders_, 43)});
  this->await([&] { return this->count_seen() == 6; });
  ASSERT_TRUE(running.stop().has_value());
}

TYPED_TEST(Parking, ParksFollowersTooIfAskedTo) {
  this->publish_with_a_bad_one();
  auto options = this->options();
  options.followers = ConsumerOptions::Followers::park;
  this->consume_all(options);
  EXPECT_EQ(this->states(), (Strings{"parked bad 13", "parked good 23", "parked good 33"}));
}

TYPED_TEST(Parking, PublishesADeadLetterOnce) {
  this->publish_with_a_bad_one();
  auto options = this->options();
  options.dead_letter_topic = this->out_;
  this->consume_all(options);
  ASSERT_TRUE(this->coordinator_->flush(10s).has_value());
  this->change_own("update ", "position", " set next_offset = 0");
  this->consume_all(options);
  ASSERT_TRUE(this->coordinator_->flush(10s).has_value());
  auto reading = Consuming<TypeParam>::options();
  reading.name += "-letters";
  reading.topics = {this->out_};
  std::vector<ReceivedEvent> letters;
  this->consume_all(reading, [&](UnitOfWork&, std::span<const ReceivedEvent> events) -> Result<void> {
    letters.insert(letters.end(), events.begin(), events.end());
    return {};
  });
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].value, "bad 13");
  EXPECT_EQ(letters[0].key, "key3");
  EXPECT_EQ(letters[0].header("dead-letter-topic"), this->orders_);
  EXPECT_TRUE(letters[0].header("original-ce_id").has_value());
  EXPECT_TRUE(letters[0].header("dead-letter-error").has_value());
}

// A right that is missing would have every event parked.
TYPED_TEST(Parking, ParksNothingForWhatAnyEventWouldMeet) {
  this->publish_with_a_bad_one();
  for (const ErrorCode code : {ErrorCode::not_authorised, ErrorCode::read_only, ErrorCode::corrupt}) {
    const auto refuses = [code](UnitOfWork&, std::span<const ReceivedEvent>) -> Result<void> {
      return failure(Error{.code = code, .side = Side::database, .effect = Effect::no, .message = "made up"});
    };
    EXPECT_EQ(this->expect_stop(this->options(), refuses).code, code);
  }
  EXPECT_EQ(this->states(), Strings());
}

// An error that says no more than that it may be tried again is the handler's, not a store's.
TYPED_TEST(Parking, ParksWhatStaysRetriableForTooLong) {
  this->publish({this->event(this->orders_, 3)});
  const auto refuses = [](UnitOfWork&, std::span<const ReceivedEvent>) -> Result<void> {
    return failure(Error{.retriable = true, .message = "made up"});
  };
  EXPECT_EQ(this->consume_all(this->options(), refuses).parked, 1u);
  EXPECT_EQ(this->parked().front().error, "made up");
}

TYPED_TEST(Parking, StopsWhenTooManyAreParked) {
  this->publish({this->event(this->orders_, 3, "bad"), this->event(this->orders_, 13), this->event(this->orders_, 23)});
  auto options = this->options();
  options.parked_max = 2;
  options.batch_max = 1;
  EXPECT_EQ(this->expect_stop(options).code, ErrorCode::halted);
  EXPECT_EQ(this->states().size(), 2u);
}

}  // namespace
}  // namespace write_aside::integration
