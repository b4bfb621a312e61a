// The middle of a pipeline: takes {"id":…,"amount":…} from one topic, keeps it in a table, and publishes it to another one
// with the amount doubled, all in one unit of work.
//
//   transform DATABASE STREAM NAME INSTANCE FROM TO [until-end]
//
// INSTANCE may be empty. Ends with status 0 at the end, or after SIGTERM; with 4 when a store is away for long.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "stores.hpp"
#include "write_aside/consumer.hpp"

namespace {

using namespace write_aside;
using namespace std::chrono_literals;
using Json = nlohmann::json;

std::atomic<bool> ended = false;

int fail(const Error& error) {
  std::fprintf(stderr, "transform: %s\n", error.message.c_str());
  return 4;
}

Result<void> transform(UnitOfWork& unit, std::span<const ReceivedEvent> events, const std::string& to, bool numbered) {
  const std::string sql = numbered ? "insert into handled values ($1, $2)" : "insert into handled values (?, ?)";
  for (const ReceivedEvent& event : events) {
    const Json value = Json::parse(*event.value);
    const auto id = value.at("id").get<std::int64_t>();
    const auto amount = value.at("amount").get<std::int64_t>();
    auto kept = unit.execute(sql, {id, amount});
    if (!kept) return failure(kept);
    const std::string doubled = Json{{"id", id}, {"amount", 2 * amount}}.dump();
    if (auto told = unit.publish({.topic = to, .key = event.key, .type = "doubled", .value = doubled}); !told)
      return told;
  }
  return {};
}

int run(const std::vector<std::string>& words) {
  const auto dialect = cli::dialect_of(words[1]);
  const auto database = cli::open_database(words[1], cli::Missing::refuse);
  if (!database) return fail(database.error());
  const auto stream = cli::open_stream(words[2], cli::Missing::refuse);
  if (!stream) return fail(stream.error());
  const auto coordinator =
      Coordinator::open(*database, *stream, {.source = words[3], .lanes_max = 1, .strict_order = true});
  if (!coordinator) return fail(coordinator.error());
  const auto consumer = Consumer::open(**coordinator, {.name = words[3],
                                                       .topics = {words[5]},
                                                       .instance = words[4],
                                                       .batch_max = 50,
                                                       .store_patience = 20s,
                                                       .session_timeout = 6s});
  if (!consumer) return fail(consumer.error());
  std::jthread watch([&](const std::stop_token& done) {
    while (!done.stop_requested() && !ended) std::this_thread::sleep_for(20ms);
    if (ended) (*consumer)->stop();
  });
  const auto handler = [&](UnitOfWork& unit, std::span<const ReceivedEvent> events) {
    return transform(unit, events, words[6], dialect->numbered_placeholders);
  };
  const auto done = words.size() > 7 ? (*consumer)->run_to_end(handler) : (*consumer)->run(handler);
  if (!done) return fail(done.error());
  if (const auto flushed = (*coordinator)->flush(20s); !flushed) return fail(flushed.error());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return 2;
  std::signal(SIGTERM, [](int) { ended = true; });
  return run({argv, argv + argc});
}
