// Goal: every event stream keeps the promises of ports/event_stream.hpp, and the fake of the simulation keeps the
// same ones, so that what is proved with the fake means something.
//
// Method: one test per promise, against a harness that opens the stream under test. A harness is
//
//   struct LocalStreamHarness {
//     std::shared_ptr<ports::EventStream> open();  // again: another instance on the same storage, as another process
//     std::string name(std::string);                    // of a topic, …: no other test uses it on the same storage
//     static constexpr bool compacts_at_once = true;    // a replaced record is gone after the next commit
//     static constexpr std::chrono::milliseconds shortest_time_out{100};  // of a transaction
//     static std::chrono::milliseconds patience();      // bound of every wait
//     static void pass(std::chrono::milliseconds);      // lets time pass, for transaction time-outs
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(LocalStream, EventStreamContract, LocalStreamHarness);
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/event_stream_fixture.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::contract {

TYPED_TEST_SUITE_P(EventStreamContract);

TYPED_TEST_P(EventStreamContract, NumbersThePartitionsRecordsFromZero) {
  auto producer = this->initialised("a");
  EXPECT_EQ(this->stage(*producer, {this->record(this->orders_, 0, "x"), this->record(this->orders_, 0, "y")}), 0);
  EXPECT_EQ(this->produce(*producer, {this->record(this->orders_, 1, "other partition")}), 0);
  EXPECT_EQ(this->produce(*producer, {this->record(this->orders_, 0, "z")}), 2);
  this->end(*producer, ports::Ending::commit);
  auto reader = this->reader(this->orders_, 0);
  const auto records = this->read(*reader, 3);
  ASSERT_EQ(records.size(), 3u);
  for (std::size_t index = 0; index < 3; ++index) EXPECT_EQ(records[index].offset, static_cast<std::int64_t>(index));
}

TYPED_TEST_P(EventStreamContract, KeepsTheOrderOfAPartition) {
  auto producer = this->initialised("a");
  std::vector<std::string> values;
  for (int number = 0; number < 100; ++number) values.push_back(std::to_string(number));
  ASSERT_TRUE(producer->begin().has_value());
  for (std::size_t index = 0; index < values.size(); index += 2) {
    this->produce(*producer, {this->record(this->orders_, 2, values[index]), this->record(this->orders_, 3, "between"),
                              this->record(this->orders_, 2, values[index + 1])});
  }
  this->end(*producer, ports::Ending::commit);
  this->expect_committed(this->orders_, 2, values);
}

TYPED_TEST_P(EventStreamContract, AcknowledgesEveryCallOnceUnderItsToken) {
  auto producer = this->initialised("a");
  ASSERT_TRUE(producer->begin().has_value());
  const std::vector<ports::RecordView> one = {this->record(this->orders_, 0, "x")};
  const std::vector<ports::RecordView> two = {this->record(this->orders_, 0, "y"), this->record(this->orders_, 0, "z")};
  ASSERT_TRUE(producer->produce(one, 1001).has_value());
  ASSERT_TRUE(producer->produce(two, 1002).has_value());
  this->await([&] { return this->deliveries_.count(1001) == 1 && this->deliveries_.count(1002) == 1; });
  EXPECT_EQ(this->deliveries_.offset(1001), 0);
  EXPECT_EQ(this->deliveries_.offset(1002), 1);
  this->end(*producer, ports::Ending::commit);
  EXPECT_EQ(this->deliveries_.count(1001), 1u);
  EXPECT_EQ(this->deliveries_.count(1002), 1u);
}

TYPED_TEST_P(EventStreamContract, HidesAnOpenTransactionFromReadCommitted) {
  auto producer = this->initialised("a");
  auto reader = this->reader(this->orders_, 0);
  this->stage(*producer, {this->record(this->orders_, 0, "open")});
  this->expect_silence(*reader);
  this->end(*producer, ports::Ending::commit);
  EXPECT_EQ(this->values_of(this->read(*reader, 1)), (std::vector<std::string>{"open"}));
}

TYPED_TEST_P(EventStreamContract, HoldsCommittedRecordsBackBehindAnOpenTransaction) {
  auto first = this->initialised("a");
  auto second = this->initialised("b");
  auto reader = this->reader(this->orders_, 0);
  this->stage(*first, {this->record(this->orders_, 0, "open")});
  this->commit(*second, {this->record(this->orders_, 0, "committed")});
  this->expect_silence(*reader);
  EXPECT_EQ(this->stream_->bounds(this->orders_, 0, ports::Isolation::read_committed)->end, 0);
  this->end(*first, ports::Ending::commit);
  EXPECT_EQ(this->values_of(this->read(*reader, 2)), (std::vector<std::string>{"open", "committed"}));
}

TYPED_TEST_P(EventStreamContract, ShowsAnOpenTransactionToReadUncommitted) {
  auto producer = this->initialised("a");
  auto reader = this->reader(this->orders_, 0, ports::Isolation::read_uncommitted);
  this->stage(*producer, {this->record(this->orders_, 0, "open")});
  EXPECT_EQ(this->values_of(this->read(*reader, 1)), (std::vector<std::string>{"open"}));
}

TYPED_TEST_P(EventStreamContract, ShowsNothingOfAnAbortedTransaction) {
  auto producer = this->initialised("a");
  this->commit(*producer, {this->record(this->orders_, 0, "before")});
  this->stage(*producer, {this->record(this->orders_, 0, "aborted"), this->record(this->orders_, 1, "aborted")});
  this->end(*producer, ports::Ending::abort);
  this->commit(*producer, {this->record(this->orders_, 0, "after"), this->record(this->orders_, 1, "after")});
  this->expect_committed(this->orders_, 0, {"before", "after"});
  this->expect_committed(this->orders_, 1, {"after"});
}

TYPED_TEST_P(EventStreamContract, NeverUsesTheOffsetOfAnAbortedRecordAgain) {
  auto producer = this->initialised("a");
  const std::int64_t aborted = this->stage(*producer, {this->record(this->orders_, 0, "aborted")});
  this->end(*producer, ports::Ending::abort);
  EXPECT_GT(this->commit(*producer, {this->record(this->orders_, 0, "after")}), aborted);
}

TYPED_TEST_P(EventStreamContract, PassesTheReadersPositionOverAbortedRecords) {
  auto producer = this->initialised("a");
  auto reader = this->reader(this->orders_, 0);
  const std::int64_t aborted =
      this->stage(*producer, {this->record(this->orders_, 0, "x"), this->record(this->orders_, 0, "y")});
  this->end(*producer, ports::Ending::abort);
  EXPECT_TRUE(this->read_upto(*reader, this->orders_, 0, aborted + 2).empty());
}

TYPED_TEST_P(EventStreamContract, KeepsTransactionsOfSeveralProducersApart) {
  auto first = this->initialised("a");
  auto second = this->initialised("b");
  auto third = this->initialised("c");
  for (auto* producer : {first.get(), second.get(), third.get()}) ASSERT_TRUE(producer->begin().has_value());
  for (int round = 0; round < 3; ++round) {
    this->produce(*first, {this->record(this->orders_, 0, "first")});
    this->produce(*second, {this->record(this->orders_, 0, "second")});
    this->produce(*third, {this->record(this->orders_, 0, "third")});
  }
  this->end(*third, ports::Ending::commit);
  this->end(*second, ports::Ending::abort);
  this->end(*first, ports::Ending::commit);
  this->expect_committed(this->orders_, 0, {"first", "third", "first", "third", "first", "third"});
}

TYPED_TEST_P(EventStreamContract, FencesTheOlderProducer) {
  auto older = this->initialised("a");
  this->stage(*older, {this->record(this->orders_, 0, "older")});
  auto newer = this->initialised("a");
  const std::vector<ports::RecordView> late = {this->record(this->orders_, 0, "late")};
  const std::uint64_t token = ++this->token_;
  if (const auto accepted = older->produce(late, token); accepted) {
    this->await([&] { return this->deliveries_.count(token) > 0; });
    EXPECT_EQ(this->deliveries_.offset(token), -1);
  } else {
    EXPECT_EQ(accepted.error().code, ErrorCode::fenced);
  }
  EXPECT_FALSE(older->end(ports::Ending::commit, this->soon()).clean);
  this->commit(*newer, {this->record(this->orders_, 0, "newer")});
  this->expect_committed(this->orders_, 0, {"newer"});
}

TYPED_TEST_P(EventStreamContract, RefusesTheEndOfAFencedProducer) {
  auto older = this->initialised("a");
  this->stage(*older, {this->record(this->orders_, 0, "older")});
  auto newer = this->initialised("a");
  this->expect_fenced_at_the_end(*older);
  this->expect_committed(this->orders_, 0, {});
}

TYPED_TEST_P(EventStreamContract, AbortsWhatTheOlderProducerLeftOpen) {
  auto older = this->initialised("a");
  this->stage(*older, {this->record(this->orders_, 0, "left open")});
  older.reset();
  auto other = this->initialised("b");
  this->commit(*other, {this->record(this->orders_, 0, "held back")});
  auto newer = this->initialised("a");
  this->expect_committed(this->orders_, 0, {"held back"});
}

TYPED_TEST_P(EventStreamContract, FencesOnlyItsOwnTransactionalId) {
  auto first = this->initialised("a");
  this->stage(*first, {this->record(this->orders_, 0, "first")});
  auto second = this->initialised("b");
  this->end(*first, ports::Ending::commit);
  this->expect_committed(this->orders_, 0, {"first"});
}

TYPED_TEST_P(EventStreamContract, KeepsWhatTheOlderProducerCommitted) {
  auto older = this->initialised("a");
  this->commit(*older, {this->record(this->orders_, 0, "kept")});
  auto newer = this->initialised("a");
  this->expect_committed(this->orders_, 0, {"kept"});
}

TYPED_TEST_P(EventStreamContract, RefusesToBeginBeforeInitialise) {
  auto producer = this->producer_of("a");
  EXPECT_FALSE(producer->begin().has_value());
}

TYPED_TEST_P(EventStreamContract, RefusesToProduceOutsideATransaction) {
  auto producer = this->initialised("a");
  const std::vector<ports::RecordView> records = {this->record(this->orders_, 0, "x")};
  const std::uint64_t token = ++this->token_;
  EXPECT_FALSE(producer->produce(records, token).has_value());
  EXPECT_EQ(this->deliveries_.count(token), 0u);
}

TYPED_TEST_P(EventStreamContract, AbortsAndFencesATransactionPastItsTimeOut) {
  auto slow = this->initialised("slow", TypeParam::shortest_time_out);
  this->stage(*slow, {this->record(this->orders_, 0, "slow")});
  auto other = this->initialised("b");
  this->commit(*other, {this->record(this->orders_, 0, "behind")});
  auto reader = this->reader(this->orders_, 0);
  TypeParam::pass(2 * TypeParam::shortest_time_out);
  EXPECT_EQ(this->values_of(this->read(*reader, 1)), (std::vector<std::string>{"behind"}));
  EXPECT_FALSE(slow->end(ports::Ending::commit, this->soon()).clean);
  this->expect_committed(this->orders_, 0, {"behind"});
}

TYPED_TEST_P(EventStreamContract, PutsOneKeyIntoOnePartition) {
  auto producer = this->initialised("a");
  const std::vector<ports::RecordView> twice = {this->keyed(this->orders_, "21", "x"),
                                                this->keyed(this->orders_, "21", "y")};
  this->commit(*producer, twice);
  this->commit(*producer, {this->keyed(this->orders_, "21", "z")});
  // toPositive(murmur2("21")) = 1173551340, as Kafka's Java client.
  this->expect_committed(this->orders_, 1173551340 % 4, {"x", "y", "z"});
}

TYPED_TEST_P(EventStreamContract, RefusesAPartitionThatDoesNotExist) {
  auto producer = this->initialised("a");
  ASSERT_TRUE(producer->begin().has_value());
  const std::vector<ports::RecordView> records = {this->record(this->orders_, 4, "x")};
  const std::uint64_t token = ++this->token_;
  if (!producer->produce(records, token)) return;
  this->await([&] { return this->deliveries_.count(token) > 0; });
  EXPECT_EQ(this->deliveries_.offset(token), -1);
}

TYPED_TEST_P(EventStreamContract, GivesHeadersBackInOrderWithAnyBytes) {
  const std::string binary("\x00\xff\xfe\x80", 4);
  const std::vector<ports::HeaderView> headers = {
      {"zebra", "1"}, {"ant", "quote \" backslash \\ line\n"}, {"bytes", binary},  {"umlaut", "\xc3\xa4"},
      {"empty", ""},  {"nul", std::string_view("a\0b", 3)},    {"zebra", "again"}, {"cut", "\xc3"}};
  ports::RecordView record = this->record(this->orders_, 0, "x");
  record.headers = headers;
  auto producer = this->initialised("a");
  this->commit(*producer, {record});
  auto reader = this->reader(this->orders_, 0);
  const auto records = this->read(*reader, 1);
  ASSERT_EQ(records.size(), 1u);
  ASSERT_EQ(records[0].headers.size(), headers.size());
  for (std::size_t index = 0; index < headers.size(); ++index) {
    EXPECT_EQ(records[0].headers[index].name, headers[index].name);
    EXPECT_EQ(records[0].headers[index].value, headers[index].value);
  }
}

TYPED_TEST_P(EventStreamContract, GivesKeysAndValuesBackByteByByte) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  const std::vector<std::string> bytes = {
      "",         "text", "\xc3\xa4\xf0\x9f\x98\x80", std::string("a\0b", 3), every_byte, "\xed\xa0\x80",
      "\xc0\xaf", "123",  std::string(5000, 'x')};
  auto producer = this->initialised("a");
  for (const std::string& one : bytes) {
    ports::RecordView record = this->record(this->orders_, 0, one);
    record.key = one;
    this->commit(*producer, {record});
  }
  auto reader = this->reader(this->orders_, 0);
  const auto records = this->read(*reader, bytes.size());
  ASSERT_EQ(records.size(), bytes.size());
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    EXPECT_EQ(records[index].key, bytes[index]);
    EXPECT_EQ(records[index].value, bytes[index]);
  }
}

