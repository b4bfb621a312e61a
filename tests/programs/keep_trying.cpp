// Units from several threads, one after the other whatever becomes of them, until its standard input ends.
//
//   keep_trying DATABASE STREAM TOPIC THREADS LEVEL LOG
//
// A unit inserts a row into `orders` and publishes a large event. LOG gets a line for each:
// `ORDER STATE MILLISECONDS MESSAGE`. LEVEL: exactly_once, transactional or at_least_once. A unit is never run again.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "stores.hpp"
#include "write_aside/coordinator.hpp"

namespace {

using namespace write_aside;
using Clock = std::chrono::steady_clock;
using State = Outcome::State;

constexpr std::size_t event_bytes = 100'000;
// While all is well there is a unit every so often, so that the stores do not fill up.
constexpr std::chrono::milliseconds pause_after_commit{200};
constexpr std::chrono::milliseconds pause_after_failure{20};

std::atomic<std::int64_t> last_order = 0;
std::atomic<bool> stopped = false;

Outcome attempt(Coordinator& coordinator, const std::string& topic, std::int64_t order) {
  auto unit = coordinator.begin();
  if (!unit) return Outcome::aborted(unit.error());
  if (auto stored = unit->execute("INSERT INTO orders VALUES ($1, 'new')", {order}); !stored) {
    return Outcome::aborted(stored.error());
  }
  Event event{.topic = topic, .key = std::to_string(order), .type = "order.created"};
  event.value = '"' + std::string(event_bytes, 'x') + '"';
  if (auto published = unit->publish(std::move(event)); !published) return Outcome::aborted(published.error());
  return unit->commit();
}

std::string_view name_of(State state) {
  switch (state) {
    case State::committed:
      return "committed";
    case State::aborted:
      return "aborted";
    case State::in_doubt:
      break;
  }
  return "in_doubt";
}

void keep_trying(Coordinator& coordinator, const std::string& topic, int log) {
  while (!stopped) {
    const std::int64_t order = ++last_order;
    const auto began = Clock::now();
    const Outcome outcome = attempt(coordinator, topic, order);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    const std::string line = fmt::format("{} {} {} {}\n", order, name_of(outcome.state()), took.count(),
                                         outcome.error() ? outcome.error()->message : "-");
    if (::write(log, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::perror("LOG");
    std::this_thread::sleep_for(outcome.is_committed() ? pause_after_commit : pause_after_failure);
  }
}

int fail(const Error& error) {
  fmt::print(stderr, "keep_trying: {}\n", error.message);
  return 4;
}

int run(const std::vector<std::string>& words) {
  const auto database = cli::open_database(words[0], cli::Missing::refuse);
  if (!database) return fail(database.error());
  const auto stream = cli::open_stream(words[1], cli::Missing::refuse);
  if (!stream) return fail(stream.error());
  CoordinatorOptions options;
  if (words[4] == "transactional") options.guarantee = Guarantee::transactional;
  if (words[4] == "at_least_once") options.guarantee = Guarantee::at_least_once;
  const auto coordinator = Coordinator::open(*database, *stream, options);
  if (!coordinator) return fail(coordinator.error());
  const int log = ::open(words[5].c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  std::vector<std::thread> threads;
  for (std::size_t count = std::stoul(words[3]); count > 0; --count) {
    threads.emplace_back([&] { keep_trying(**coordinator, words[2], log); });
  }
  while (std::getchar() != EOF) {
  }
  stopped = true;
  for (std::thread& thread : threads) thread.join();
  ::close(log);
  const auto flushed = (*coordinator)->flush(options.visible_timeout);
  return flushed ? 0 : fail(flushed.error());
}

}  // namespace

int main(int count, char** words) {
  if (count != 7) {
    fmt::print(stderr, "usage: keep_trying DATABASE STREAM TOPIC THREADS LEVEL LOG\n");
    return 2;
  }
  try {
    return run({words + 1, words + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "keep_trying: {}\n", error.what());
    return 1;
  }
}
