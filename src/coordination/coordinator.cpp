#include "write_aside/coordinator.hpp"

#include <algorithm>

#include "coordination/core.hpp"
#include "coordination/resolver.hpp"
#include "coordination/unit.hpp"

namespace write_aside {

namespace {

using coordination::Core;
using coordination::TimePoint;

// Capped, jittered: the n-th pause is up to 2^n ms, at most 200 ms.
std::chrono::milliseconds backoff(ports::Runtime& runtime, std::uint32_t attempt) {
  const std::uint64_t cap = std::min<std::uint64_t>(1ull << std::min(attempt, 10u), 200);
  return std::chrono::milliseconds(cap / 2 + runtime.random() % (cap / 2 + 1));
}

void pause(ports::Runtime& runtime, std::chrono::milliseconds span) {
  const auto mutex = runtime.mutex();
  const auto never = runtime.condition();
  std::unique_lock lock(*mutex);
  const TimePoint until = runtime.now() + span;
  while (runtime.now() < until) never->wait_until(lock, until);
}

}  // namespace

Coordinator::Coordinator(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Coordinator::~Coordinator() {
  // It is left to leak: its threads are not here to be waited for, and to close a connection would reach the parent's.
  if (core_ != nullptr && !core_->context().opened_in.is_this_one()) static_cast<void>(core_.release());
}

Result<std::unique_ptr<Coordinator>> Coordinator::open(std::shared_ptr<ports::Database> database,
                                                       std::shared_ptr<ports::EventStream> stream,
                                                       CoordinatorOptions options) {
  const auto patience = options.open_timeout;
  const bool exactly_once = options.guarantee == Guarantee::exactly_once;
  auto core = Core::open(std::move(database), std::move(stream), std::move(options));
  if (!core) return failure(core);
  if (exactly_once) {
    if (auto ready = (*core)->await_lane((*core)->context().after(patience)); !ready) return failure(ready);
  }
  return std::unique_ptr<Coordinator>(new Coordinator(std::move(*core)));
}

Result<void> Coordinator::check_process() const {
  const core::OpeningProcess& opened_in = core_->context().opened_in;
  if (!opened_in.is_this_one()) return failure(opened_in.forked_error("the coordinator"));
  return {};
}

Result<UnitOfWork> Coordinator::begin(BeginOptions options) {
  if (auto ours = check_process(); !ours) return failure(ours);
  const auto& context = core_->context();
  if (context.options.guarantee == Guarantee::exactly_once) {
    // A unit that holds the database's write lock while no lane is there would keep the lane from being taken.
    if (auto ready = core_->await_lane(context.after(context.options.join_timeout)); !ready) return failure(ready);
  }
  auto session = context.database->session(context.after(context.options.session_timeout));
  if (!session) return failure(session);
  return begin(std::move(*session), options);
}

Result<UnitOfWork> Coordinator::begin(std::unique_ptr<ports::Session> session, BeginOptions options) {
  if (auto ours = check_process(); !ours) return failure(ours);
  // The journal row would go where nobody of ours looks for it.
  const std::string elsewhere = session->database_id();
  if (!elsewhere.empty() && elsewhere != core_->context().database_id) {
    return failure(Error{.code = ErrorCode::invalid_argument,
                         .side = Side::caller,
                         .effect = Effect::no,
                         .message = "the handle is connected to another database (id " + elsewhere +
                                    ") than the coordinator (id " + core_->context().database_id +
                                    "); open a coordinator on that one"});
  }
  auto unit = std::make_unique<coordination::Unit>(*core_, std::move(session), options);
  if (auto begun = unit->begin(); !begun) return failure(begun);
  return UnitOfWork(std::move(unit));
}

Outcome Coordinator::run(const std::function<Result<void>(UnitOfWork&)>& work, RunOptions options) {
  ports::Runtime& runtime = core_->context().runtime;
  const TimePoint deadline = core_->context().after(options.deadline);
  for (std::uint32_t attempt = 1;; ++attempt) {
    Outcome outcome = [&] {
      auto unit = begin({.ordering_key = options.ordering_key});
      if (!unit) return Outcome::aborted(unit.error());
      if (auto done = work(*unit); !done) return Outcome::aborted(done.error());
      return unit->commit(options.wait);
    }();
    const bool again =
        outcome.state() == Outcome::State::aborted && outcome.error()->retriable && attempt < options.attempt_count_max;
    if (!again) return outcome;
    const auto rest = backoff(runtime, attempt);
    if (runtime.now() + rest >= deadline) return outcome;
    pause(runtime, rest);
  }
}

Outcome Coordinator::resolve(const UnitId& unit) {
  if (auto ours = check_process(); !ours) return Outcome::in_doubt(unit, ours.error());
  const auto& context = core_->context();
  const TimePoint deadline = context.after(context.options.doubt_timeout);
  for (std::uint32_t attempt = 1;; ++attempt) {
    auto resolution = coordination::resolve_unit(*context.database, unit, {}, deadline);
    switch (resolution.verdict) {
      case coordination::Resolution::Verdict::committed:
        return Outcome::committed(unit);
      case coordination::Resolution::Verdict::aborted:
        return Outcome::aborted({.code = ErrorCode::conflict,
                                 .side = Side::coordinator,
                                 .effect = Effect::no,
                                 .retriable = true,
                                 .message = "unit " + to_string(unit) + " did not commit and never will"});
      case coordination::Resolution::Verdict::unknown:
      case coordination::Resolution::Verdict::too_old:
        break;
    }
    const auto rest = backoff(context.runtime, attempt);
    if (!resolution.error->retriable || context.now() + rest >= deadline) {
      return Outcome::in_doubt(unit, std::move(*resolution.error));
    }
    pause(context.runtime, rest);
  }
}

Result<void> Coordinator::flush(std::chrono::milliseconds timeout) {
  if (auto ours = check_process(); !ours) return ours;
  if (core_->drain(core_->context().after(timeout))) return {};
  return failure(coordination::coordination_error(ErrorCode::timeout, Effect::unknown, true,
                                                  "some committed units are not visible yet; they will be"));
}

std::vector<LaneNumber> Coordinator::lanes() const {
  if (!check_process()) return {};
  return core_->lanes();
}

const std::string& Coordinator::source() const { return core_->source(); }

const std::shared_ptr<ports::Database>& Coordinator::database() const { return core_->context().database; }
const std::shared_ptr<ports::EventStream>& Coordinator::stream() const { return core_->context().stream; }
ports::Runtime& Coordinator::runtime() const { return core_->context().runtime; }
const CoordinatorOptions& Coordinator::options() const { return core_->context().options; }

Result<ports::Schema> initialise(ports::Database& database, ports::EventStream& stream, std::uint32_t lanes,
                                 const std::string& ledger_topic) {
  auto schema = database.create_schema(lanes);
  if (!schema) return schema;
  const std::string name = ledger_topic.empty() ? "write-aside-ledger." + schema->database_id : ledger_topic;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto partitions = static_cast<std::int32_t>(schema->lanes);
  if (auto made = stream.create_topic({.name = name, .partitions = partitions, .compacted = true}, deadline); !made) {
    return failure(made);
  }
  const auto topic = stream.topic(name);
  if (!topic) return failure(topic);
  if (!*topic) {
    return failure(Error{.code = ErrorCode::not_initialised,
                         .side = Side::stream,
                         .effect = Effect::yes,
                         .retriable = true,
                         .message = "ledger topic '" + name + "' was made, but " + stream.name() +
                                    " does not know it yet; run it again"});
  }
  if ((*topic)->partitions < partitions) {
    return failure(Error{.code = ErrorCode::not_initialised,
                         .side = Side::stream,
                         .effect = Effect::no,
                         .message = "ledger topic '" + name + "' has too few partitions for " +
                                    std::to_string(partitions) + " lanes; add partitions to it, one for each lane"});
  }
  return schema;
}

}  // namespace write_aside
