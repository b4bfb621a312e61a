#include "job/worker_position.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "job/text_fields.hpp"

namespace write_aside::cli {

std::uint32_t worker_of(const PlannedUnit& unit, std::uint32_t workers) {
  if (workers == 1) return 0;
  // What is known of a refused unit may change with the version that refuses it.
  if (unit.ordering_key.empty() || unit.refusal) return static_cast<std::uint32_t>(unit.line % workers);
  const std::uint64_t sum = sum_with(Mark{}.sum, unit.ordering_key);
  // The low bits of the sum alone depend on the low bits of the characters alone.
  return static_cast<std::uint32_t>((sum ^ sum >> 32) % workers);
}

std::string to_text(const Plan& plan) {
  return fmt::format("v1 plan={} run={:016x} {}", plan.workers, plan.run, to_text(plan.start).substr(3));
}

std::string to_text(const WorkerPosition& position) {
  return fmt::format("v1 worker={} run={:016x} units={} own={} line={} sum={:016x} rejected={} lanes={}",
                     position.worker, position.run, position.units, position.own, position.line, position.sum,
                     position.rejected, fmt::join(position.lanes, ","));
}

std::optional<Plan> parse_plan(std::string_view text) {
  Plan plan;
  TextFields fields(text);
  if (!fields.word("v1") || !fields.number("plan", plan.workers) || !fields.number("run", plan.run, 16))
    return std::nullopt;
  auto start = parse_position("v1 " + std::string(fields.rest()));
  if (!start || plan.workers == 0 || plan.workers > workers_max) return std::nullopt;
  plan.start = *std::move(start);
  return plan;
}

std::optional<WorkerPosition> parse_worker_position(std::string_view text) {
  WorkerPosition position;
  TextFields fields(text);
  const bool complete = fields.word("v1") && fields.number("worker", position.worker) &&
                        fields.number("run", position.run, 16) && fields.number("units", position.units) &&
                        fields.number("own", position.own) && fields.number("line", position.line) &&
                        fields.number("sum", position.sum, 16) && fields.number("rejected", position.rejected) &&
                        fields.numbers("lanes", position.lanes);
  if (!complete || !fields.empty()) return std::nullopt;
  return position;
}

std::string worker_source(std::string_view source, std::uint32_t worker) {
  return fmt::format("{}#{}", source, worker);
}

}  // namespace write_aside::cli
