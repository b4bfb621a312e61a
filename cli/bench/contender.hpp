// A variant, opened: runs its units of work through the library.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "bench/options.hpp"
#include "bench/outbox_relay.hpp"
#include "bench/workload.hpp"
#include "settings.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli::bench {

// When a unit began, when commit() was called, and when it returned.
struct Timing {
  std::chrono::steady_clock::time_point begun;
  std::chrono::steady_clock::time_point commit;
  std::chrono::steady_clock::time_point returned;
};

// Safe from many threads.
class Contender {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Contender>> open(Variant variant, const Options& options,
                                                               const Stores& stores, const Settings& settings,
                                                               const Workload& workload);

  // No retries: what aborts is counted as that.
  [[nodiscard]] Outcome run_unit(std::uint64_t account, std::string event_id, Timing& timing);
  [[nodiscard]] bool publishes() const { return variant_ != Variant::rows_only; }
  // Waits until everything committed is in the stream, or until `deadline`.
  void settle(std::chrono::steady_clock::time_point deadline);
  // The failure of something that works beside the units.
  [[nodiscard]] std::optional<Error> error();

 private:
  Contender(Variant variant, const Workload& workload) : variant_(variant), workload_(workload) {}
  [[nodiscard]] Result<void> write(UnitOfWork& unit, std::uint64_t account, std::string event_id) const;

  const Variant variant_;
  const Workload& workload_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<OutboxRelay> relay_;
};

}  // namespace write_aside::cli::bench