TYPED_TEST_P(EventStreamContract, TellsNoKeyAndNoValueFromEmptyOnes) {
  ports::RecordView none = this->record(this->orders_, 0, "");
  none.value = std::nullopt;
  ports::RecordView empty = this->record(this->orders_, 0, "");
  empty.key = "";
  auto producer = this->initialised("a");
  this->commit(*producer, {none, empty});
  auto reader = this->reader(this->orders_, 0);
  const auto records = this->read(*reader, 2);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_FALSE(records[0].key.has_value());
  EXPECT_FALSE(records[0].value.has_value());
  EXPECT_EQ(records[1].key, "");
  EXPECT_EQ(records[1].value, "");
}

TYPED_TEST_P(EventStreamContract, GivesTheTimestampBack) {
  ports::RecordView record = this->record(this->orders_, 0, "x");
  record.timestamp_ms = 1'700'000'000'123;
  auto producer = this->initialised("a");
  this->commit(*producer, {record});
  auto reader = this->reader(this->orders_, 0);
  const auto records = this->read(*reader, 1);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].timestamp_ms, 1'700'000'000'123);
}

TYPED_TEST_P(EventStreamContract, RefusesARecordAboveTheLimit) {
  const std::string large(this->stream_->record_bytes_max() + 1, 'x');
  auto producer = this->initialised("a");
  ASSERT_TRUE(producer->begin().has_value());
  const std::vector<ports::RecordView> records = {this->record(this->orders_, 0, "small"),
                                                  this->record(this->orders_, 0, large)};
  const std::uint64_t token = ++this->token_;
  const auto accepted = producer->produce(records, token);
  ASSERT_FALSE(accepted.has_value());
  EXPECT_EQ(accepted.error().code, ErrorCode::event_too_large);
  EXPECT_EQ(accepted.error().effect, Effect::no);
  EXPECT_EQ(this->deliveries_.count(token), 0u);
}

