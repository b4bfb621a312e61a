// Goal: every event stream divides a topic's partitions among the members of a group, and refuses exact offsets that it
// does not have. The harness is that of event_stream_contract.hpp.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "contract/event_stream_fixture.hpp"

namespace write_aside::contract {

template <class Harness>
class EventStreamGroupContract : public EventStreamContract<Harness> {
 protected:
  using MemberPointer = std::unique_ptr<ports::GroupMember>;
  using Share = std::vector<ports::TopicPartition>;

  MemberPointer join(const std::string& instance = {}) {
    auto member = this->stream_->join_group({.name = this->name("group"),
                                             .topics = {this->orders_},
                                             .instance = instance,
                                             .session_timeout = Harness::patience()});
    EXPECT_TRUE(member.has_value()) << member.error().message;
    return member ? *std::move(member) : nullptr;
  }
  static Share share(ports::GroupMember& member) {
    auto share = member.share();
    EXPECT_TRUE(share.has_value()) << share.error().message;
    return share ? *std::move(share) : Share{};
  }
  Share everything() const {
    Share all;
    for (std::int32_t number = 0; number < 4; ++number) all.push_back({this->orders_, number});
    return all;
  }
  // The members' shares become disjoint, and together everything.
  void expect_division(const std::vector<ports::GroupMember*>& members, std::size_t smallest) {
    this->await([&] {
      Share all;
      bool enough = true;
      for (ports::GroupMember* const member : members) {
        const Share part = share(*member);
        enough = enough && part.size() >= smallest;
        all.insert(all.end(), part.begin(), part.end());
      }
      std::sort(all.begin(), all.end());
      return enough && all == everything();
    });
  }
};

TYPED_TEST_SUITE_P(EventStreamGroupContract);

TYPED_TEST_P(EventStreamGroupContract, GivesALoneMemberEverything) {
  const auto member = this->join();
  ASSERT_NE(member, nullptr);
  this->expect_division({member.get()}, 4);
}

TYPED_TEST_P(EventStreamGroupContract, DividesThePartitionsAmongTheMembers) {
  const auto first = this->join();
  const auto second = this->join();
  ASSERT_TRUE(first && second);
  this->expect_division({first.get(), second.get()}, 2);
}

TYPED_TEST_P(EventStreamGroupContract, GivesTheOthersWhatALeaverHeld) {
  const auto first = this->join();
  auto second = this->join();
  ASSERT_TRUE(first && second);
  this->expect_division({first.get(), second.get()}, 2);
  second.reset();
  this->expect_division({first.get()}, 4);
}

// librdkafka below 2.3 ended the process (#4312) where a member left between its joining and its first share.
TYPED_TEST_P(EventStreamGroupContract, LetsAMemberLeaveAtAnyMomentOfItsJoining) {
  for (int count = 0; count < 100; ++count) {
    const auto stay = count % 50 * 1ms;
    const auto member = this->join();
    ASSERT_NE(member, nullptr);
    for (const auto until = std::chrono::steady_clock::now() + stay; std::chrono::steady_clock::now() < until;) {
      static_cast<void>(this->share(*member));
      std::this_thread::yield();
    }
  }
  const auto last = this->join();
  ASSERT_NE(last, nullptr);
  this->expect_division({last.get()}, 4);
}

TYPED_TEST_P(EventStreamGroupContract, TakesAnInstanceBackUnderItsName) {
  const auto first = this->join("one");
  auto second = this->join("two");
  ASSERT_TRUE(first && second);
  this->expect_division({first.get(), second.get()}, 2);
  second.reset();
  second = this->join("two");
  ASSERT_TRUE(second != nullptr);
  this->expect_division({first.get(), second.get()}, 2);
}

TYPED_TEST_P(EventStreamGroupContract, RefusesAnUnknownTopicByName) {
  const auto member = this->stream_->join_group({.name = this->name("group"), .topics = {this->name("nowhere")}});
  ASSERT_FALSE(member.has_value());
  EXPECT_EQ(member.error().code, ErrorCode::unknown_topic);
}

TYPED_TEST_P(EventStreamGroupContract, TakesAReportOfPositions) {
  const auto member = this->join();
  ASSERT_NE(member, nullptr);
  this->expect_division({member.get()}, 4);
  const std::vector<ports::Position> positions{{this->orders_, 0, 0}};
  EXPECT_TRUE(member->report(positions).has_value());
}

TYPED_TEST_P(EventStreamGroupContract, RefusesAnExactOffsetBeyondTheEnd) {
  const auto producer = this->initialised("a");
  this->commit(*producer, {this->record(this->orders_, 0, "x")});
  const std::vector<ports::ReadFrom> from{{.topic = this->orders_, .partition = 0, .offset = 1'000, .exact = true}};
  auto reader = this->stream_->reader(from, ports::Isolation::read_committed);
  // Some streams tell only when they are asked for records.
  auto error = reader ? std::optional<Error>{} : std::optional<Error>{reader.error()};
  for (const auto deadline = this->soon(); !error && std::chrono::steady_clock::now() < deadline;) {
    const auto records = (*reader)->poll(1, std::chrono::steady_clock::now() + 10ms);
    if (!records) error = records.error();
  }
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::gone);
}

REGISTER_TYPED_TEST_SUITE_P(EventStreamGroupContract, GivesALoneMemberEverything, DividesThePartitionsAmongTheMembers,
                            GivesTheOthersWhatALeaverHeld, LetsAMemberLeaveAtAnyMomentOfItsJoining,
                            TakesAnInstanceBackUnderItsName, RefusesAnUnknownTopicByName, TakesAReportOfPositions,
                            RefusesAnExactOffsetBeyondTheEnd);

}  // namespace write_aside::contract
