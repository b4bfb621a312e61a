// Commits of the embedded pair (SQLite + local stream), one unit a transaction, beside the same rows written with nothing
// published. One unit = UPDATE + INSERT + one event of 200 bytes. The variants take turns in every round, each on files
// of its own in the same folder; the ratio is taken within a round, since a machine's speed drifts.
//
//   bench_embedded_units [FOLDER] [UNITS] [ROUNDS] [THREADS]
#include <sqlite3.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "safe_settings.hpp"
#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/sqlite.hpp"
#include "write_aside/coordinator.hpp"

namespace {

using namespace write_aside;
using Clock = std::chrono::steady_clock;

constexpr int accounts = 1000;

struct Sample {
  double units_per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double cpu_ms_per_1000 = 0;
};

void must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "bench: %s failed\n", what);
  std::exit(1);
}

class Variant {
 public:
  explicit Variant(std::string label) : name(std::move(label)) {}
  virtual ~Variant() = default;
  virtual void unit(int thread, int i) = 0;
  const std::string name;
};

void create_tables(sqlite3* handle) {
  must(sqlite3_exec(handle,
                    "create table account(id integer primary key, balance integer not null);"
                    "create table entry(id integer primary key, account integer, amount integer);"
                    "with recursive n(i) as (select 0 union all select i+1 from n where i < 999)"
                    " insert into account select i, 0 from n;",
                    nullptr, nullptr, nullptr) == SQLITE_OK,
       "create tables");
}

class RowsOnly final : public Variant {
 public:
  RowsOnly(const std::string& path, int threads) : Variant("rows only") {
    for (int i = 0; i < threads; ++i) {
      sqlite3* handle = nullptr;
      must(sqlite3_open(path.c_str(), &handle) == SQLITE_OK, "open");
      must(sqlite3_exec(handle, "pragma journal_mode=wal; pragma synchronous=full;", nullptr, nullptr, nullptr) ==
               SQLITE_OK,
           "pragma");
      sqlite3_busy_timeout(handle, 10'000);
      bench::refuse_unsafe(handle, path.c_str());
      if (i == 0) create_tables(handle);
      auto& statements = statements_.emplace_back();
      for (const char* sql : {"begin immediate", "update account set balance = balance + 1 where id = ?",
                              "insert into entry(account, amount) values (?, 1)", "commit"}) {
        sqlite3_stmt* statement = nullptr;
        must(sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr) == SQLITE_OK, "prepare");
        statements.push_back(statement);
      }
    }
  }
  void unit(int thread, int i) override {
    for (sqlite3_stmt* statement : statements_[static_cast<std::size_t>(thread)]) {
      if (sqlite3_bind_parameter_count(statement) == 1) sqlite3_bind_int(statement, 1, i % accounts);
      must(sqlite3_step(statement) == SQLITE_DONE, "step");
      sqlite3_reset(statement);
    }
  }

 private:
  std::vector<std::vector<sqlite3_stmt*>> statements_;
};

class Published final : public Variant {
 public:
  Published(std::string label, const std::string& path, Guarantee guarantee) : Variant(std::move(label)) {
    {
      sqlite3* handle = nullptr;
      must(sqlite3_open(path.c_str(), &handle) == SQLITE_OK, "open");
      create_tables(handle);
      sqlite3_close(handle);
    }
    auto database = sqlite::open(path).value();
    auto stream = local_stream::open(path + ".events").value();
    initialise(*database, *stream, 8).value();
    (void)stream->create_topic({.name = "entries", .partitions = 8}, Clock::now() + std::chrono::seconds(10)).value();
    CoordinatorOptions options;
    options.guarantee = guarantee;
    coordinator_ = Coordinator::open(database, stream, options).value();
  }
  void unit(int, int i) override {
    const Outcome outcome = coordinator_->run([&](UnitOfWork& unit) -> Result<void> {
      if (auto done = unit.execute("update account set balance = balance + 1 where id = ?", {i % accounts}); !done)
        return failure(done);
      if (auto done = unit.execute("insert into entry(account, amount) values (?, 1)", {i % accounts}); !done)
        return failure(done);
      return unit.publish(
          {.topic = "entries", .key = std::to_string(i % accounts), .type = "entry.made", .value = value_});
    });
    if (outcome.is_committed()) return;
    std::fprintf(stderr, "bench: %s\n", outcome.error()->message.c_str());
    std::exit(1);
  }

 private:
  std::unique_ptr<Coordinator> coordinator_;
  const std::string value_ = "{\"text\":\"" + std::string(188, 'x') + "\"}";
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

Sample run(Variant& variant, int units, int threads) {
  std::vector<std::vector<double>> latencies(static_cast<std::size_t>(threads));
  const auto begun = Clock::now();
  const double cpu = cpu_seconds();
  std::vector<std::thread> pool;
  for (int thread = 0; thread < threads; ++thread) {
    pool.emplace_back([&, thread] {
      for (int i = 0; i < units / threads; ++i) {
        const auto before = Clock::now();
        variant.unit(thread, i);
        latencies[static_cast<std::size_t>(thread)].push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - before).count());
      }
    });
  }
  for (std::thread& thread : pool) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  std::vector<double> all;
  for (const auto& part : latencies) all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end());
  return {static_cast<double>(all.size()) / seconds, all[all.size() / 2], all[all.size() * 99 / 100],
          (cpu_seconds() - cpu) * 1e6 / static_cast<double>(all.size())};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder =
      bench::own_folder(argc, argv, "bench_embedded_units [FOLDER [UNITS [ROUNDS [THREADS]]]]");
  const int units = argc > 2 ? std::atoi(argv[2]) : 2000;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 7;
  const int threads = argc > 4 ? std::atoi(argv[4]) : 1;
  bench::print_machine();
  std::printf("journal_mode=WAL, synchronous=FULL on both files; %d units a round, %d rounds, %d threads\n", units,
              rounds, threads);

  std::vector<std::unique_ptr<Variant>> variants;
  variants.push_back(std::make_unique<RowsOnly>(folder / "rows.db", threads));
  variants.push_back(std::make_unique<Published>("at_least_once", folder / "alo.db", Guarantee::at_least_once));
  variants.push_back(std::make_unique<Published>("transactional", folder / "tx.db", Guarantee::transactional));
  variants.push_back(std::make_unique<Published>("exactly_once", folder / "eo.db", Guarantee::exactly_once));

  std::vector<std::vector<Sample>> samples(variants.size());
  for (int round = -1; round < rounds; ++round) {  // the first warms up
    for (std::size_t v = 0; v < variants.size(); ++v) {
      const Sample sample = run(*variants[v], units, threads);
      if (round >= 0) samples[v].push_back(sample);
    }
  }
  std::printf("%-16s %10s %12s %9s %9s %14s\n", "variant", "units/s", "/ rows only", "p50 ms", "p99 ms", "cpu ms/1000");
  for (std::size_t v = 0; v < variants.size(); ++v) {
    std::vector<double> rate, ratio, p50, p99, cpu;
    for (std::size_t r = 0; r < samples[v].size(); ++r) {
      rate.push_back(samples[v][r].units_per_second);
      ratio.push_back(samples[v][r].units_per_second / samples[0][r].units_per_second);
      p50.push_back(samples[v][r].p50_ms);
      p99.push_back(samples[v][r].p99_ms);
      cpu.push_back(samples[v][r].cpu_ms_per_1000);
    }
    std::printf("%-16s %10.0f %12.2f %9.3f %9.3f %14.1f\n", variants[v]->name.c_str(), median(rate), median(ratio),
                median(p50), median(p99), median(cpu));
  }
}