TYPED_TEST_P(EventStreamContract, RefusesAnUnknownTopicByName) {
  auto producer = this->initialised("a");
  ASSERT_TRUE(producer->begin().has_value());
  const std::string absent = this->name("absent");
  const std::vector<ports::RecordView> records = {this->record(this->orders_, 0, "x"), this->record(absent, 0, "y")};
  const auto accepted = producer->produce(records, ++this->token_);
  ASSERT_FALSE(accepted.has_value());
  EXPECT_EQ(accepted.error().code, ErrorCode::unknown_topic);
  EXPECT_NE(accepted.error().message.find('\'' + absent + '\''), std::string::npos) << accepted.error().message;
  EXPECT_FALSE(this->stream_->reader({{absent, 0, 0}}, ports::Isolation::read_committed).has_value());
  EXPECT_FALSE(this->stream_->bounds(absent, 0, ports::Isolation::read_committed).has_value());
}

TYPED_TEST_P(EventStreamContract, CreatesATopicOnce) {
  const auto first = this->stream_->create_topic({this->name("new"), 3, false}, this->soon());
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(*first);
  const auto id = this->stream_->topic(this->name("new")).value()->id;
  const auto second = this->stream_->create_topic({this->name("new"), 5, true}, this->soon());
  ASSERT_TRUE(second.has_value());
  EXPECT_FALSE(*second);
  const auto topic = this->stream_->topic(this->name("new")).value();
  EXPECT_EQ(topic->partitions, 3);
  EXPECT_FALSE(topic->compacted);
  EXPECT_EQ(topic->id, id);
}

