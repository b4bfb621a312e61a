// PostgreSQL and Kafka: an order on a connection of the library's, and its payment on a connection of your own.
//
// SHOP_DATABASE and SHOP_BROKERS say where they are. Set up once: `createdb shop`, `write-aside init --topic orders:2`;
// here the program does it itself.
#include <libpq-fe.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "write_aside/adapters/kafka.hpp"
#include "write_aside/adapters/postgresql.hpp"
#include "write_aside/coordinator.hpp"

using namespace write_aside;

namespace {

struct Close {
  void operator()(PGconn* handle) const { PQfinish(handle); }
};
using Handle = std::unique_ptr<PGconn, Close>;

std::string environment(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

// Your own code, or the library that you use: it knows nothing of write-aside.
bool run(PGconn* handle, const char* sql, const std::vector<const char*>& parameters = {}) {
  PGresult* const result =
      PQexecParams(handle, sql, static_cast<int>(parameters.size()), nullptr, parameters.data(), nullptr, nullptr, 0);
  const ExecStatusType status = PQresultStatus(result);
  PQclear(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

Result<void> place(UnitOfWork& unit, const std::string& order) {
  auto placed = unit.execute("insert into orders values ($1, 'new')", {order});
  if (!placed) return failure(placed);
  return unit.publish({.topic = "orders", .key = order, .type = "order.placed", .value = "{\"id\":" + order + "}"});
}

// The statements run on `handle`; the unit publishes, and commits both.
Outcome pay(Coordinator& coordinator, PGconn* handle, const std::string& order) {
  auto unit = coordinator.begin(handle);
  if (!unit) return Outcome::aborted(unit.error());
  if (!run(handle, "update orders set state = 'paid' where id = $1", {order.c_str()})) {
    return Outcome::aborted({.message = PQerrorMessage(handle)});  // the unit rolls back when it goes
  }
  auto told = unit->publish({.topic = "orders", .key = order, .type = "order.paid", .value = "{\"id\":" + order + "}"});
  if (!told) return Outcome::aborted(told.error());
  return unit->commit(Wait::visible);
}

int report(const Outcome& outcome) {
  std::fprintf(stderr, "%s: %s\n", outcome.state() == Outcome::State::in_doubt ? "ask again later" : "nothing happened",
               outcome.error()->message.c_str());
  return 1;
}

}  // namespace

int main() {
  const std::string url = environment("SHOP_DATABASE", "postgresql:///shop");
  auto database = postgresql::open(url).value();
  auto stream = kafka::open({{"bootstrap.servers", environment("SHOP_BROKERS", "127.0.0.1:9092")}}).value();
  initialise(*database, *stream, 4).value();
  stream->create_topic({.name = "orders", .partitions = 2}, std::chrono::steady_clock::now() + std::chrono::seconds(10))
      .value();
  auto coordinator = Coordinator::open(database, stream, {.source = environment("SHOP_SOURCE", "shop")}).value();

  const Handle handle(PQconnectdb(url.c_str()));
  if (!run(handle.get(), "create table if not exists orders (id text primary key, state text)")) return 1;

  const Outcome placed = coordinator->run([](UnitOfWork& unit) { return place(unit, "17"); });
  if (!placed.is_committed()) return report(placed);
  const Outcome paid = pay(*coordinator, handle.get(), "17");
  if (!paid.is_committed()) return report(paid);
  // The handle is yours again, outside any transaction.
  if (PQtransactionStatus(handle.get()) != PQTRANS_IDLE) return 1;
  std::puts("placed and paid, and everybody hears of both");
}
