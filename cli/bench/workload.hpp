// The bench's own tables and topic, and its unit of work.
//
// The tables are named write_aside_bench_…; destroying the Workload removes them. The topic stays: a stream may not be
// able to remove one.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "settings.hpp"
#include "write_aside/unit_of_work.hpp"

namespace write_aside::cli::bench {

// For one step of the bench's own; a store that takes longer ends it.
inline constexpr std::chrono::seconds patience{30};
[[nodiscard]] inline ports::Deadline soon() { return std::chrono::steady_clock::now() + patience; }

inline constexpr const char* topic = "write-aside-bench";
inline constexpr const char* outbox_table = "write_aside_bench_outbox";

// Names a unit, and its event, within a window: the `count`-th of a worker.
struct UnitName {
  std::uint32_t worker = 0;
  std::uint64_t count = 0;
};

class Workload {
 public:
  // Makes tables and topic; tables that an interrupted bench left are made anew.
  [[nodiscard]] static Result<std::unique_ptr<Workload>> make(const Stores& stores, const Dialect& dialect);
  ~Workload();
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  [[nodiscard]] Result<void> remove();

  // One account's balance is raised, one movement inserted.
  [[nodiscard]] Result<void> write_rows(UnitOfWork& unit, std::uint64_t account) const;
  // The event about it: 200 bytes of value, as every variant sends it.
  [[nodiscard]] Event event(std::uint64_t account, std::string id) const;
  // The event as a row.
  [[nodiscard]] Result<void> write_outbox(UnitOfWork& unit, const Event& event) const;

  static constexpr std::uint64_t accounts = 10'000;  // so many that 64 threads seldom meet on one

 private:
  Workload(std::shared_ptr<ports::Database> database, const Dialect& dialect);
  [[nodiscard]] Result<void> make_tables();

  std::shared_ptr<ports::Database> database_;
  std::string update_;
  std::string insert_;
  std::string insert_outbox_;
  std::string value_;
  bool made_ = false;
};

// Runs one statement in a transaction of its own.
[[nodiscard]] Result<Rows> run_sql(ports::Database& database, const std::string& sql);

}  // namespace write_aside::cli::bench