TYPED_TEST_P(EventStreamContract, RefusesTopicNamesThatKafkaRefuses) {
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a/b"), std::string(250, 'a')}) {
    EXPECT_FALSE(this->stream_->create_topic({name, 1, false}, this->soon()).has_value()) << name;
  }
  EXPECT_TRUE(this->stream_->create_topic({std::string(240, 'a') + "._-Z9", 1, false}, this->soon()).has_value());
}

TYPED_TEST_P(EventStreamContract, ListsItsTopics) {
  this->create(this->ledger_, 2, true);
  const auto topics = this->stream_->topics();
  ASSERT_TRUE(topics.has_value());
  std::set<std::string> names;
  std::set<std::string> ids;
  for (const ports::TopicInfo& topic : *topics) {
    names.insert(topic.name);
    // A stream that can tell one incarnation of a topic from the next does so for all of them.
    EXPECT_TRUE(topic.id.empty() || ids.insert(topic.id).second) << topic.name;
  }
  EXPECT_TRUE(names.contains(this->orders_) && names.contains(this->ledger_));
  EXPECT_TRUE(this->stream_->topic(this->ledger_).value()->compacted);
  EXPECT_FALSE(this->stream_->topic(this->name("absent")).value().has_value());
}

TYPED_TEST_P(EventStreamContract, RemembersPositionsByName) {
  const std::vector<ports::Position> first = {{this->orders_, 0, 5}, {this->orders_, 1, 6}};
  const std::vector<ports::Position> second = {{this->orders_, 1, 7}};
  ASSERT_TRUE(this->stream_->store_positions(this->name("mine"), first).has_value());
  ASSERT_TRUE(this->stream_->store_positions(this->name("mine"), second).has_value());
  ASSERT_TRUE(this->stream_->store_positions(this->name("other"), second).has_value());
  const auto stored = this->harness_.open()->positions(this->name("mine"));
  ASSERT_TRUE(stored.has_value());
  std::map<std::int32_t, std::int64_t> offsets;
  for (const ports::Position& one : *stored) offsets[one.partition] = one.offset;
  EXPECT_EQ(offsets, (std::map<std::int32_t, std::int64_t>{{0, 5}, {1, 7}}));
  EXPECT_TRUE(this->stream_->positions(this->name("nobody")).value().empty());
}

