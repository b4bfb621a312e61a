// Rows and events that commit together: an order is paid, and everybody hears of it exactly once.
#include <cstdio>

#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/sqlite.hpp"
#include "write_aside/coordinator.hpp"

using namespace write_aside;

namespace {

// What `write-aside init` and a shop's own set-up do once: tables, topics, and an order to pay.
bool make_shop() {
  auto database = sqlite::open("shop.db").value();
  auto stream = local_stream::open("shop.events").value();
  initialise(*database, *stream, 4).value();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  stream->create_topic({.name = "orders", .partitions = 2}, deadline).value();

  auto coordinator = Coordinator::open(database, stream, {}).value();
  const Outcome outcome = coordinator->run([](UnitOfWork& unit) -> Result<void> {
    auto made = unit.execute("create table if not exists orders (id integer primary key, state text)");
    if (!made) return failure(made);
    auto placed = unit.execute("insert or replace into orders values (17, 'new')");
    if (!placed) return failure(placed);
    return {};
  });
  return outcome.is_committed();
}

int report(const Outcome& outcome) {
  switch (outcome.state()) {
    case Outcome::State::committed:
      return 0;
    case Outcome::State::aborted:
      std::printf("nothing happened: %s\n", outcome.error()->message.c_str());
      return 1;
    case Outcome::State::in_doubt:
      std::printf("ask again later: %s\n", outcome.error()->message.c_str());
      return 3;
  }
  return 1;
}

}  // namespace

int main() {
  if (!make_shop()) return 1;

  // [readme]
  auto database = sqlite::open("shop.db").value();
  auto stream = local_stream::open("shop.events").value();
  auto coordinator = Coordinator::open(database, stream, {}).value();

  const Outcome outcome = coordinator->run([](UnitOfWork& unit) -> Result<void> {
    auto paid = unit.execute("update orders set state = 'paid' where id = ?", {17});
    if (!paid) return failure(paid);
    return unit.publish({.topic = "orders", .key = "17", .type = "order.paid", .value = R"({"id":17})"});
  });
  if (!outcome.is_committed()) return report(outcome);  // aborted: nothing happened; in_doubt: ask again later
  // [readme]
  std::puts("paid and published");
}
