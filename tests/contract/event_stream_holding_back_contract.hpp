// Goal: every event stream keeps its promises also for a producer whose records it may hold back until the end. Whether
// it does is its own affair. The harness is that of event_stream_contract.hpp.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "contract/event_stream_fixture.hpp"

namespace write_aside::contract {

template <class Harness>
class EventStreamHoldingBackContract : public EventStreamContract<Harness> {};

TYPED_TEST_SUITE_P(EventStreamHoldingBackContract);

TYPED_TEST_P(EventStreamHoldingBackContract, CommitsWhatWasAcknowledgedInItsOrder) {
  auto producer = this->holding_back("a");
  ASSERT_TRUE(producer->begin().has_value());
  for (const char* value : {"1", "2", "3"}) {
    EXPECT_GE(this->produce(*producer, {this->record(this->orders_, 0, value), this->record(this->orders_, 1, value)}),
              0);
  }
  auto reader = this->reader(this->orders_, 0);
  this->expect_silence(*reader);
  this->end(*producer, ports::Ending::commit);
  this->commit(*producer, {this->record(this->orders_, 0, "4")});
  this->expect_committed(this->orders_, 0, {"1", "2", "3", "4"});
  this->expect_committed(this->orders_, 1, {"1", "2", "3"});
}

TYPED_TEST_P(EventStreamHoldingBackContract, AcknowledgesNoOffsetAboveThatOfTheRecord) {
  auto other = this->initialised("b");
  auto producer = this->holding_back("a");
  for (int round = 0; round < 3; ++round) {
    this->commit(*other, {this->record(this->orders_, 0, "other")});
    const std::int64_t offset = this->stage(*producer, {this->record(this->orders_, 0, std::to_string(round))});
    this->end(*producer, ports::Ending::commit);
    auto reader = this->reader(this->orders_, 0, ports::Isolation::read_committed, offset);
    bool found = false;
    for (const auto deadline = this->soon(); !found && std::chrono::steady_clock::now() < deadline;) {
      for (const auto& one : this->read(*reader, 1)) found = *one.value == std::to_string(round);
    }
    EXPECT_TRUE(found) << "round " << round << ": not found from offset " << offset << " on";
  }
}

TYPED_TEST_P(EventStreamHoldingBackContract, ShowsNothingOfAnAbortedTransaction) {
  auto producer = this->holding_back("a");
  this->stage(*producer, {this->record(this->orders_, 0, "aborted")});
  this->end(*producer, ports::Ending::abort);
  this->commit(*producer, {this->record(this->orders_, 0, "after")});
  this->expect_committed(this->orders_, 0, {"after"});
}

TYPED_TEST_P(EventStreamHoldingBackContract, RefusesTheEndOfAFencedProducer) {
  auto older = this->holding_back("a");
  this->stage(*older, {this->record(this->orders_, 0, "older")});
  auto newer = this->holding_back("a");
  this->expect_fenced_at_the_end(*older);
  this->commit(*newer, {this->record(this->orders_, 0, "newer")});
  this->expect_committed(this->orders_, 0, {"newer"});
}

// The order of a lane over a change of owner needs this: with strict_order no unit of a former owner may vote any more.
TYPED_TEST_P(EventStreamHoldingBackContract, AcceptsNothingOfAFencedProducer) {
  auto older = this->holding_back("a");
  this->stage(*older, {this->record(this->orders_, 0, "older")});
  auto newer = this->harness_.open()->transactional_producer(this->name("a"), 60s, this->deliveries_);
  ASSERT_TRUE(newer.has_value());
  ASSERT_TRUE((*newer)->initialise(this->soon()).has_value());
  const std::vector<ports::RecordView> late = {this->record(this->orders_, 0, "late")};
  const std::uint64_t token = ++this->token_;
  if (const auto accepted = older->produce(late, token); accepted) {
    this->await([&] { return this->deliveries_.count(token) > 0; });
    EXPECT_EQ(this->deliveries_.offset(token), -1);
  } else {
    EXPECT_EQ(accepted.error().code, ErrorCode::fenced);
  }
  EXPECT_FALSE(older->end(ports::Ending::commit, this->soon()).clean);
  this->expect_committed(this->orders_, 0, {});
}

TYPED_TEST_P(EventStreamHoldingBackContract, DropsWhatTheOlderProducerLeftOpen) {
  auto older = this->holding_back("a");
  this->stage(*older, {this->record(this->orders_, 0, "left open")});
  older.reset();
  auto newer = this->holding_back("a");
  this->commit(*newer, {this->record(this->orders_, 0, "newer")});
  this->expect_committed(this->orders_, 0, {"newer"});
}

// At the end nobody could take the record out of its transaction any more.
TYPED_TEST_P(EventStreamHoldingBackContract, RefusesAtOnceWhatTheStreamWillNeverTake) {
  auto producer = this->holding_back("a");
  ASSERT_TRUE(producer->begin().has_value());
  const std::string large(this->stream_->record_bytes_max() + 1, 'x');
  const std::string absent = this->name("absent");
  for (const ports::RecordView& bad : {this->record(this->orders_, 0, large), this->record(absent, 0, "x")}) {
    const std::vector<ports::RecordView> records = {this->record(this->orders_, 0, "of the same call"), bad};
    EXPECT_FALSE(producer->produce(records, ++this->token_).has_value());
  }
  this->produce(*producer, {this->record(this->orders_, 0, "good")});
  this->end(*producer, ports::Ending::commit);
  this->expect_committed(this->orders_, 0, {"good"});
}

TYPED_TEST_P(EventStreamHoldingBackContract, CompactsWhatWasHeldBack) {
  this->create(this->ledger_, 1, true);
  auto producer = this->holding_back("a");
  std::int64_t last = 0;
  for (const std::string value : {"1", "2", "3"})
    last = this->commit(*producer, {this->keyed(this->ledger_, "k", value)});
  this->bounds_beyond(this->ledger_, 0, last);
  this->await([&] {
    const auto values = this->committed(this->ledger_, 0);
    return !values.empty() && values.back() == "3" && (!TypeParam::compacts_at_once || values.size() == 1);
  });
}

REGISTER_TYPED_TEST_SUITE_P(EventStreamHoldingBackContract, CommitsWhatWasAcknowledgedInItsOrder,
                            AcknowledgesNoOffsetAboveThatOfTheRecord, ShowsNothingOfAnAbortedTransaction,
                            RefusesTheEndOfAFencedProducer, AcceptsNothingOfAFencedProducer,
                            DropsWhatTheOlderProducerLeftOpen, RefusesAtOnceWhatTheStreamWillNeverTake,
                            CompactsWhatWasHeldBack);

}  // namespace write_aside::contract
