// `recover`: takes over lanes without a live owner, one after the other, settles and releases them.
#include <algorithm>

#include "coordination/core.hpp"
#include "coordination/takeover.hpp"
#include "coordination/takeover_rules.hpp"

namespace write_aside {

namespace {

using coordination::Core;
using coordination::TimePoint;

constexpr std::chrono::milliseconds look_again{50};
// What an owner can have undelivered is a few batches; this only bounds a damaged journal.
constexpr std::size_t undelivered_rows_max = 10'000'000;

// One lane on its way to rest.
class LaneRecovery {
 public:
  LaneRecovery(const std::shared_ptr<ports::Database>& database, const std::shared_ptr<ports::EventStream>& stream,
               const CoordinatorOptions& options, ports::Runtime& runtime, TimePoint deadline)
      : database_(database), stream_(stream), options_(options), runtime_(runtime), deadline_(deadline) {}

  [[nodiscard]] Result<Recovery::Lane> run(const ports::LaneSummary& first) {
    Recovery::Lane result{.lane = first.row.lane, .settled = false, .delivered = 0, .note = {}};
    const TimePoint begun = runtime_.now();
    std::optional<ports::LaneSummary> summary = first;
    std::optional<BatchId> found;
    for (bool last_look = false;;) {
      const ports::LaneRow& row = summary->row;
      if (!row.halted.empty()) {
        result.delivered = 0;
        result.note = "halted: " + row.halted + "; see `write-aside resolve`";
        return result;
      }
      result.settled = row.owner.empty() && summary->undelivered == 0;
      if (result.settled) return result;
      if (last_look) break;
      if (coordination::may_take(row, options_.lease, coordination::owner_is_dead(runtime_, row))) {
        if (auto taken = take_and_settle(row.lane, result.note); !taken) return failure(taken);
        result.delivered = summary->undelivered;
      } else {
        // A fresh heartbeat proves no life on another host: only one that goes on for longer than the lease does.
        const bool alive = is_alive_here(row) || runtime_.now() - begun > options_.lease + look_again;
        if (!found) {
          const auto last = last_undelivered(*summary);
          if (!last) return failure(last);
          found = *last;
        }
        const auto settled = alive ? is_settled_by_its_owner(*summary, *found) : Result<bool>(false);
        if (!settled) return failure(settled);
        result.settled = *settled;
        if (result.settled) return result;
        result.note = "owned by " + row.owner_process;
      }
      last_look = runtime_.now() >= deadline_;
      if (!last_look) wait();
      auto next = find(row.lane);
      if (!next) return failure(next);
      if (!*next) break;
      summary = std::move(*next);
    }
    result.delivered = 0;
    return result;
  }

 private:
  [[nodiscard]] bool is_alive_here(const ports::LaneRow& row) const {
    const auto process = ports::parse_process_identity(row.owner_process);
    const ports::ProcessIdentity self = runtime_.process();
    return process && process->host == self.host && process->boot == self.boot && !runtime_.is_dead(*process);
  }

  // The last batch that is to deliver something of the lane.
  [[nodiscard]] Result<BatchId> last_undelivered(const ports::LaneSummary& summary) const {
    if (summary.undelivered == 0) return BatchId{};
    auto transaction = database_->own_transaction(deadline_);
    if (!transaction) return failure(transaction);
    const auto rows = (*transaction)->undelivered_below(summary.row.lane, summary.row.epoch + 1, undelivered_rows_max);
    if (!rows) return failure(rows);
    BatchId last;
    for (const ports::JournalRow& row : *rows) last = std::max(last, row.label());
    return last;
  }

  // What a live owner commits after the first look is its own business: it may never be at rest. What was undelivered
  // then, up to the batch `found`, is not: a caller who goes on with the input of a stopped process would overtake it.
  [[nodiscard]] Result<bool> is_settled_by_its_owner(const ports::LaneSummary& summary, const BatchId& found) const {
    const ports::LaneRow& row = summary.row;
    const auto older = database_->has_undelivered_below(row.lane, row.epoch);
    if (!older) return failure(older);
    if (*older) return false;
    // T5: what an owner adopted is in its first batch.
    const BatchId due = row.epoch > found.epoch ? BatchId{row.epoch, 1} : found;
    return summary.undelivered == 0 || (row.settled && *row.settled >= due);
  }

  [[nodiscard]] Result<void> take_and_settle(LaneNumber lane, std::string& note) {
    auto core = Core::open(database_, stream_, options_, {lane});
    if (!core) return failure(core);
    const auto ready = (*core)->await_lane(std::min(deadline_, (*core)->context().after(options_.open_timeout)));
    note = ready ? "" : ready.error().message;
    if (ready) (void)(*core)->drain(deadline_);
    return {};  // closing it settles and releases
  }

  [[nodiscard]] Result<std::optional<ports::LaneSummary>> find(LaneNumber lane) const {
    auto lanes = database_->lanes();
    if (!lanes) return failure(lanes);
    for (ports::LaneSummary& summary : *lanes) {
      if (summary.row.lane == lane) return std::move(summary);
    }
    return std::nullopt;
  }

  void wait() {
    const auto mutex = runtime_.mutex();
    const auto never = runtime_.condition();
    std::unique_lock lock(*mutex);
    never->wait_until(lock, runtime_.now() + look_again);
  }

  const std::shared_ptr<ports::Database>& database_;
  const std::shared_ptr<ports::EventStream>& stream_;
  const CoordinatorOptions& options_;
  ports::Runtime& runtime_;
  const TimePoint deadline_;
};

}  // namespace

Result<Recovery> recover(const std::shared_ptr<ports::Database>& database,
                         const std::shared_ptr<ports::EventStream>& stream, CoordinatorOptions options,
                         const std::vector<LaneNumber>& only, std::chrono::milliseconds timeout) {
  ports::Runtime& runtime = options.runtime != nullptr ? *options.runtime : ports::system_runtime();
  options.guarantee = Guarantee::exactly_once;
  options.lanes_max = 1;
  const TimePoint deadline = runtime.now() + timeout;
  auto lanes = database->lanes();
  if (!lanes) return failure(lanes);

  Recovery recovery;
  for (const ports::LaneSummary& summary : *lanes) {
    if (!only.empty() && std::find(only.begin(), only.end(), summary.row.lane) == only.end()) continue;
    auto recovered = LaneRecovery(database, stream, options, runtime, deadline).run(summary);
    if (!recovered) return failure(recovered);
    recovery.lanes.push_back(std::move(*recovered));
  }
  return recovery;
}

}  // namespace write_aside
