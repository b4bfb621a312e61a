// The stores of the examples on consumers: SQLite and a local stream in the folder where they run, or PostgreSQL and Kafka
// if SHOP_SERVER ("postgresql://ROLE@HOST:PORT", with databases named as below) and SHOP_BROKERS say where they are.
#pragma once

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "write_aside/adapters/kafka.hpp"
#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/postgresql.hpp"
#include "write_aside/adapters/sqlite.hpp"
#include "write_aside/consumer.hpp"
#include "write_aside/coordinator.hpp"

namespace shop {

inline const char* environment(const char* name) { return std::getenv(name); }

// Names in a stream that others use as well.
inline std::string topic(const std::string& name) {
  const char* const prefix = environment("SHOP_PREFIX");
  return prefix != nullptr ? prefix + name : name;
}

inline std::shared_ptr<write_aside::ports::Database> open_database(const std::string& name) {
  const char* const server = environment("SHOP_SERVER");
  if (server == nullptr) return write_aside::sqlite::open(name + ".db").value();
  const char* const prefix = environment("SHOP_PREFIX");
  return write_aside::postgresql::open(std::string(server) + "/" + (prefix != nullptr ? prefix : "") + name).value();
}

inline std::shared_ptr<write_aside::ports::EventStream> open_stream() {
  const char* const brokers = environment("SHOP_BROKERS");
  if (brokers == nullptr) return write_aside::local_stream::open("shop.events").value();
  return write_aside::kafka::open({{"bootstrap.servers", brokers}}).value();
}

// A service: its own database, the common stream, and the topics that it needs.
inline std::unique_ptr<write_aside::Coordinator> open_service(const std::string& name,
                                                              const std::vector<std::string>& topics) {
  auto database = open_database(name);
  auto stream = open_stream();
  write_aside::initialise(*database, *stream, 4).value();
  for (const std::string& one : topics) {
    stream->create_topic({.name = one, .partitions = 2}, std::chrono::steady_clock::now() + std::chrono::seconds(10))
        .value();
  }
  // A consumer that publishes wants its events in order also when another process takes over.
  return write_aside::Coordinator::open(database, stream, {.source = topic(name), .strict_order = true}).value();
}

inline bool run(write_aside::Coordinator& coordinator, const std::string& sql) {
  const auto outcome = coordinator.run([&](write_aside::UnitOfWork& unit) -> write_aside::Result<void> {
    auto done = unit.execute(sql);
    if (!done) return write_aside::failure(done);
    return {};
  });
  return outcome.is_committed();
}

inline std::int64_t number(write_aside::Coordinator& coordinator, const std::string& sql) {
  auto unit = coordinator.begin().value();
  return std::get<std::int64_t>(unit.execute(sql).value().rows.at(0).at(0));
}

}  // namespace shop
