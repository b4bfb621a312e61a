#include "bench/watcher.hpp"

#include <algorithm>
#include <utility>

#include "interruption.hpp"

namespace write_aside::cli::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t poll_records_max = 1'000;
constexpr auto poll_time = 100ms;

// The end as it is now, open transactions included: what a reader that begins at "the end" takes for it may be later.
Result<std::vector<ports::ReadFrom>> ends_of(ports::EventStream& stream) {
  const auto info = stream.topic(topic);
  if (!info) return failure(info);
  std::vector<ports::ReadFrom> places;
  for (std::int32_t partition = 0; *info && partition < (**info).partitions; ++partition) {
    const auto bounds = stream.bounds(topic, partition, ports::Isolation::read_uncommitted);
    if (!bounds) return failure(bounds);
    places.push_back({topic, partition, bounds->end});
  }
  return places;
}

std::string_view id_of(const ports::StoredRecord& record) {
  for (const Header& header : record.headers) {
    if (header.name == "ce_id") return header.value;
  }
  return {};
}

double milliseconds(Clock::duration span) { return std::chrono::duration<double, std::milli>(span).count(); }

}  // namespace

Watcher::Watcher(std::unique_ptr<ports::Reader> reader, std::string event_prefix)
    : reader_(std::move(reader)), event_prefix_(std::move(event_prefix)) {}

Result<std::unique_ptr<Watcher>> Watcher::start(const Stores& stores, std::string event_prefix) {
  const auto places = ends_of(*stores.stream);
  if (!places) return failure(places);
  auto reader = stores.stream->reader(*places, ports::Isolation::read_committed);
  if (!reader) return failure(reader);
  // The first poll connects.
  if (auto polled = (*reader)->poll(poll_records_max, Clock::now() + poll_time); !polled) return failure(polled);
  std::unique_ptr<Watcher> watcher(new Watcher(*std::move(reader), std::move(event_prefix)));
  watcher->thread_ = std::thread([&self = *watcher] { self.run(); });
  return watcher;
}

Watcher::~Watcher() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Watcher::run() {
  while (!stopping_) {
    const auto records = reader_->poll(poll_records_max, Clock::now() + poll_time);
    if (!records) {
      const std::lock_guard guard(lock_);
      error_ = records.error();
      return;
    }
    note(*records);
  }
}

void Watcher::note(const std::vector<ports::StoredRecord>& records) {
  const auto now = Clock::now();
  const std::lock_guard guard(lock_);
  for (const ports::StoredRecord& record : records) {
    if (const auto unit = parse_event_id(id_of(record), event_prefix_)) sightings_.push_back({*unit, now});
  }
  seen_count_ = sightings_.size();
}

Result<Visibility> Watcher::match(const Window& window, std::chrono::seconds limit) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    {
      const std::lock_guard guard(lock_);
      if (error_) return failure(*error_);
    }
    if (seen_count_ >= window.commits() || Clock::now() >= deadline || interruption::requested()) break;
    interruption::wait_for(10ms);
  }
  const std::lock_guard guard(lock_);
  return match_sightings(window, sightings_, Clock::now());
}

Visibility match_sightings(const Window& window, const std::vector<Sighting>& sightings, Clock::time_point now) {
  std::vector<std::vector<std::optional<Clock::time_point>>> seen(window.ids.size());
  for (std::size_t worker = 0; worker < seen.size(); ++worker) {
    seen[worker].resize(window.ids[worker].empty() ? 0 : window.ids[worker].back() + 1);
  }
  for (const Sighting& sighting : sightings) {
    if (sighting.unit.worker >= seen.size() || sighting.unit.count >= seen[sighting.unit.worker].size()) continue;
    auto& first = seen[sighting.unit.worker][sighting.unit.count];
    if (!first) first = sighting.at;
  }
  Visibility visibility;
  Clock::time_point last = window.steady_begun;
  for (std::size_t worker = 0; worker < seen.size(); ++worker) {
    for (std::size_t i = 0; i < window.ids[worker].size(); ++i) {
      const auto& at = seen[worker][window.ids[worker][i]];
      if (!at) ++visibility.unseen;
      last = std::max(last, at.value_or(now));
      const Clock::duration after = at.value_or(now) - window.committed[worker][i].returned;
      visibility.after_ms.push_back(std::max(0.0, milliseconds(after)));
    }
  }
  const double seconds = std::chrono::duration<double>(last - window.steady_begun).count();
  const auto delivered = static_cast<double>(visibility.after_ms.size() - visibility.unseen);
  if (seconds > 0) visibility.delivered_per_second = delivered / seconds;
  return visibility;
}

}  // namespace write_aside::cli::bench
