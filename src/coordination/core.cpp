#include "coordination/core.hpp"

#include <algorithm>

#include "coordination/takeover.hpp"
#include "coordination/takeover_rules.hpp"

namespace write_aside::coordination {

namespace {

std::string hexadecimal(std::uint64_t bits) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (auto at = text.rbegin(); at != text.rend(); ++at, bits >>= 4) *at = digits[bits & 0xF];
  return text;
}

Error ledger_missing(const std::string& topic, const std::string& stream) {
  return {.code = ErrorCode::not_initialised,
          .side = Side::stream,
          .effect = Effect::no,
          .message = "ledger topic '" + topic + "' is missing in " + stream + "; run `write-aside init`"};
}

std::string joined(const std::vector<std::string>& warnings) {
  std::string text;
  for (const std::string& warning : warnings) text += (text.empty() ? " (" : "; ") + warning;
  return text.empty() ? text : text + ')';
}

Result<void> check_ledger(Context& context, std::uint32_t lanes) {
  auto ledger = context.stream->topic(context.ledger_topic);
  if (!ledger) return failure(ledger);
  if (!*ledger) return failure(ledger_missing(context.ledger_topic, context.stream->name()));
  const bool fits = (*ledger)->compacted && (*ledger)->partitions >= static_cast<std::int32_t>(lanes);
  if (!fits) {
    return failure(
        Error{.code = ErrorCode::not_initialised,
              .side = Side::stream,
              .effect = Effect::no,
              .message = "ledger topic '" + context.ledger_topic + "' has " + std::to_string((*ledger)->partitions) +
                         " partitions" + ((*ledger)->compacted ? "" : " and is not compacted") + "; it needs " +
                         std::to_string(lanes) + ", compacted: run `write-aside init` or name another topic" +
                         joined((*ledger)->warnings)});
  }
  context.ledger_id = (*ledger)->id;
  for (const std::string& warning : (*ledger)->warnings) {
    context.notice(
        {.kind = Notice::Kind::store_warning, .text = "ledger topic '" + context.ledger_topic + "': " + warning});
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Core>> Core::open(std::shared_ptr<ports::Database> database,
                                         std::shared_ptr<ports::EventStream> stream, CoordinatorOptions options,
                                         std::vector<LaneNumber> only) {
  ports::Runtime& runtime = options.runtime != nullptr ? *options.runtime : ports::system_runtime();
  Context context{std::move(database),         std::move(stream), runtime, std::move(options), {}, {}, {}, {},
                  to_string(runtime.process())};
  auto identity = context.stream->identity();
  if (!identity) return failure(identity);
  context.stream_id = *identity;

  if (context.options.guarantee == Guarantee::exactly_once) {
    const auto schema = context.database->schema();
    if (!schema) return failure(schema);
    context.database_id = schema->database_id;
    context.ledger_topic = context.options.ledger_topic.empty() ? "write-aside-ledger." + schema->database_id
                                                                : context.options.ledger_topic;
    if (auto checked = check_ledger(context, schema->lanes); !checked) return failure(checked);
  } else if (const auto schema = context.database->schema(); schema) {
    context.database_id = schema->database_id;
  }
  if (context.options.source.empty()) context.options.source = "write-aside/" + context.database_id;

  auto core = std::make_unique<Core>(std::move(context), std::move(only));
  if (core->context_.options.guarantee == Guarantee::exactly_once) {
    core->start_lanes();
  } else {
    auto publisher = DirectPublisher::open(core->context_);
    if (!publisher) return failure(publisher);
    core->direct_publisher_ = std::move(*publisher);
  }
  return core;
}

Core::Core(Context context, std::vector<LaneNumber> only)
    : context_(std::move(context)),
      only_(std::move(only)),
      lock_(context_.runtime.mutex()),
      changed_(context_.runtime.condition()),
      housework_(context_.runtime.condition()),
      event_id_prefix_(hexadecimal(context_.runtime.random())) {}

Core::~Core() {
  const TimePoint deadline = context_.after(context_.options.close_timeout);
  if (heir_) heir_->request_stop(deadline);
  for (const auto& driver : drivers_) driver->request_stop(deadline);
  // Housekeeping goes on while the lanes drain: their doubts and adoptions may need it.
  for (const auto& driver : drivers_) driver->join();
  if (heir_) heir_->join();
  {
    const Lock lock(*lock_);
    stopping_ = true;
    housework_->notify_all();
  }
  housekeeping_.reset();
  drivers_.clear();
}

void Core::start_lanes() {
  const std::uint32_t count = std::max<std::uint32_t>(1, context_.options.lanes_max);
  for (std::uint32_t i = 0; i < count; ++i) drivers_.push_back(std::make_unique<LaneDriver>(context_, *this));
  if (only_.empty()) heir_ = std::make_unique<Heir>(context_, *this);
  housekeeping_ = context_.runtime.start_thread("wa-house", [this] { run_housekeeping(); });
  for (std::uint32_t i = 0; i < count; ++i) drivers_[i]->start("wa-lane-" + std::to_string(i));
}

void Core::run_housekeeping() {
  for (;;) {
    TimePoint next = context_.after(std::chrono::seconds(1));
    for (const auto& driver : drivers_) next = std::min(next, driver->keep_house());
    if (heir_) next = std::min(next, heir_->keep_house(holds_all_lanes()));
    Lock lock(*lock_);
    if (stopping_) return;
    if (!housekeeping_wanted_) {
      housework_at_ = next;
      housework_->wait_until(lock, next);
      housework_at_ = TimePoint::min();
    }
    housekeeping_wanted_ = false;
    if (stopping_) return;
  }
}

Result<void> Core::check_topic(const std::string& topic) {
  {
    const Lock lock(*lock_);
    if (topics_.contains(topic)) return {};
  }
  const auto found = context_.stream->topic(topic);
  if (!found) return failure(found);
  if (!*found) {
    return failure(Error{.code = ErrorCode::unknown_topic,
                         .side = Side::stream,
                         .effect = Effect::no,
                         .message = "topic '" + topic + "' does not exist in " + context_.stream->name() +
                                    "; create it, for instance with `write-aside init --topic " + topic + ":1`"});
  }
  const Lock lock(*lock_);
  topics_.emplace(topic, true);
  return {};
}

std::string Core::next_event_id() { return event_id_prefix_ + '-' + std::to_string(++event_count_); }

std::int64_t Core::wall_clock_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(context_.runtime.wall_clock().time_since_epoch())
      .count();
}

Result<Core::Place> Core::join(const std::shared_ptr<const core::Publication>& publication,
                               std::string_view ordering_key, std::optional<LaneNumber> lane) {
  note_arrival();
  auto place = try_join(publication, ordering_key, lane);
  if (!place || place->member) return place;
  ++waiting_count_;
  place = wait_for_place(publication, ordering_key, lane);
  --waiting_count_;
  return place;
}

void Core::note_arrival() {
  const Lock lock(*lock_);
  arrivals_.note(context_.now());
  arrival_gap_ = arrivals_.gap();
}

Result<Core::Place> Core::wait_for_place(const std::shared_ptr<const core::Publication>& publication,
                                         std::string_view ordering_key, std::optional<LaneNumber> lane) {
  const TimePoint deadline = context_.after(context_.options.join_timeout);
  for (;;) {
    std::uint64_t seen = 0;
    {
      const Lock lock(*lock_);
      seen = change_count_;
    }
    auto place = try_join(publication, ordering_key, lane);
    if (!place || place->member) return place;
    Lock lock(*lock_);
    while (seen == change_count_) {
      if (context_.now() >= deadline) {
        lock.unlock();
        return failure(no_lane_error());
      }
      changed_->wait_until(lock, deadline);
    }
  }
}

Result<Core::Place> Core::try_join(const std::shared_ptr<const core::Publication>& publication,
                                   std::string_view ordering_key, std::optional<LaneNumber> lane) {
  const auto attempt = [&](LaneDriver& driver) -> Result<Place> {
    auto member = driver.try_join(publication, lane);
    if (!member) {
      Error error = member.error();
      // The lane is lost, or its producer was fenced by a request that came late: another attempt finds that mended.
      if (error.code == ErrorCode::fenced) error.retriable = true;
      return failure(std::move(error));
    }
    return Place{&driver, std::move(*member)};
  };
  if (lane) {
    const auto holder = std::find_if(drivers_.begin(), drivers_.end(),
                                     [&](const auto& driver) { return driver->lane_number() == lane; });
    return holder == drivers_.end() ? failure(lane_gone_error(*lane)) : attempt(**holder);
  }
  if (!ordering_key.empty()) {
    return attempt(*drivers_[std::hash<std::string_view>{}(ordering_key) % drivers_.size()]);
  }
  // An open batch first, so that batches grow; then the lane that rested longest (B1).
  for (const auto& driver : drivers_) {
    if (!driver->has_open_batch()) continue;
    auto place = attempt(*driver);
    if (!place || place->member) return place;
  }
  const std::size_t first = next_lane_.load();
  for (std::size_t i = 0; i < drivers_.size(); ++i) {
    const std::size_t at = (first + i) % drivers_.size();
    auto place = attempt(*drivers_[at]);
    if (place && place->member) next_lane_ = at + 1;
    if (!place || place->member) return place;
  }
  return Place{};
}

namespace {

// What hinders a lane may pass by itself, as when a broker starts again, whatever its error said about the call that it
// ended. The rest has to be mended by somebody first.
bool may_pass(const Error& error) {
  switch (error.code) {
    case ErrorCode::conflict:
    case ErrorCode::busy:
    case ErrorCode::timeout:
    case ErrorCode::unreachable:
    case ErrorCode::storage_full:
    case ErrorCode::io:
    case ErrorCode::fenced:
    case ErrorCode::unknown:
      return true;
    case ErrorCode::invalid_argument:
    case ErrorCode::unknown_topic:
    case ErrorCode::event_too_large:
    case ErrorCode::constraint:
    case ErrorCode::statement:
    case ErrorCode::not_authorised:
    case ErrorCode::read_only:
    case ErrorCode::corrupt:
    case ErrorCode::not_initialised:
    case ErrorCode::newer_version:
    case ErrorCode::lane_unavailable:
    case ErrorCode::halted:
    case ErrorCode::gone:
    case ErrorCode::transaction_ended:
    case ErrorCode::closed:
    case ErrorCode::internal:
      return error.retriable;
  }
  return false;
}

}  // namespace

Error Core::no_lane_error() {
  for (const auto& driver : drivers_) {
    const auto last = driver->last_error();
    if (!last) continue;
    // What hinders the lane is what the caller has to mend.
    Error error = *last;
    error.effect = Effect::no;
    error.retriable = may_pass(*last);
    error.message = "no lane can take units, nothing took effect: " + last->message;
    return error;
  }
  if (std::all_of(drivers_.begin(), drivers_.end(), [](const auto& driver) { return driver->waits_for_stream(); })) {
    Error error = coordination_error(
        ErrorCode::lane_unavailable, Effect::no, true,
        "every lane waited for " + context_.stream->name() +
            " for too long; nothing took effect, check that it answers, run the unit again, or raise join_timeout");
    error.side = Side::stream;
    return error;
  }
  return coordination_error(ErrorCode::lane_unavailable, Effect::no, true,
                            "every lane was busy for too long; nothing took effect, run the unit again, or raise "
                            "join_timeout");
}

Result<void> Core::await_lane(TimePoint deadline) {
  for (;;) {
    std::uint64_t seen = 0;
    {
      const Lock lock(*lock_);
      seen = change_count_;
    }
    if (std::any_of(drivers_.begin(), drivers_.end(), [](const auto& driver) { return driver->is_open(); })) return {};
    Lock lock(*lock_);
    while (seen == change_count_) {
      if (context_.now() >= deadline) {
        lock.unlock();
        return failure(no_lane_error());
      }
      changed_->wait_until(lock, deadline);
    }
  }
}

void Core::sleep_until_change(TimePoint deadline) {
  Lock lock(*lock_);
  changed_->wait_until(lock, deadline);
}

bool Core::drain(TimePoint deadline) {
  bool in_time = true;
  for (const auto& driver : drivers_) in_time = driver->drain(deadline) && in_time;
  return in_time;
}

std::vector<LaneNumber> Core::lanes() {
  std::vector<LaneNumber> result;
  for (const auto& driver : drivers_) {
    if (const auto lane = driver->lane_number()) result.push_back(*lane);
  }
  return result;
}

bool Core::holds_all_lanes() const {
  return std::all_of(drivers_.begin(), drivers_.end(), [](const auto& driver) { return driver->lane_number(); });
}

std::optional<LaneNumber> Core::claim_lane() {
  auto lanes = context_.database->lanes();
  if (!lanes) return std::nullopt;
  struct Candidate {
    int rank;
    std::uint64_t shuffle;
    LaneNumber lane;
  };
  std::vector<Candidate> candidates;
  for (const ports::LaneSummary& summary : *lanes) {
    const ports::LaneRow& row = summary.row;
    if (!only_.empty() && std::find(only_.begin(), only_.end(), row.lane) == only_.end()) continue;
    const bool own = row.owner_process == context_.process;  // perhaps a T1 of ours that was not answered
    if (!own && !may_take(row, context_.options.lease, owner_is_dead(context_.runtime, row))) continue;
    if (own && !row.halted.empty()) continue;
    // What dead owners left comes first, then what was released unsettled, then empty lanes.
    const int rank = !row.owner.empty() ? 0 : summary.undelivered > 0 ? 1 : 2;
    candidates.push_back({rank, context_.runtime.random(), row.lane});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::pair(a.rank, a.shuffle) < std::pair(b.rank, b.shuffle);
  });
  const Lock lock(*lock_);
  for (const Candidate& candidate : candidates) {
    if (claimed_.insert(candidate.lane).second) return candidate.lane;
  }
  return std::nullopt;
}

bool Core::claim(LaneNumber lane) {
  const Lock lock(*lock_);
  return claimed_.insert(lane).second;
}

void Core::unclaim_lane(LaneNumber lane) {
  const Lock lock(*lock_);
  claimed_.erase(lane);
}

Demand Core::demand(const LaneDriver& asking) {
  return {.arrival_gap = arrival_gap_, .units_wait = waiting_count_ > 0, .other_lane_free = other_lane_is_free(asking)};
}

bool Core::other_lane_is_free(const LaneDriver& asking) const {
  if (drivers_.size() == 1) return true;
  return std::any_of(drivers_.begin(), drivers_.end(),
                     [&asking](const auto& driver) { return driver.get() != &asking && driver->is_free(); });
}

void Core::lane_changed() {
  const Lock lock(*lock_);
  ++change_count_;
  changed_->notify_all();
}

void Core::wants_housekeeping() {
  const Lock lock(*lock_);
  // Under load every batch asks; the round that is due within the janitor's interval serves them all.
  if (housework_at_ != TimePoint::min() && housework_at_ <= context_.after(context_.options.janitor_interval)) return;
  housekeeping_wanted_ = true;
  housework_->notify_all();
}

}  // namespace write_aside::coordination
