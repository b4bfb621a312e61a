#include "adapters/kafka/topics.hpp"

#include <algorithm>

namespace write_aside::kafka {
namespace {

// A process that publishes to more topics asks for the others when they come.
constexpr std::size_t topics_max = 1'000;
// Longer than a unit waits for its acknowledgements: it tells why it aborts, and the next one is refused at once.
constexpr std::chrono::seconds denial_age_max{15};

}  // namespace

std::optional<KnownTopic> KnownTopics::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = topics_.find(name);
  return found == topics_.end() ? std::nullopt : std::optional(found->second);
}

void KnownTopics::remember(const std::string& name, const KnownTopic& topic) {
  const std::lock_guard lock(mutex_);
  if (topics_.size() >= topics_max && !topics_.contains(name)) topics_.erase(topics_.begin());
  topics_.insert_or_assign(name, topic);
}

void KnownTopics::forget(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = topics_.find(name); found != topics_.end()) topics_.erase(found);
}

void KnownTopics::deny(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (denied_until_.size() >= topics_max) denied_until_.clear();
  denied_until_.insert_or_assign(name, std::chrono::steady_clock::now() + denial_age_max);
}

bool KnownTopics::is_denied(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = denied_until_.find(name);
  return found != denied_until_.end() && std::chrono::steady_clock::now() < found->second;
}

std::vector<std::string> KnownTopics::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  names.reserve(topics_.size());
  for (const auto& [name, topic] : topics_) names.push_back(name);
  return names;
}

std::int64_t KnownTopics::batch_bytes_max() const {
  const std::lock_guard lock(mutex_);
  std::int64_t least = 0;
  for (const auto& [name, topic] : topics_) {
    if (topic.batch_bytes_max > 0 && (least == 0 || topic.batch_bytes_max < least)) least = topic.batch_bytes_max;
  }
  return least;
}

}  // namespace write_aside::kafka