TYPED_TEST_P(EventStreamContract, TellsTheBoundsOfAPartition) {
  auto producer = this->initialised("a");
  EXPECT_EQ(this->stream_->bounds(this->orders_, 0, ports::Isolation::read_committed)->end, 0);
  const std::int64_t last = this->commit(*producer, {this->record(this->orders_, 0, "x")});
  this->stage(*producer, {this->record(this->orders_, 0, "open")});
  const auto committed = this->bounds_beyond(this->orders_, 0, last);
  const auto all = this->stream_->bounds(this->orders_, 0, ports::Isolation::read_uncommitted);
  EXPECT_EQ(committed.begin, 0);
  EXPECT_GT(all->end, committed.end);
}

TYPED_TEST_P(EventStreamContract, ReadsFromTheOffsetThatIsAskedFor) {
  auto producer = this->initialised("a");
  this->commit(*producer, {this->record(this->orders_, 0, "0"), this->record(this->orders_, 0, "1"),
                           this->record(this->orders_, 0, "2")});
  auto middle = this->reader(this->orders_, 0, ports::Isolation::read_committed, 1);
  EXPECT_EQ(this->values_of(this->read(*middle, 2)), (std::vector<std::string>{"1", "2"}));
  auto at_end = this->reader(this->orders_, 0, ports::Isolation::read_committed, ports::offset_end);
  this->expect_silence(*at_end);
  this->commit(*producer, {this->record(this->orders_, 0, "3")});
  EXPECT_EQ(this->values_of(this->read(*at_end, 1)), (std::vector<std::string>{"3"}));
}

