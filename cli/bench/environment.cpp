#include "bench/environment.hpp"

#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "bench/workload.hpp"

namespace write_aside::cli::bench {
namespace {

std::string processor() {
  constexpr int lines_max = 100;
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  for (int count = 0; count < lines_max && std::getline(file, line); ++count) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string text_of(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? *text : "";
}

// Up to the first bracket or comma: "PostgreSQL 15.4 (Debian …) on …" says more than a table wants.
std::string short_version(const std::string& version) {
  std::string text = version.substr(0, version.find_first_of("(,"));
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

Result<void> examine_postgresql(ports::Database& database, Environment& environment) {
  const auto version = run_sql(database, "select version()");
  if (!version) return failure(version);
  environment.database += ", " + short_version(text_of(version->rows.at(0).at(0)));
  // A unit may not name synchronous_commit: that is how it would be switched off.
  const auto rows = run_sql(database,
                            "select name, setting from pg_settings where name in ('fsync', 'full_page_writes') or "
                            "name like 'synchronous%commit' order by name");
  if (!rows) return failure(rows);
  std::map<std::string, std::string> settings;
  for (const auto& row : rows->rows) settings[text_of(row.at(0))] = text_of(row.at(1));
  for (const auto& [name, value] : settings) {
    environment.durability += fmt::format("{}{}={}", environment.durability.empty() ? "" : ", ", name, value);
  }
  environment.unsafe = unsafe_of_postgresql(settings);
  return {};
}

// The adapter itself sets what durability needs, and refuses what it cannot set.
Result<void> examine_sqlite(ports::Database& database, Environment& environment) {
  const auto version = run_sql(database, "select sqlite_version()");
  if (!version) return failure(version);
  environment.database += ", SQLite " + text_of(version->rows.at(0).at(0));
  environment.durability = "journal_mode=WAL, synchronous=FULL";
  return {};
}

}  // namespace

std::string unsafe_of_postgresql(const std::map<std::string, std::string>& settings) {
  std::string unsafe;
  for (const auto& [name, value] : settings) {
    const bool safe = value == "on" || (name == "synchronous_commit" && value.starts_with("remote_"));
    if (!safe) unsafe += fmt::format("{}{}={}", unsafe.empty() ? "" : ", ", name, value);
  }
  return unsafe;
}

Result<Environment> examine(const Settings& settings, const Stores& stores) {
  Environment environment;
  environment.machine = fmt::format("{} x {}", std::thread::hardware_concurrency(), processor());
  environment.database = stores.database->name();
  environment.stream = stores.stream->name();
  auto examined = Result<void>();
  if (settings.database.starts_with("postgres")) examined = examine_postgresql(*stores.database, environment);
  if (settings.database.starts_with("sqlite")) examined = examine_sqlite(*stores.database, environment);
  if (!examined) return failure(examined);
  if (environment.durability.empty()) environment.unsafe = environment.durability = "durability unknown";
  return environment;
}

}  // namespace write_aside::cli::bench
