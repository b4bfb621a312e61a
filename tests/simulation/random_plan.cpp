#include "simulation/random_plan.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = support::Fault::Kind;
using std::chrono::milliseconds;
using support::Fault;
using support::Randomness;

constexpr std::uint64_t large_run_every = 200;

// Where most of what can go wrong goes wrong.
constexpr const char* critical_steps[] = {
    "session.commit",      "session.commit",       "session.commit", "session.receive_journal",
    "producer.end",        "producer.end",         "producer.end",   "producer.initialise",
    "producer.produce",    "producer.delivered",   "own.commit",     "own.commit",
    "own.adopt_all",       "own.insert_tombstone", "own.adopt",      "own.undelivered_labelled",
    "own.deliver_covered", "own.lock_lane",        "own.write_lane", "reader.poll",
    "database.end_session"};

Fault random_fault(Randomness& random) {
  switch (random.below(12)) {
    case 0:
      return {.kind = Kind::crash_before};
    case 1:
      return {.kind = Kind::crash_after};
    case 2:
      return {.kind = Kind::crash_after, .delay = milliseconds(random.below(6000))};
    case 3:
      return {.kind = Kind::fail};
    case 4:
      return {.kind = Kind::fail, .error = {.code = ErrorCode::constraint, .effect = Effect::no, .message = "refused"}};
    case 5:
      return {.kind = Kind::lose_reply};
    case 6:
    case 7:
      return {.kind = Kind::lose_reply, .delay = milliseconds(random.below(6000))};
    case 8:
      return {.kind = Kind::late_reply, .delay = milliseconds(random.below(8000))};
    case 9:
      return {.kind = Kind::late_reply, .delay = milliseconds(random.below(200))};
    default:
      return {.kind = Kind::delay, .delay = milliseconds(random.below(8000))};
  }
}

}  // namespace

Shape shape_of(std::uint64_t seed) {
  Randomness random(seed * 0x2545f4914f6cdd1du);
  const auto from = [&random](int least, int most) {
    return least +
           static_cast<int>(random.below(static_cast<std::uint64_t>(most) - static_cast<std::uint64_t>(least) + 1));
  };
  Shape shape;
  if (seed % large_run_every == 0) {
    shape = {
        .processes = from(3, 5), .incarnations = from(3, 4), .threads = from(2, 4), .units_of_a_thread = from(6, 10)};
    shape.faults_max = 8;
  } else {
    shape = {
        .processes = from(1, 3), .incarnations = from(1, 2), .threads = from(1, 3), .units_of_a_thread = from(1, 4)};
  }
  shape.lanes = static_cast<std::uint32_t>(from(1, 3));
  const milliseconds marker_delays[] = {0ms, 0ms, 5ms, 1000ms};
  shape.marker_delay = one_of(random, marker_delays);
  const milliseconds reader_lags[] = {0ms, 10ms, 500ms};
  shape.reader_lag = one_of(random, reader_lags);
  shape.is_slow = random.below(3) == 0;
  shape.ends_at_once = random.below(2) == 0;
  CoordinatorOptions& options = shape.options;
  options.strict_order = random.below(2) == 0;
  const milliseconds leases[] = {3000ms, 3000ms, 500ms};
  options.lease = one_of(random, leases);
  const milliseconds transaction_timeouts[] = {60'000ms, 8000ms, 2000ms};
  options.transaction_timeout = one_of(random, transaction_timeouts);
  const milliseconds publish_timeouts[] = {10'000ms, 1000ms};
  options.publish_timeout = one_of(random, publish_timeouts);
  const milliseconds doubt_timeouts[] = {10'000ms, 500ms};
  options.doubt_timeout = one_of(random, doubt_timeouts);
  const milliseconds janitor_intervals[] = {100ms, 100ms, 1000ms};
  options.janitor_interval = one_of(random, janitor_intervals);
  const milliseconds sweep_intervals[] = {1000ms, 200ms};
  options.sweep_interval = one_of(random, sweep_intervals);
  const std::uint32_t members[] = {1000, 1000, 2, 1};
  options.batch_members_max = one_of(random, members);
  if (random.below(8) == 0) options.journal_retention = 2s;
  shape.holds_back = random.below(3) == 0;
  return shape;
}

void plan_faults(support::FaultyProcess& process, const Shape& shape, Randomness& random) {
  const auto units = static_cast<std::uint64_t>(shape.threads) * static_cast<std::uint64_t>(shape.units_of_a_thread);
  for (std::uint64_t fault = random.below(shape.faults_max + 1); fault > 0; --fault) {
    process.plan(random.below(30 + 14 * units), random_fault(random));
  }
  for (std::uint64_t fault = random.below(shape.faults_max); fault > 0; --fault) {
    process.plan_next(one_of(random, critical_steps), random_fault(random), random.below(2 + units / 2));
  }
  // A COMMIT that lands when its process is dead and its lane taken.
  if (random.below(3) == 0) {
    const Fault late{.kind = random.below(4) == 0 ? Kind::lose_reply : Kind::crash_after,
                     .delay = milliseconds(50 + random.below(4000))};
    process.plan_next("session.commit", late, random.below(1 + units));
  }
}

}  // namespace write_aside::simulation
