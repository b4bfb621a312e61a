// A consumer on a pair of stores: SQLite with a local stream, PostgreSQL with Kafka. The table `seen(id, value)` holds what
// was applied; its primary key is the event's own number, so that an event applied twice is refused.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "contract/postgresql_harness.hpp"
#include "support/kafka_server.hpp"
#include "write_aside/adapters/kafka.hpp"
#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/sqlite.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside::integration {

using namespace std::chrono_literals;

struct EmbeddedPair {
  EmbeddedPair() {
    std::string pattern = testing::TempDir() + "write-aside-XXXXXX";
    folder = mkdtemp(pattern.data());
    database = sqlite::open((folder / "shop.db").string()).value();
    stream = local_stream::open((folder / "shop.events").string()).value();
  }
  ~EmbeddedPair() { std::filesystem::remove_all(folder); }
  static std::string name(const std::string& text) { return text; }

  std::filesystem::path folder;
  std::shared_ptr<ports::Database> database;
  std::shared_ptr<ports::EventStream> stream;
};

struct ServerPair {
  ServerPair() : database(postgresql::open(server.url()).value()), stream(support::open_kafka()) {}
  [[nodiscard]] std::string name(const std::string& text) const { return names(text); }

  contract::PostgresqlDatabase server;
  support::UniqueNames names;
  std::shared_ptr<ports::Database> database;
  std::shared_ptr<ports::EventStream> stream;
};

// Runs a consumer on a thread of its own until it is stopped, or goes out of scope.
class Running {
 public:
  Running(Coordinator& coordinator, ConsumerOptions options, Consumer::Handler handler)
      : consumer_(Consumer::open(coordinator, std::move(options)).value()), handler_(std::move(handler)) {
    thread_ = std::thread([this] { result_ = consumer_->run(handler_); });
  }
  ~Running() { static_cast<void>(stop()); }
  Result<void> stop() {
    consumer_->stop();
    return join();
  }
  Result<void> join() {
    if (thread_.joinable()) thread_.join();
    return result_;
  }
  [[nodiscard]] ConsumerProgress progress() const { return consumer_->progress(); }

 private:
  std::unique_ptr<Consumer> consumer_;
  Consumer::Handler handler_;
  Result<void> result_;
  std::thread thread_;
};

template <class Pair>
class Consuming : public testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;

  void SetUp() override {
    initialise(*pair_.database, *pair_.stream, 4).value();
    for (const std::string& topic : {orders_, out_}) {
      ASSERT_TRUE(pair_.stream->create_topic({topic, 2}, Clock::now() + 10s).has_value());
    }
    coordinator_ = Coordinator::open(pair_.database, pair_.stream, {.source = pair_.name("shop")}).value();
    change("create table seen (id bigint primary key, value text not null check (value <> 'bad'))");
  }
  void TearDown() override { coordinator_.reset(); }

  Rows change(const std::string& sql) {
    Rows rows;
    const Outcome outcome = coordinator_->run([&](UnitOfWork& unit) -> Result<void> {
      auto done = unit.execute(sql);
      if (!done) return failure(done);
      rows = *std::move(done);
      return {};
    });
    EXPECT_TRUE(outcome.is_committed()) << sql << ": " << (outcome.error() ? outcome.error()->message : "");
    return rows;
  }
  // Of our own tables, which are named with the prefix.
  Rows change_own(const std::string& before, const std::string& table, const std::string& after) {
    return change(before + pair_.database->table_prefix().value() + table + after);
  }
  std::int64_t number(const std::string& sql) { return std::get<std::int64_t>(change(sql).rows.at(0).at(0)); }
  std::int64_t count_seen() { return number("select count(*) from seen"); }
  std::int64_t count_own(const std::string& table) {
    return std::get<std::int64_t>(change_own("select count(*) from ", table, "").rows.at(0).at(0));
  }

  static Event event(const std::string& topic, int number, const std::string& value = "good", std::string id = {}) {
    return {.topic = topic,
            .key = "key" + std::to_string(number % 10),
            .type = "t",
            .value = value + " " + std::to_string(number),
            .id = std::move(id)};
  }
  void publish(const std::vector<Event>& events) {
    const Outcome outcome = coordinator_->run(
        [&](UnitOfWork& unit) -> Result<void> {
          for (const Event& one : events) {
            if (auto published = unit.publish(one); !published) return published;
          }
          return {};
        },
        {.wait = Wait::visible});
    ASSERT_TRUE(outcome.is_committed()) << outcome.error()->message;
    await([this] { return ends_are_committed(); });
  }
  // Kafka answers the end of a stream transaction before its markers are in all partitions, and a reader that is told to
  // read to the end would stop in front of them.
  bool ends_are_committed() {
    for (const std::string& topic : {orders_, out_}) {
      for (const std::int32_t partition : {0, 1}) {
        const auto committed = pair_.stream->bounds(topic, partition, ports::Isolation::read_committed);
        const auto all = pair_.stream->bounds(topic, partition, ports::Isolation::read_uncommitted);
        if (!committed || !all || committed->end != all->end) return false;
      }
    }
    return true;
  }
  void publish_numbers(int first, int last) {
    std::vector<Event> events;
    for (int number = first; number <= last; ++number) events.push_back(event(orders_, number));
    publish(events);
  }

  [[nodiscard]] ConsumerOptions options() const {
    return {.name = pair_.name("totals"), .topics = {orders_}, .retry_for = 0ms, .session_timeout = 6s};
  }
  // "good 17" becomes the row (17, 'good').
  static Result<void> store(UnitOfWork& unit, std::span<const ReceivedEvent> events) {
    for (const ReceivedEvent& one : events) {
      const std::size_t blank = one.value->find(' ');
      const auto id = std::stoll(one.value->substr(blank + 1));
      auto stored = unit.execute("insert into seen(id, value) values ($1, $2)",
                                 {static_cast<std::int64_t>(id), one.value->substr(0, blank)});
      if (!stored) return failure(stored);
    }
    return {};
  }
  ConsumerProgress consume_all(const ConsumerOptions& options, const Consumer::Handler& handler = &Consuming::store) {
    const auto consumer = Consumer::open(*coordinator_, options).value();
    const auto done = consumer->run_to_end(handler);
    EXPECT_TRUE(done.has_value()) << done.error().message;
    return consumer->progress();
  }
  Error expect_stop(const ConsumerOptions& options, const Consumer::Handler& handler = &Consuming::store) {
    const auto consumer = Consumer::open(*coordinator_, options).value();
    const auto done = consumer->run_to_end(handler);
    EXPECT_FALSE(done.has_value());
    return done ? Error{} : done.error();
  }
  template <class Condition>
  static void await(Condition condition) {
    const auto limit = Clock::now() + 30s;
    while (!condition() && Clock::now() < limit) std::this_thread::sleep_for(2ms);
    ASSERT_TRUE(condition());
  }

  Pair pair_;
  const std::string orders_ = pair_.name("orders");
  const std::string out_ = pair_.name("out");
  std::unique_ptr<Coordinator> coordinator_;
};

using Pairs = testing::Types<EmbeddedPair, ServerPair>;

struct PairNames {
  template <class Pair>
  static std::string GetName(int) {
    return std::is_same_v<Pair, EmbeddedPair> ? "Embedded" : "Servers";
  }
};

}  // namespace write_aside::integration
