// What the tests of the local stream's file share: a folder of their own, short words for the usual calls, raw SQL.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "write_aside/adapters/local_stream.hpp"

namespace write_aside::local_stream_test {

using namespace std::chrono_literals;
using Values = std::vector<std::string>;
using StreamPointer = std::shared_ptr<ports::EventStream>;
using ProducerPointer = std::unique_ptr<ports::TransactionalProducer>;

inline ports::Deadline soon() { return std::chrono::steady_clock::now() + 10s; }

class Silent final : public ports::Deliveries {
 public:
  void delivered(std::uint64_t /*token*/, Result<std::int64_t> /*first_offset*/) override {}
};
inline Silent silent;

inline ports::RecordView record(std::int32_t partition, std::string_view value) {
  return {.topic = "orders", .partition = partition, .key = {}, .value = value, .headers = {}, .timestamp_ms = 1};
}

inline StreamPointer open_stream(const std::string& path, local_stream::Options options = {}) {
  auto opened = local_stream::open(path, options);
  if (!opened) ADD_FAILURE() << opened.error().message;
  return opened ? *opened : nullptr;
}
inline ProducerPointer initialised(ports::EventStream& stream, const std::string& id) {
  auto producer = stream.transactional_producer(id, 60s, silent).value();
  const auto ready = producer->initialise(soon());
  if (!ready) ADD_FAILURE() << ready.error().message;
  return producer;
}
inline ProducerPointer holding_back(ports::EventStream& stream, const std::string& id) {
  ProducerPointer producer = initialised(stream, id);
  producer->hold_back();
  return producer;
}
inline Result<void> stage(ports::TransactionalProducer& producer, const std::vector<ports::RecordView>& records) {
  return producer.produce(records, 1);
}
inline bool commit(ports::TransactionalProducer& producer, const std::vector<ports::RecordView>& records) {
  return producer.begin() && stage(producer, records) && producer.end(ports::Ending::commit, soon()).clean;
}

// The committed values of a partition of 'orders', by the reader.
inline Values committed(ports::EventStream& stream, std::int32_t partition) {
  auto reader = stream.reader({{"orders", partition, ports::offset_beginning}}, ports::Isolation::read_committed);
  const auto end = stream.bounds("orders", partition, ports::Isolation::read_committed);
  Values values;
  if (!reader || !end) return {"(unreadable)"};
  while ((*reader)->position("orders", partition).value() < end->end) {
    const auto records = (*reader)->poll(1000, std::chrono::steady_clock::now());
    if (!records) return {"(unreadable)"};
    for (const auto& one : *records) values.push_back(one.value.value_or("(null)"));
  }
  return values;
}

struct CloseHandle {
  void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
};

// The first column of every row, as text, by a connection that knows nothing of this library.
inline Values raw_query(const std::string& path, const std::string& sql) {
  sqlite3* raw = nullptr;
  sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, CloseHandle> handle(raw);
  Values values;
  const auto add = [](void* out, int columns, char** texts, char** /*names*/) {
    if (columns > 0) static_cast<Values*>(out)->emplace_back(texts[0] != nullptr ? texts[0] : "(null)");
    return 0;
  };
  if (sqlite3_exec(raw, sql.c_str(), add, &values, nullptr) != SQLITE_OK) ADD_FAILURE() << sqlite3_errmsg(raw);
  return values;
}

// All records in the file, also those that no reader may see.
inline std::string count_records(const std::string& path) {
  std::string sum = "0";
  for (const std::string& table : raw_query(path, "SELECT name FROM sqlite_master WHERE name GLOB 'record_*'")) {
    sum += " + (SELECT count(*) FROM " + table + ")";
  }
  return raw_query(path, "SELECT " + sum).front();
}

class LocalStreamFixture : public testing::Test {
 protected:
  LocalStreamFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "write-aside-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) folder_ = pattern;
    path_ = (folder_ / "stream.events").string();
  }
  ~LocalStreamFixture() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  // A stream with the topic 'orders' of two partitions.
  [[nodiscard]] StreamPointer make_stream(local_stream::Options options = {}) const {
    StreamPointer stream = open_stream(path_, options);
    if (stream == nullptr) return nullptr;
    const auto made = stream->create_topic({"orders", 2, false}, soon());
    EXPECT_TRUE(made && *made);
    return stream;
  }

  std::filesystem::path folder_;
  std::string path_;
};

}  // namespace write_aside::local_stream_test
