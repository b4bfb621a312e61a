// A user of both embedded stores: one unit of work, committed.
#include <chrono>

#include <write_aside/adapters/local_stream.hpp>
#include <write_aside/adapters/sqlite.hpp>
#include <write_aside/coordinator.hpp>

int main() {
  auto database = write_aside::sqlite::open("consumer.db").value();
  auto stream = write_aside::local_stream::open("consumer.events").value();
  write_aside::initialise(*database, *stream, 1).value();
  stream->create_topic({.name = "orders"}, std::chrono::steady_clock::now() + std::chrono::seconds(10)).value();
  auto coordinator = write_aside::Coordinator::open(database, stream, {}).value();

  write_aside::Outcome outcome = coordinator->run([&](write_aside::UnitOfWork& unit) -> write_aside::Result<void> {
    if (auto created = unit.execute("create table orders (id integer)"); !created) return failure(created);
    return unit.publish({.topic = "orders", .key = "17", .type = "order.created", .value = "{}"});
  });
  return outcome.is_committed() ? 0 : 1;
}
