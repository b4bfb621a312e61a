// A read model: how much each customer has ordered, kept from events. Replayed from the beginning, it counts nothing twice.
#include <cstdio>

#include "shop.hpp"

using namespace write_aside;

namespace {

Result<void> place(UnitOfWork& unit, const std::string& customer, int amount) {
  return unit.publish(
      {.topic = shop::topic("orders"), .key = customer, .type = "order.placed", .value = std::to_string(amount)});
}

// One transaction: the totals, the entries of these events in the inbox, and the position behind them.
Result<void> count(UnitOfWork& unit, std::span<const ReceivedEvent> events) {
  for (const ReceivedEvent& event : events) {
    auto counted = unit.execute(
        "insert into totals(customer, amount) values ($1, $2) "
        "on conflict (customer) do update set amount = totals.amount + excluded.amount",
        {*event.key, std::int64_t{std::stoi(*event.value)}});
    if (!counted) return failure(counted);
  }
  return {};
}

}  // namespace

int main() {
  const auto service = shop::open_service("totals", {shop::topic("orders")});
  if (!shop::run(*service, "create table totals (customer text primary key, amount integer not null)")) return 1;
  for (const int amount : {10, 20, 30}) {
    const auto work = [amount](UnitOfWork& unit) { return place(unit, amount == 20 ? "ann" : "bob", amount); };
    if (!service->run(work, {.wait = Wait::visible}).is_committed()) return 1;
  }

  const auto consumer = Consumer::open(*service, {.name = shop::topic("totals"), .topics = {shop::topic("orders")}});
  // A service would call run(), which goes on until stop().
  if (const auto done = (*consumer)->run_to_end(count); !done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return 1;
  }
  std::printf("bob ordered for %lld, ann for %lld\n",
              static_cast<long long>(shop::number(*service, "select amount from totals where customer = 'bob'")),
              static_cast<long long>(shop::number(*service, "select amount from totals where customer = 'ann'")));

  // Somebody sets the position back to the beginning: all three events come again, and none counts.
  if (!shop::run(*service, "update write_aside_position set next_offset = 0")) return 1;
  if (!(*consumer)->run_to_end(count)) return 1;
  return shop::number(*service, "select cast(sum(amount) as bigint) from totals") == 60 ? 0 : 1;
}
