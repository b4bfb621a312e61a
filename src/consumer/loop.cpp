#include "consumer/loop.hpp"

#include <algorithm>
#include <utility>

#include "consumer/received_event.hpp"

namespace write_aside::consumer {
namespace {

constexpr std::chrono::milliseconds poll_time{100};  // also how often the share is looked at when nothing comes
constexpr std::chrono::milliseconds idle_pause{20};
constexpr std::chrono::milliseconds gaps_interval{1'000};
constexpr std::chrono::milliseconds parked_interval{1'000};
constexpr std::chrono::milliseconds lag_interval{2'000};
constexpr int prune_units_max = 20;  // in one go; more wait for the next

}  // namespace

Loop::Loop(Coordinator& coordinator, ConsumerOptions options, std::string prefix, std::string stream_id)
    : coordinator_(coordinator),
      options_(std::move(options)),
      tables_(std::move(prefix), options_.name),
      patience_(coordinator.runtime(), options_.store_patience),
      claims_(coordinator, tables_, options_, std::move(stream_id)),
      applier_(coordinator, tables_, claims_, patience_, options_) {}

ConsumerProgress Loop::progress() const {
  return {.applied = applier_.applied(),
          .duplicates = applier_.duplicates(),
          .outdated = applier_.outdated(),
          .parked = applier_.parked(),
          .transactions = applier_.transactions(),
          .partitions = partitions_,
          .lag = lag_};
}

Result<void> Loop::run(const Consumer::Handler& handler, bool to_end) {
  // A member that stayed in the group without working would hold its partitions back from the others.
  struct Leaving {
    Loop& loop;
    ~Leaving() { loop.leave(); }
  } const leaving{*this};
  if (to_end) {
    if (auto noted = note_ends(); !noted) return noted;
  }
  while (!patience_.stopped()) {
    auto done = turn(handler);
    if (done) {
      patience_.relax();
      if (!to_end || !idle_) continue;
      const auto at_end = stands_at_end();
      if (at_end && *at_end) break;
      if (at_end) continue;
      done = failure(at_end);
    }
    // After a failure nothing is taken for granted: what is held is claimed again.
    reader_.reset();
    if (auto endured = patience_.endure(done.error()); endured) continue;
    if (!is_store_trouble(done.error())) look_at_lag_at_last();
    return done;
  }
  look_at_lag_at_last();
  return {};
}

void Loop::look_at_lag_at_last() {
  if (member_ != nullptr) static_cast<void>(look_at_lag());
}

void Loop::leave() {
  reader_.reset();
  member_.reset();
  claims_.drop_all();
  partitions_ = 0;
}

Result<void> Loop::turn(const Consumer::Handler& handler) {
  if (member_ == nullptr) {
    if (auto joined = join(); !joined) return joined;
  }
  if (auto followed = follow_share(); !followed) return followed;
  idle_ = true;
  if (claims_.held().empty()) {
    patience_.pause(idle_pause);
    return {};
  }
  if (auto opened = open_reader(); !opened) return opened;
  const auto events = read();
  if (!events) return failure(events);
  if (auto applied = applier_.apply(*events, handler); !applied) return applied;
  if (unidentified_) return failure(*unidentified_);
  idle_ = events->empty();
  if (idle_) {
    if (auto passed = pass_over_gaps(); !passed) return passed;
  }
  if (due(parked_at_, parked_interval)) {
    if (auto retried = applier_.retry_parked(handler); !retried) return retried;
  }
  return keep_house();
}

Result<void> Loop::join() {
  auto member = coordinator_.stream()->join_group({.name = options_.name,
                                                   .topics = options_.topics,
                                                   .instance = options_.instance,
                                                   .session_timeout = options_.session_timeout});
  if (!member) return failure(member);
  member_ = *std::move(member);
  return {};
}

Result<void> Loop::follow_share() {
  const auto share = member_->share();
  if (!share) {
    member_.reset();
    return failure(share);
  }
  auto followed = claims_.follow(*share);
  partitions_ = claims_.held().size();
  return followed;
}

Result<void> Loop::open_reader() {
  if (reader_ != nullptr && reader_of_ == claims_.version()) return {};
  std::vector<ports::ReadFrom> from;
  for (const auto& [partition, position] : claims_.held()) {
    from.push_back(
        {.topic = partition.topic, .partition = partition.partition, .offset = position.next_offset, .exact = true});
  }
  auto reader = coordinator_.stream()->reader(from, ports::Isolation::read_committed);
  if (!reader) return failure(reader);
  reader_ = *std::move(reader);
  reader_of_ = claims_.version();
  return {};
}

Result<std::vector<ReceivedEvent>> Loop::read() {
  auto records = reader_->poll(options_.batch_max, coordinator_.runtime().now() + poll_time);
  if (!records) return failure(records);
  unidentified_.reset();
  std::vector<ReceivedEvent> events;
  events.reserve(records->size());
  for (ports::StoredRecord& record : *records) {
    const Position* const position = claims_.find({record.topic, record.partition});
    auto event = receive(std::move(record), options_.identity_header, position != nullptr ? position->topic_id : "");
    if (!event) {
      // First what stands before it.
      unidentified_ = event.error();
      break;
    }
    events.push_back(*std::move(event));
  }
  return events;
}

bool Loop::due(TimePoint& at, std::chrono::milliseconds interval) {
  const TimePoint now = coordinator_.runtime().now();
  if (now < at) return false;
  at = now + interval;
  return true;
}

Result<void> Loop::pass_over_gaps() {
  if (!due(gaps_at_, gaps_interval)) return {};
  std::vector<std::pair<ports::TopicPartition, std::int64_t>> moves;
  for (const auto& [partition, position] : claims_.held()) {
    const auto reached = reader_->position(partition.topic, partition.partition);
    if (!reached) return failure(reached);
    if (*reached > position.next_offset) moves.emplace_back(partition, *reached);
  }
  if (moves.empty()) return {};
  auto unit = coordinator_.begin();
  if (!unit) return failure(unit);
  for (const auto& [partition, to] : moves) {
    const Position& from = *claims_.find(partition);
    Position passed = from;
    passed.next_offset = to;
    const auto moved = tables_.advance(*unit, partition, from, passed);
    if (!moved) return failure(moved);
    if (!*moved) {
      claims_.lose(partition);
      return {};
    }
  }
  const Outcome outcome = unit->commit();
  for (const auto& [partition, to] : moves) {
    if (outcome.is_committed()) {
      claims_.find(partition)->next_offset = to;
    } else {
      claims_.doubt(partition);
    }
  }
  return {};
}

Result<void> Loop::note_ends() {
  const auto deadline = std::chrono::steady_clock::now() + ports::committed_bounds_patience;
  for (const std::string& topic : options_.topics) {
    const auto info = coordinator_.stream()->topic(topic);
    if (!info) return failure(info);
    const std::int32_t partitions = *info ? (*info)->partitions : 0;
    for (std::int32_t number = 0; number < partitions; ++number) {
      const auto bounds = ports::committed_bounds(*coordinator_.stream(), topic, number, deadline);
      if (!bounds) return failure(bounds);
      ends_[{topic, number}] = bounds->end;
    }
  }
  return {};
}

// Other members may hold some of the partitions: the database tells how far they are.
Result<bool> Loop::stands_at_end() {
  std::map<ports::TopicPartition, std::int64_t> elsewhere;
  for (const auto& [partition, end] : ends_) {
    if (!claims_.held().contains(partition)) {
      elsewhere[partition] = end;
      continue;
    }
    const auto reached = reader_->position(partition.topic, partition.partition);
    if (!reached) return failure(reached);
    if (*reached < end) return false;
  }
  if (elsewhere.empty()) return true;
  auto unit = coordinator_.begin();
  if (!unit) return failure(unit);
  for (const auto& [partition, end] : elsewhere) {
    const auto position = tables_.find(*unit, partition);
    if (!position) return failure(position);
    if (!*position && end > 0) return false;
    if (!*position) continue;
    if (auto checked = claims_.check(partition, **position); !checked) return failure(checked);
    if ((*position)->next_offset < end) return false;
  }
  return true;
}

Result<void> Loop::keep_house() {
  if (due(lag_at_, lag_interval)) {
    if (auto looked = look_at_lag(); !looked) return looked;
  }
  if (due(prune_at_, options_.prune_interval)) return prune();
  return {};
}

Result<void> Loop::look_at_lag() {
  std::int64_t lag = 0;
  std::vector<ports::Position> positions;
  for (const auto& [partition, position] : claims_.held()) {
    const auto bounds =
        coordinator_.stream()->bounds(partition.topic, partition.partition, ports::Isolation::read_committed);
    if (!bounds) return failure(bounds);
    lag += std::max<std::int64_t>(0, bounds->end - position.next_offset);
    positions.push_back({partition.topic, partition.partition, position.next_offset});
  }
  lag_ = lag;
  return member_->report(positions);
}

// An entry may go when its record did: nobody can read that one again. A copy that the producer makes later is another record,
// which the entry of the first one would have stopped until then.
Result<void> Loop::prune() {
  int units = 0;
  for (const auto& [partition, position] : claims_.held()) {
    const auto bounds =
        coordinator_.stream()->bounds(partition.topic, partition.partition, ports::Isolation::read_uncommitted);
    if (!bounds) return failure(bounds);
    std::int64_t& pruned = pruned_[partition];
    bool more = bounds->begin > pruned;
    while (more && units++ < prune_units_max && !patience_.stopped()) {
      auto unit = coordinator_.begin();
      if (!unit) return failure(unit);
      const auto deleted = tables_.prune(*unit, partition, bounds->begin);
      if (!deleted) return failure(deleted);
      if (const Outcome outcome = unit->commit(); !outcome.is_committed()) return failure(*outcome.error());
      more = *deleted > 0;
    }
    if (!more) pruned = std::max(pruned, bounds->begin);
  }
  return {};
}

}  // namespace write_aside::consumer
