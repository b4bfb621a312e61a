// Two services in a row, each with a database of its own: `billing` takes orders, writes invoices and publishes each of
// them, all in one unit of work; `accounting` takes the invoices. No order is billed twice or forgotten, and no invoice is
// booked that billing does not have.
#include <cstdio>

#include "shop.hpp"

using namespace write_aside;

namespace {

Result<void> bill(UnitOfWork& unit, std::span<const ReceivedEvent> events) {
  for (const ReceivedEvent& event : events) {
    const std::int64_t amount = std::stoll(*event.value) * 119 / 100;
    auto billed = unit.execute("insert into invoices values ($1, $2)", {*event.key, amount});
    if (!billed) return failure(billed);
    auto told = unit.publish({.topic = shop::topic("invoices"),
                              .key = event.key,
                              .type = "invoice.written",
                              .value = std::to_string(amount)});
    if (!told) return told;
  }
  return {};
}

Result<void> book(UnitOfWork& unit, std::span<const ReceivedEvent> events) {
  for (const ReceivedEvent& event : events) {
    auto booked =
        unit.execute("insert into bookings values ($1, $2)", {*event.key, std::int64_t{std::stoll(*event.value)}});
    if (!booked) return failure(booked);
  }
  return {};
}

bool consume(Coordinator& service, const std::string& name, const std::string& topic,
             const Consumer::Handler& handler) {
  const auto consumer = Consumer::open(service, {.name = shop::topic(name), .topics = {shop::topic(topic)}});
  const auto done = consumer.value()->run_to_end(handler);
  if (!done) std::fprintf(stderr, "%s: %s\n", name.c_str(), done.error().message.c_str());
  return done.has_value();
}

}  // namespace

int main() {
  const std::vector<std::string> topics{shop::topic("purchases"), shop::topic("invoices")};
  const auto billing = shop::open_service("billing", topics);
  const auto accounting = shop::open_service("accounting", topics);
  if (!shop::run(*billing, "create table invoices (purchase text primary key, amount bigint)")) return 1;
  if (!shop::run(*accounting, "create table bookings (purchase text primary key, amount bigint)")) return 1;

  const auto order = [](UnitOfWork& unit) -> Result<void> {
    for (int number = 1; number <= 100; ++number) {
      auto told = unit.publish({.topic = shop::topic("purchases"),
                                .key = std::to_string(number),
                                .type = "purchase.made",
                                .value = std::to_string(100 * number)});
      if (!told) return told;
    }
    return {};
  };
  if (!billing->run(order, {.wait = Wait::visible}).is_committed()) return 1;

  if (!consume(*billing, "billing", "purchases", bill)) return 1;
  if (!billing->flush(std::chrono::seconds(10))) return 1;  // its last invoices are decided, and now visible
  if (!consume(*accounting, "accounting", "invoices", book)) return 1;

  const std::string sum = "select cast(sum(amount) as bigint) from ";
  const auto billed = shop::number(*billing, sum + "invoices");
  const auto booked = shop::number(*accounting, sum + "bookings");
  std::printf("billed %lld, booked %lld\n", static_cast<long long>(billed), static_cast<long long>(booked));
  return billed == std::int64_t{119} * 5050 && booked == billed ? 0 : 1;
}
