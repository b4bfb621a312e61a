// A unit of work on a connection of your own: your code, or the library you use, runs the SQL; the unit publishes and
// commits. The handle comes back outside any transaction, ready for use.
#include <sqlite3.h>

#include <cstdio>
#include <memory>
#include <string>

#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/sqlite.hpp"
#include "write_aside/coordinator.hpp"

using namespace write_aside;

namespace {

struct Close {
  void operator()(sqlite3* handle) const { sqlite3_close(handle); }
};
using Handle = std::unique_ptr<sqlite3, Close>;

Handle connect(const char* path) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open(path, &raw);
  Handle handle(raw);
  if (code != SQLITE_OK) return nullptr;
  sqlite3_busy_timeout(raw, 10'000);
  return handle;
}

bool run(sqlite3* handle, const std::string& sql) {
  return sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
}

int count(sqlite3* handle, const char* table) {
  int rows = -1;
  const auto take = [](void* result, int, char** values, char**) {
    *static_cast<int*>(result) = std::stoi(values[0]);
    return 0;
  };
  sqlite3_exec(handle, ("select count(*) from " + std::string(table)).c_str(), take, &rows, nullptr);
  return rows;
}

// One line of an order. A line that the database refuses is left out, with its event; the order goes on.
Result<void> add_line(UnitOfWork& unit, sqlite3* handle, const std::string& sku) {
  if (auto opened = unit.savepoint(); !opened) return opened;
  auto published = unit.publish({.topic = "lines", .key = sku, .type = "line.added", .value = "\"" + sku + "\""});
  if (!published) return published;
  const bool stored = run(handle, "insert into lines values (17, '" + sku + "')");
  return stored ? unit.release_savepoint() : unit.rollback_to_savepoint();
}

Outcome order(Coordinator& coordinator, sqlite3* handle) {
  auto unit = coordinator.begin(handle);
  if (!unit) return Outcome::aborted(unit.error());
  for (const char* sku : {"apple", "pear", "apple"}) {
    if (auto added = add_line(*unit, handle, sku); !added) return Outcome::aborted(added.error());
  }
  return unit->commit(Wait::visible);
}

}  // namespace

int main() {
  const Handle handle = connect("shop.db");
  if (!handle || !run(handle.get(), "create table lines (id integer, sku text, primary key (id, sku))")) return 1;

  auto database = sqlite::open("shop.db").value();
  auto stream = local_stream::open("shop.events").value();
  initialise(*database, *stream, 4).value();
  stream->create_topic({.name = "lines"}, std::chrono::steady_clock::now() + std::chrono::seconds(10)).value();
  auto coordinator = Coordinator::open(database, stream, {}).value();

  const Outcome outcome = order(*coordinator, handle.get());
  if (!outcome.is_committed()) {
    std::printf("not committed: %s\n", outcome.error()->message.c_str());
    return 1;
  }
  const auto events = stream->bounds("lines", 0, ports::Isolation::read_committed).value();
  const int rows = count(handle.get(), "lines");
  std::printf("%d rows, %d events\n", rows, static_cast<int>(events.end - events.begin));
  const bool usable = sqlite3_get_autocommit(handle.get()) != 0 && run(handle.get(), "delete from lines");
  return rows == 2 && events.end - events.begin == 2 && usable ? 0 : 1;
}
