// Writes two orders and reads their events back, read_committed: nothing of a unit that did not commit is ever seen.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/sqlite.hpp"
#include "write_aside/coordinator.hpp"

using namespace write_aside;
using namespace std::chrono_literals;

namespace {

Result<void> place(UnitOfWork& unit, int order) {
  auto stored = unit.execute("insert into orders values (?, 'new')", {order});
  if (!stored) return failure(stored);
  const std::string id = std::to_string(order);
  return unit.publish({.topic = "orders", .key = id, .type = "order.placed", .value = "{\"id\":" + id + "}"});
}

std::string_view header(const ports::StoredRecord& record, std::string_view name) {
  for (const Header& one : record.headers) {
    if (one.name == name) return one.value;
  }
  return "-";
}

Result<std::vector<ports::StoredRecord>> read_topic(ports::EventStream& stream, const std::string& topic) {
  const auto info = stream.topic(topic);
  if (!info) return failure(info);
  if (!*info) return std::vector<ports::StoredRecord>{};
  std::vector<ports::ReadFrom> partitions;
  for (std::int32_t number = 0; number < (*info)->partitions; ++number) {
    partitions.push_back({topic, number, ports::offset_beginning});
  }
  auto reader = stream.reader(partitions, ports::Isolation::read_committed);
  if (!reader) return failure(reader);
  return (*reader)->poll(1'000, std::chrono::steady_clock::now() + 5s);
}

}  // namespace

int main() {
  auto database = sqlite::open("shop.db").value();
  auto stream = local_stream::open("shop.events").value();
  initialise(*database, *stream, 4).value();
  stream->create_topic({.name = "orders", .partitions = 2}, std::chrono::steady_clock::now() + 10s).value();
  auto coordinator = Coordinator::open(database, stream, {.source = "shop"}).value();

  const auto make_table = [](UnitOfWork& unit) -> Result<void> {
    auto made = unit.execute("create table orders (id integer primary key, state text)");
    if (!made) return failure(made);
    return {};
  };
  if (!coordinator->run(make_table).is_committed()) return 1;
  for (const int order : {1, 2}) {
    const auto work = [order](UnitOfWork& unit) { return place(unit, order); };
    if (!coordinator->run(work, {.wait = Wait::visible}).is_committed()) return 1;
  }
  // Refused by the primary key: neither a row nor an event.
  if (coordinator->run([](UnitOfWork& unit) { return place(unit, 2); }).is_committed()) return 1;

  const auto records = read_topic(*stream, "orders").value();
  for (const ports::StoredRecord& record : records) {
    std::printf("%s %s %s\n", std::string(header(record, "ce_type")).c_str(), record.key->c_str(),
                record.value->c_str());
  }
  return records.size() == 2 ? 0 : 1;
}
