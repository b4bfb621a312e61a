// The fixture of the event stream contract: short words for the usual calls, with bounded waits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "write_aside/ports/event_stream.hpp"

namespace write_aside::contract {

using namespace std::chrono_literals;

// Remembers every acknowledgement by its token.
class RecordedDeliveries final : public ports::Deliveries {
 public:
  void delivered(std::uint64_t token, Result<std::int64_t> first_offset) override {
    const std::lock_guard lock(mutex_);
    acknowledged_.emplace(token, std::move(first_offset));
  }
  // How many acknowledgements came for `token`.
  std::size_t count(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    return acknowledged_.count(token);
  }
  // The offset, or -1 without a good acknowledgement.
  std::int64_t offset(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    const auto found = acknowledged_.find(token);
    return found != acknowledged_.end() && found->second ? *found->second : -1;
  }

 private:
  std::mutex mutex_;
  std::multimap<std::uint64_t, Result<std::int64_t>> acknowledged_;
};

template <class Harness>
class EventStreamContract : public testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;
  using ProducerPointer = std::unique_ptr<ports::TransactionalProducer>;
  using Values = std::vector<std::string>;

  static Clock::time_point soon() { return Clock::now() + Harness::patience(); }
  static ports::RecordView record(std::string_view topic, std::int32_t partition, std::string_view value) {
    return {.topic = topic, .partition = partition, .key = {}, .value = value, .headers = {}, .timestamp_ms = 1};
  }
  static ports::RecordView keyed(std::string_view topic, std::string_view key, std::string_view value) {
    return {.topic = topic, .partition = {}, .key = key, .value = value, .headers = {}, .timestamp_ms = 1};
  }

  std::string name(const std::string& text) { return harness_.name(text); }

  void SetUp() override {
    stream_ = harness_.open();
    ASSERT_NE(stream_, nullptr);
    create(orders_, 4);
  }
  void create(const std::string& topic, std::int32_t partitions, bool compacted = false) {
    const auto made = stream_->create_topic({topic, partitions, compacted}, soon());
    ASSERT_TRUE(made.has_value()) << made.error().message;
  }
  ProducerPointer producer_of(const std::string& id, std::chrono::milliseconds time_out = 60s) {
    auto producer = stream_->transactional_producer(name(id), time_out, deliveries_);
    EXPECT_TRUE(producer.has_value()) << producer.error().message;
    return producer ? std::move(*producer) : nullptr;
  }
  ProducerPointer initialised(const std::string& id, std::chrono::milliseconds time_out = 60s) {
    ProducerPointer producer = producer_of(id, time_out);
    if (producer == nullptr) return nullptr;
    const auto ready = producer->initialise(soon());
    EXPECT_TRUE(ready.has_value()) << ready.error().message;
    return producer;
  }
  void expect_fenced_at_the_end(ports::TransactionalProducer& producer) {
    const ports::EndReport report = producer.end(ports::Ending::commit, soon());
    EXPECT_FALSE(report.clean);
    ASSERT_TRUE(report.error.has_value());
    EXPECT_EQ(report.error->code, ErrorCode::fenced);
  }
  // One whose records the stream may keep to itself until the end.
  ProducerPointer holding_back(const std::string& id) {
    ProducerPointer producer = initialised(id);
    if (producer != nullptr) producer->hold_back();
    return producer;
  }
  // Accepts the records and waits for their acknowledgement; their first offset, or -1.
  std::int64_t produce(ports::TransactionalProducer& producer, const std::vector<ports::RecordView>& records) {
    const std::uint64_t token = ++token_;
    const auto accepted = producer.produce(records, token);
    EXPECT_TRUE(accepted.has_value()) << accepted.error().message;
    if (!accepted) return -1;
    await([&] { return deliveries_.count(token) > 0; });
    return deliveries_.offset(token);
  }
  std::int64_t stage(ports::TransactionalProducer& producer, const std::vector<ports::RecordView>& records) {
    const auto begun = producer.begin();
    EXPECT_TRUE(begun.has_value()) << begun.error().message;
    return produce(producer, records);
  }
  void end(ports::TransactionalProducer& producer, ports::Ending ending) {
    const ports::EndReport report = producer.end(ending, soon());
    EXPECT_TRUE(report.clean) << (report.error ? report.error->message : "");
  }
  std::int64_t commit(ports::TransactionalProducer& producer, const std::vector<ports::RecordView>& records) {
    const std::int64_t offset = stage(producer, records);
    end(producer, ports::Ending::commit);
    return offset;
  }
  template <class Condition>
  static void await(Condition condition) {
    for (const auto deadline = soon(); !condition() && Clock::now() < deadline;) Harness::pass(1ms);
    EXPECT_TRUE(condition());
  }

