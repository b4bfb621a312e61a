// What is known of the cluster's topics, shared by the producers of a stream.
//
// Threads: safe from many threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace write_aside::kafka {

struct KnownTopic {
  std::int32_t partitions = 0;
  std::int64_t batch_bytes_max = 0;  // the topic's max.message.bytes; 0: cannot be told
};

class KnownTopics {
 public:
  [[nodiscard]] std::optional<KnownTopic> find(std::string_view name) const;
  void remember(const std::string& name, const KnownTopic& topic);
  void forget(std::string_view name);
  // The brokers refused records for want of a right. It is remembered for a while, so that later units abort before they
  // are in a batch with others.
  void deny(const std::string& name);
  [[nodiscard]] bool is_denied(std::string_view name) const;
  // Those that a new producer asks for at its start, so that no first record waits for it.
  [[nodiscard]] std::vector<std::string> names() const;
  // The smallest batch that any of them refuses, less one; 0: cannot be told.
  [[nodiscard]] std::int64_t batch_bytes_max() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, KnownTopic, std::less<>> topics_;
  std::map<std::string, std::chrono::steady_clock::time_point, std::less<>> denied_until_;
};

}  // namespace write_aside::kafka