TYPED_TEST_P(EventStreamContract, ReadsSeveralPartitionsWithOneReader) {
  auto producer = this->initialised("a");
  this->commit(*producer, {this->record(this->orders_, 0, "x"), this->record(this->orders_, 1, "y"),
                           this->record(this->orders_, 2, "z")});
  auto reader = this->stream_->reader({{this->orders_, 0, 0}, {this->orders_, 1, 0}, {this->orders_, 2, 0}},
                                      ports::Isolation::read_committed);
  ASSERT_TRUE(reader.has_value());
  std::set<std::pair<std::int32_t, std::string>> seen;
  for (const auto& one : this->read(**reader, 3)) seen.emplace(one.partition, *one.value);
  EXPECT_EQ(seen, (std::set<std::pair<std::int32_t, std::string>>{{0, "x"}, {1, "y"}, {2, "z"}}));
  EXPECT_FALSE((*reader)->position(this->orders_, 3).has_value());
}

TYPED_TEST_P(EventStreamContract, ReturnsNoMoreRecordsThanAskedFor) {
  auto producer = this->initialised("a");
  this->commit(*producer, std::vector<ports::RecordView>(10, this->record(this->orders_, 0, "x")));
  auto reader = this->reader(this->orders_, 0);
  std::size_t seen = 0;
  while (seen < 10) {
    const auto records = reader->poll(3, this->soon());
    ASSERT_TRUE(records.has_value());
    ASSERT_FALSE(records->empty());
    EXPECT_LE(records->size(), 3u);
    seen += records->size();
    EXPECT_EQ(reader->position(this->orders_, 0).value(), records->back().offset + 1);
  }
}

TYPED_TEST_P(EventStreamContract, ReturnsFromAPollAtItsDeadline) {
  auto reader = this->reader(this->orders_, 0);
  const auto start = std::chrono::steady_clock::now();
  const auto records = reader->poll(1, start + 50ms);
  ASSERT_TRUE(records.has_value());
  EXPECT_TRUE(records->empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, TypeParam::patience());
}

TYPED_TEST_P(EventStreamContract, KeepsTheNewestRecordOfAKeyInACompactedTopic) {
  this->create(this->ledger_, 1, true);
  auto producer = this->initialised("a");
  std::int64_t last = 0;
  for (const std::string value : {"1", "2", "3"}) {
    const std::vector<ports::RecordView> records = {this->keyed(this->ledger_, "k", value),
                                                    this->keyed(this->ledger_, "l", value)};
    last = this->commit(*producer, records) + 1;
  }
  std::map<std::string, std::string> newest;
  auto reader = this->reader(this->ledger_, 0);
  const auto end = this->bounds_beyond(this->ledger_, 0, last).end;
  const auto records = this->read_upto(*reader, this->ledger_, 0, end);
  for (const auto& one : records) newest[*one.key] = *one.value;
  EXPECT_EQ(newest, (std::map<std::string, std::string>{{"k", "3"}, {"l", "3"}}));
  if (TypeParam::compacts_at_once) {
    EXPECT_EQ(records.size(), 2u);
  }
}

TYPED_TEST_P(EventStreamContract, KeepsTheNewestCommittedRecordWhenANewerOneIsAborted) {
  this->create(this->ledger_, 1, true);
  auto producer = this->initialised("a");
  this->commit(*producer, {this->keyed(this->ledger_, "k", "committed")});
  this->stage(*producer, {this->keyed(this->ledger_, "k", "aborted")});
  this->end(*producer, ports::Ending::abort);
  this->commit(*producer, {this->keyed(this->ledger_, "other", "x")});
  this->expect_committed(this->ledger_, 0, {"committed", "x"});
}

TYPED_TEST_P(EventStreamContract, KeepsTheOldRecordWhileTheNewOneIsHeldBack) {
  this->create(this->ledger_, 1, true);
  auto first = this->initialised("a");
  auto second = this->initialised("b");
  this->commit(*second, {this->keyed(this->ledger_, "k", "old")});
  this->stage(*first, {this->keyed(this->ledger_, "other", "open")});
  const std::int64_t newest = this->commit(*second, {this->keyed(this->ledger_, "k", "new")});
  this->expect_committed(this->ledger_, 0, {"old"});
  this->end(*first, ports::Ending::commit);
  this->bounds_beyond(this->ledger_, 0, newest);
  const auto values = this->committed(this->ledger_, 0);
  ASSERT_FALSE(values.empty());
  EXPECT_EQ(values.back(), "new");
}

