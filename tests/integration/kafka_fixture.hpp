// What the tests of the Kafka adapter share: topics of their own on the common broker, short words for the usual calls.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/kafka_server.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::kafka_test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using ProducerPointer = std::unique_ptr<ports::TransactionalProducer>;

inline ports::Deadline soon() { return Clock::now() + 20s; }

// Waits for acknowledgements.
class Answers final : public ports::Deliveries {
 public:
  void delivered(std::uint64_t token, Result<std::int64_t> first_offset) override {
    const std::lock_guard lock(mutex_);
    answers_.insert_or_assign(token, std::move(first_offset));
    came_.notify_all();
  }
  // None: it did not come in time.
  std::optional<Result<std::int64_t>> await(std::uint64_t token, ports::Deadline deadline = soon()) {
    std::unique_lock lock(mutex_);
    if (!came_.wait_until(lock, deadline, [&] { return answers_.contains(token); })) return std::nullopt;
    return answers_.at(token);
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::map<std::uint64_t, Result<std::int64_t>> answers_;
};

class KafkaFixture : public testing::Test {
 protected:
  void SetUp() override {
    stream_ = support::open_kafka();
    ASSERT_NE(stream_, nullptr);
    const auto made = stream_->create_topic({orders_, 2, false}, soon());
    ASSERT_TRUE(made.has_value()) << made.error().message;
  }
  [[nodiscard]] ports::RecordView record(std::string_view value, std::int32_t partition = 0) const {
    return {.topic = orders_, .partition = partition, .key = {}, .value = value, .headers = {}, .timestamp_ms = 1};
  }
  ProducerPointer initialised(const std::string& id, ports::EventStream* stream = nullptr) {
    if (stream == nullptr) stream = stream_.get();
    auto producer = stream->transactional_producer(name_(id), 60s, answers_);
    EXPECT_TRUE(producer.has_value()) << producer.error().message;
    if (!producer) return nullptr;
    const auto ready = (*producer)->initialise(soon());
    EXPECT_TRUE(ready.has_value()) << ready.error().message;
    return std::move(*producer);
  }
  // Produces one record and waits for its acknowledgement.
  bool stage(ports::TransactionalProducer& producer, const ports::RecordView& one) {
    const std::uint64_t token = ++token_;
    if (!producer.produce({&one, 1}, token)) return false;
    const auto answer = answers_.await(token);
    return answer && *answer;
  }
  bool commit(ports::TransactionalProducer& producer, std::string_view value) {
    return producer.begin() && stage(producer, record(value)) && producer.end(ports::Ending::commit, soon()).clean;
  }
  // The next `count` values of partition 0, read_committed.
  std::vector<std::string> committed(std::size_t count) {
    auto reader = stream_->reader({{orders_, 0, ports::offset_beginning}}, ports::Isolation::read_committed);
    std::vector<std::string> values;
    if (!reader) return {reader.error().message};
    for (const auto deadline = soon(); values.size() < count && Clock::now() < deadline;) {
      const auto records = (*reader)->poll(count - values.size(), deadline);
      if (!records) return {records.error().message};
      for (const auto& one : *records) values.push_back(one.value.value_or("(null)"));
    }
    return values;
  }

  const support::UniqueNames name_;
  const std::string orders_ = name_("orders");  // two partitions
  Answers answers_;
  std::shared_ptr<ports::EventStream> stream_;
  std::uint64_t token_ = 0;
};

}  // namespace write_aside::kafka_test
