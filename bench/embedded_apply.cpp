// `write-aside apply --batch 100` on the embedded pair, beside a plain SQLite loop over the same parsed input (the same
// parser, prepared statements, a transaction for every 100 lines, nothing published). The two take turns; each round is
// on new files. The program's time is that of the whole process.
//
//   bench_embedded_apply [FOLDER] [UNITS] [ROUNDS]
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "input/apply_translator.hpp"
#include "job/planned_unit.hpp"
#include "safe_settings.hpp"
#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/sqlite.hpp"

namespace {

using namespace write_aside;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr int batch = 100;

void must(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "bench: %s failed\n", what.c_str());
  std::exit(1);
}

// "small": UPDATE + INSERT + one event of 200 bytes. "large": three statements and two events.
void write_input(const fs::path& path, int units, bool large) {
  std::ofstream out(path);
  const std::string pad(170, 'x');
  for (int i = 0; i < units; ++i) {
    const std::string id = std::to_string(i);
    const std::string key = std::to_string(i % 1000);
    std::string event = R"j({"topic":"entries","key":")j" + key;
    event += R"j(","type":"entry.made","value":{"id":)j" + id;
    event += R"j(,"pad":")j" + pad + R"j("}})j";
    out << R"j({"statements":[{"sql":"update account set balance = balance + ? where id = ?","params":[1,)j" << key
        << R"j(]},{"sql":"insert into entry values (?, ?, ?)","params":[)j" << id << ',' << key << R"j(,"text"]})j";
    if (large) out << R"j(,{"sql":"insert into log values (?, ?)","params":[)j" << id << R"j(,"more"]})j";
    out << R"j(],"events":[)j" << event << (large ? ',' + event : "") << R"j(],"ordering_key":")j" << key << "\"}\n";
  }
}

sqlite3* open_file(const fs::path& path) {
  sqlite3* handle = nullptr;
  must(sqlite3_open(path.c_str(), &handle) == SQLITE_OK, "open");
  must(sqlite3_exec(handle,
                    "pragma journal_mode=wal; pragma synchronous=full;"
                    "create table account(id integer primary key, balance integer not null);"
                    "create table entry(id integer primary key, account integer, text text);"
                    "create table log(id integer primary key, text text);"
                    "with recursive n(i) as (select 0 union all select i+1 from n where i < 999)"
                    " insert into account select i, 0 from n;",
                    nullptr, nullptr, nullptr) == SQLITE_OK,
       "create tables");
  bench::refuse_unsafe(handle, path.c_str());
  return handle;
}

void bind(sqlite3_stmt* statement, int at, const Parameter& parameter) {
  if (const auto* number = std::get_if<std::int64_t>(&parameter.storage())) {
    sqlite3_bind_int64(statement, at, *number);
  } else {
    const auto text = std::get<std::string_view>(parameter.storage());
    sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
}

double plain_loop(const fs::path& folder, const fs::path& input) {
  sqlite3* handle = open_file(folder / "plain.db");
  std::unordered_map<std::string, sqlite3_stmt*> prepared;
  const auto run = [&](std::string_view sql, std::span<const Parameter> parameters) {
    sqlite3_stmt*& statement = prepared[std::string(sql)];
    if (statement == nullptr) {
      must(sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) == SQLITE_OK,
           "prepare");
    }
    int at = 0;
    for (const Parameter& parameter : parameters) bind(statement, ++at, parameter);
    must(sqlite3_step(statement) == SQLITE_DONE, "step");
    sqlite3_reset(statement);
  };
  const auto begun = Clock::now();
  std::ifstream in(input);
  cli::ApplyTranslator translator;
  cli::Arena arena;
  std::string line;
  for (int count = 0; std::getline(in, line); ++count) {
    if (count % batch == 0) {
      if (count > 0) run("commit", {});
      run("begin immediate", {});
      arena.clear();
    }
    cli::PlannedUnit unit;
    line.reserve(line.size() + 64);  // the parser's padding
    translator.translate(line, arena, unit);
    must(!unit.refusal, "parse");
    for (const cli::PlannedStatement& statement : unit.statements) run(statement.sql, statement.parameters);
  }
  run("commit", {});
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  for (const auto& [sql, statement] : prepared) sqlite3_finalize(statement);
  sqlite3_close(handle);
  return seconds;
}

double apply(const fs::path& folder, const fs::path& input) {
  const std::string database = "sqlite:" + (folder / "shop.db").string();
  const std::string stream = "local:" + (folder / "shop.events").string();
  sqlite3_close(open_file(folder / "shop.db"));
  {
    auto opened = sqlite::open(folder / "shop.db").value();
    auto events = local_stream::open(folder / "shop.events").value();
    initialise(*opened, *events, 8).value();
    (void)events->create_topic({.name = "entries", .partitions = 8}, Clock::now() + std::chrono::seconds(10)).value();
  }
  const auto begun = Clock::now();
  const pid_t child = fork();
  if (child == 0) {
    execl(WRITE_ASIDE_PROGRAM, "write-aside", "apply", "--database", database.c_str(), "--stream", stream.c_str(),
          "--batch", "100", "--quiet", input.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  must(status == 0, "write-aside apply");
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path folder = bench::own_folder(argc, argv, "bench_embedded_apply [FOLDER [UNITS [ROUNDS]]]");
  const int units = argc > 2 ? std::atoi(argv[2]) : 200'000;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 5;
  bench::print_machine();
  std::printf("journal_mode=WAL, synchronous=FULL on both files; %d units, %d a transaction, %d rounds\n", units, batch,
              rounds);
  std::printf("%-34s %14s %14s %8s\n", "unit", "plain units/s", "apply units/s", "ratio");
  for (const bool large : {false, true}) {
    std::vector<double> plain, applied, ratio;
    for (int round = -1; round < rounds; ++round) {  // the first warms up
      fs::remove_all(folder);
      fs::create_directories(folder);
      write_input(folder / "input.jsonl", units, large);
      const double plain_seconds = plain_loop(folder, folder / "input.jsonl");
      const double apply_seconds = apply(folder, folder / "input.jsonl");
      if (round < 0) continue;
      plain.push_back(units / plain_seconds);
      applied.push_back(units / apply_seconds);
      ratio.push_back(plain_seconds / apply_seconds);
    }
    std::printf("%-34s %14.0f %14.0f %8.2f\n",
                large ? "3 statements, 2 events of 200 bytes" : "2 statements, 1 event of 200 bytes", median(plain),
                median(applied), median(ratio));
  }
  fs::remove_all(folder);
}
