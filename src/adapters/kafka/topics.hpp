// What is known of the cluster's topics, shared by the producers of a stream.
//
// Threads: safe from many threads.
#pragma once

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
  // Those that a new producer asks for at its start, so that no first record waits for it.
  [[nodiscard]] std::vector<std::string> names() const;
  // The smallest batch that any of them refuses, less one; 0: cannot be told.
  [[nodiscard]] std::int64_t batch_bytes_max() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, KnownTopic, std::less<>> topics_;
};

}  // namespace write_aside::kafka