  std::unique_ptr<ports::Reader> reader(const std::string& topic, std::int32_t partition,
                                        ports::Isolation isolation = ports::Isolation::read_committed,
                                        std::int64_t offset = ports::offset_beginning) {
    auto opened = stream_->reader({{topic, partition, offset}}, isolation);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  // Reads `count` records, or what comes within the harness's patience.
  static std::vector<ports::StoredRecord> read(ports::Reader& reader, std::size_t count) {
    std::vector<ports::StoredRecord> records;
    for (const auto deadline = soon(); records.size() < count && Clock::now() < deadline;) {
      auto more = reader.poll(count - records.size(), deadline);
      EXPECT_TRUE(more.has_value()) << more.error().message;
      if (!more) break;
      std::move(more->begin(), more->end(), std::back_inserter(records));
    }
    EXPECT_EQ(records.size(), count);
    return records;
  }
  static Values values_of(const std::vector<ports::StoredRecord>& records) {
    Values values;
    for (const ports::StoredRecord& one : records) values.push_back(one.value.value_or("(null)"));
    return values;
  }
  // The committed values of a partition become exactly these. A stream may answer the end of a transaction a moment
  // before readers can see it.
  void expect_committed(const std::string& topic, std::int32_t partition, const Values& values) {
    Values seen = committed(topic, partition);
    for (const auto deadline = soon(); seen != values && Clock::now() < deadline;) {
      Harness::pass(1ms);
      seen = committed(topic, partition);
    }
    EXPECT_EQ(seen, values);
  }
  // Until the committed end of a partition is above `offset`.
  ports::EventStream::Bounds bounds_beyond(const std::string& topic, std::int32_t partition, std::int64_t offset) {
    ports::EventStream::Bounds bounds;
    await([&] {
      bounds = stream_->bounds(topic, partition, ports::Isolation::read_committed).value();
      return bounds.end > offset;
    });
    return bounds;
  }
  // All committed values of a partition: those below its committed end.
  Values committed(const std::string& topic, std::int32_t partition) {
    const auto bounds = stream_->bounds(topic, partition, ports::Isolation::read_committed);
    EXPECT_TRUE(bounds.has_value());
    auto from_start = reader(topic, partition);
    return bounds && from_start ? values_of(read_upto(*from_start, topic, partition, bounds->end)) : Values{};
  }
  static std::vector<ports::StoredRecord> read_upto(ports::Reader& reader, const std::string& topic,
                                                    std::int32_t partition, std::int64_t end) {
    std::vector<ports::StoredRecord> records;
    for (const auto deadline = soon(); Clock::now() < deadline;) {
      if (reader.position(topic, partition).value() >= end) return records;
      auto more = reader.poll(100, Clock::now() + 5ms);
      EXPECT_TRUE(more.has_value());
      if (!more) return records;
      std::move(more->begin(), more->end(), std::back_inserter(records));
    }
    ADD_FAILURE() << "the reader did not reach offset " << end;
    return records;
  }
  // Nothing more comes: one poll that may return at once, and one that waits a little.
  static void expect_silence(ports::Reader& reader) {
    for (const auto wait : {0ms, 30ms}) {
      const auto records = reader.poll(10, Clock::now() + wait);
      ASSERT_TRUE(records.has_value());
      EXPECT_EQ(values_of(*records), Values{});
    }
  }

  Harness harness_;
  const std::string orders_ = harness_.name("orders");  // made before each test, with 4 partitions
  const std::string ledger_ = harness_.name("ledger");
  RecordedDeliveries deliveries_;
  std::shared_ptr<ports::EventStream> stream_;
  std::uint64_t token_ = 0;
};

}  // namespace write_aside::contract
