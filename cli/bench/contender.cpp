#include "bench/contender.hpp"

#include <utility>

#include "open_coordinator.hpp"

namespace write_aside::cli::bench {
namespace {

using Clock = std::chrono::steady_clock;

// The rows of the outbox and of rows_only are units without events: plain transactions at every level.
Guarantee guarantee_of(Variant variant) {
  switch (variant) {
    case Variant::exactly_once:
      return Guarantee::exactly_once;
    case Variant::naive:
      return Guarantee::transactional;
    case Variant::rows_only:
    case Variant::at_least_once:
    case Variant::outbox:
      break;
  }
  return Guarantee::at_least_once;
}

}  // namespace

Result<std::unique_ptr<Contender>> Contender::open(Variant variant, const Options& options, const Stores& stores,
                                                   const Settings& settings, const Workload& workload) {
  CoordinatorOptions coordinator;
  coordinator.guarantee = guarantee_of(variant);
  coordinator.source = topic;
  coordinator.ledger_topic = settings.ledger_topic;
  if (options.lanes) coordinator.lanes_max = *options.lanes;
  // The servers still work off the last window; a lane that takes long is no reason to lose what was measured so far.
  coordinator.open_timeout = std::chrono::seconds(60);

  std::unique_ptr<Contender> contender(new Contender(variant, workload));
  auto opened = open_coordinator(stores, coordinator);
  if (!opened) return failure(opened);
  contender->coordinator_ = *std::move(opened);
  if (variant == Variant::outbox) {
    auto relay = OutboxRelay::start(stores, options.outbox_pause);
    if (!relay) return failure(relay);
    contender->relay_ = *std::move(relay);
  }
  return contender;
}

Result<void> Contender::write(UnitOfWork& unit, std::uint64_t account, std::string event_id) const {
  if (auto written = workload_.write_rows(unit, account); !written) return written;
  if (variant_ == Variant::rows_only) return {};
  Event event = workload_.event(account, std::move(event_id));
  return variant_ == Variant::outbox ? workload_.write_outbox(unit, event) : unit.publish(std::move(event));
}

Outcome Contender::run_unit(std::uint64_t account, std::string event_id, Timing& timing) {
  timing.begun = Clock::now();
  auto unit = coordinator_->begin();
  if (!unit) return Outcome::aborted(unit.error());
  if (auto written = write(*unit, account, std::move(event_id)); !written) return Outcome::aborted(written.error());
  timing.commit = Clock::now();
  Outcome outcome = unit->commit();
  timing.returned = Clock::now();
  return outcome;
}

void Contender::settle(Clock::time_point deadline) {
  if (relay_) return relay_->await_empty(deadline);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  (void)coordinator_->flush(left);  // what is not there yet shows as not seen
}

std::optional<Error> Contender::error() { return relay_ ? relay_->error() : std::nullopt; }

}  // namespace write_aside::cli::bench
