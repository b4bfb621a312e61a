#include "simulation/embedded_pair.hpp"

#include <sqlite3.h>
#include <stdlib.h>

#include <memory>
#include <stdexcept>

#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/sqlite.hpp"

namespace write_aside::simulation {

namespace {

namespace fs = std::filesystem;

using Handle = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

Handle open_file(const fs::path& file) {
  sqlite3* handle = nullptr;
  if (sqlite3_open(file.c_str(), &handle) != SQLITE_OK) throw std::runtime_error("cannot open " + file.string());
  return {handle, sqlite3_close};
}

// By default memory instead of a disk, where there is one: what is tested here is order, not durability.
fs::path make_folder() {
  const char* const chosen = std::getenv("WRITE_ASIDE_CRASH_FOLDER");
  const fs::path parent = chosen != nullptr              ? fs::path(chosen)
                          : fs::is_directory("/dev/shm") ? fs::path("/dev/shm")
                                                         : fs::temp_directory_path();
  std::string name = (parent / "write-aside-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder in " + parent.string());
  return name;
}

// The files as `init` leaves them, made once for each number of lanes.
const fs::path& initial_files(std::uint32_t lanes) {
  static std::map<std::uint32_t, fs::path> made;
  fs::path& folder = made[lanes];
  if (!folder.empty()) return folder;
  folder = make_folder();
  {
    const auto database = sqlite::open(folder / "db").value();
    const auto stream = local_stream::open(folder / "events").value();
    initialise(*database, *stream, lanes).value();
    (void)stream
        ->create_topic({.name = "t", .partitions = 2}, std::chrono::steady_clock::now() + std::chrono::seconds(5))
        .value();
  }
  const Handle handle = open_file(folder / "db");
  if (sqlite3_exec(handle.get(), "create table r(id integer primary key)", nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(handle.get()));
  }
  static struct Removal {
    ~Removal() {
      std::error_code ignored;
      for (const auto& [count, path] : made) fs::remove_all(path, ignored);
    }
  } at_exit;
  return folder;
}

}  // namespace

EmbeddedPair::EmbeddedPair(std::uint32_t lanes) : folder_(make_folder()) {
  for (const auto& file : fs::directory_iterator(initial_files(lanes))) {
    fs::copy_file(file.path(), folder_ / file.path().filename());
  }
}

EmbeddedPair::~EmbeddedPair() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::shared_ptr<ports::Database> EmbeddedPair::database(SimulatedProcess&) {
  return sqlite::open(folder_ / "db", {.busy_timeout = std::chrono::milliseconds(0)}).value();
}

std::shared_ptr<ports::EventStream> EmbeddedPair::stream(SimulatedProcess&) {
  return local_stream::open(folder_ / "events", {.busy_timeout = std::chrono::milliseconds(0)}).value();
}

Result<void> EmbeddedPair::write_row(UnitOfWork& unit, int id) {
  auto written = unit.execute("insert into r values (?)", {id});
  if (!written) return failure(written);
  return {};
}

std::set<int> EmbeddedPair::rows() {
  const std::vector<int> read_rows = read(folder_ / "db", "select id from r");
  return {read_rows.begin(), read_rows.end()};
}

std::vector<int> EmbeddedPair::events() {
  return read(folder_ / "events",
              "select cast(value as integer) from committed_records where topic = 't' order by partition, offset");
}

std::vector<int> EmbeddedPair::read(const fs::path& file, const std::string& sql) const {
  const Handle handle = open_file(file);
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(handle.get(), sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sqlite3_errmsg(handle.get()));
  }
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(raw, sqlite3_finalize);
  std::vector<int> result;
  while (sqlite3_step(statement.get()) == SQLITE_ROW) result.push_back(sqlite3_column_int(statement.get(), 0));
  return result;
}

}  // namespace write_aside::simulation