TYPED_TEST_P(EventStreamContract, ShowsEverythingToAnotherInstance) {
  auto producer = this->initialised("a");
  this->commit(*producer, {this->record(this->orders_, 0, "x")});
  this->stage(*producer, {this->record(this->orders_, 0, "open")});
  const auto again = this->harness_.open();
  EXPECT_EQ(again->identity().value(), this->stream_->identity().value());
  EXPECT_EQ(again->topic(this->orders_).value()->id, this->stream_->topic(this->orders_).value()->id);
  auto reader = again->reader({{this->orders_, 0, ports::offset_beginning}}, ports::Isolation::read_committed);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(this->values_of(this->read(**reader, 1)), (std::vector<std::string>{"x"}));
  this->expect_silence(**reader);
  this->end(*producer, ports::Ending::commit);
  EXPECT_EQ(this->values_of(this->read(**reader, 1)), (std::vector<std::string>{"open"}));
}

TYPED_TEST_P(EventStreamContract, FencesAcrossInstances) {
  auto older = this->initialised("a");
  this->stage(*older, {this->record(this->orders_, 0, "older")});
  const auto again = this->harness_.open();
  auto newer = again->transactional_producer(this->name("a"), 60s, this->deliveries_);
  ASSERT_TRUE(newer.has_value());
  ASSERT_TRUE((*newer)->initialise(this->soon()).has_value());
  EXPECT_FALSE(older->end(ports::Ending::commit, this->soon()).clean);
  this->expect_committed(this->orders_, 0, {});
}

TYPED_TEST_P(EventStreamContract, ShowsRecordsOfThePlainProducerAtOnce) {
  auto producer = this->stream_->producer(this->deliveries_);
  ASSERT_TRUE(producer.has_value());
  const std::vector<ports::RecordView> records = {this->record(this->orders_, 0, "x"),
                                                  this->record(this->orders_, 0, "y")};
  const std::uint64_t token = ++this->token_;
  ASSERT_TRUE((*producer)->produce(records, token).has_value());
  this->await([&] { return this->deliveries_.count(token) == 1; });
  EXPECT_EQ(this->deliveries_.offset(token), 0);
  this->expect_committed(this->orders_, 0, {"x", "y"});
}

REGISTER_TYPED_TEST_SUITE_P(
    EventStreamContract, NumbersThePartitionsRecordsFromZero, KeepsTheOrderOfAPartition,
    AcknowledgesEveryCallOnceUnderItsToken, HidesAnOpenTransactionFromReadCommitted,
    HoldsCommittedRecordsBackBehindAnOpenTransaction, ShowsAnOpenTransactionToReadUncommitted,
    ShowsNothingOfAnAbortedTransaction, NeverUsesTheOffsetOfAnAbortedRecordAgain,
    PassesTheReadersPositionOverAbortedRecords, KeepsTransactionsOfSeveralProducersApart, FencesTheOlderProducer,
    RefusesTheEndOfAFencedProducer, AbortsWhatTheOlderProducerLeftOpen, FencesOnlyItsOwnTransactionalId,
    KeepsWhatTheOlderProducerCommitted, RefusesToBeginBeforeInitialise, RefusesToProduceOutsideATransaction,
    AbortsAndFencesATransactionPastItsTimeOut, PutsOneKeyIntoOnePartition, RefusesAPartitionThatDoesNotExist,
    GivesHeadersBackInOrderWithAnyBytes, GivesKeysAndValuesBackByteByByte, TellsNoKeyAndNoValueFromEmptyOnes,
    GivesTheTimestampBack, RefusesARecordAboveTheLimit, RefusesAnUnknownTopicByName, CreatesATopicOnce,
    RefusesTopicNamesThatKafkaRefuses, ListsItsTopics, RemembersPositionsByName, TellsTheBoundsOfAPartition,
    ReadsFromTheOffsetThatIsAskedFor, ReadsSeveralPartitionsWithOneReader, ReturnsNoMoreRecordsThanAskedFor,
    ReturnsFromAPollAtItsDeadline, KeepsTheNewestRecordOfAKeyInACompactedTopic,
    KeepsTheNewestCommittedRecordWhenANewerOneIsAborted, KeepsTheOldRecordWhileTheNewOneIsHeldBack,
    ShowsEverythingToAnotherInstance, FencesAcrossInstances, ShowsRecordsOfThePlainProducerAtOnce);

}  // namespace write_aside::contract
