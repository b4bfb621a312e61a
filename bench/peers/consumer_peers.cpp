// What bench/consume_postgresql_kafka measures: the same topic taken into the same table, by 500 events at a time.
//
//   consumer_peers bare DATABASE BROKERS TOPIC NAME EVENTS   a librdkafka consumer and one INSERT of many rows; no inbox,
//                                                            offsets committed afterwards: events may be applied twice
//   consumer_peers consumer DATABASE BROKERS TOPIC NAME EVENTS   the library's, with the same INSERT
//   consumer_peers lone DATABASE BROKERS TOPIC NAME EVENTS   one event at a time: how long until it is in the table
//
// Prints seconds from the first event on, or the milliseconds of each lone event.
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "write_aside/adapters/kafka.hpp"
#include "write_aside/adapters/postgresql.hpp"
#include "write_aside/consumer.hpp"

namespace {

using namespace write_aside;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t batch = 500;

void must(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "bench: %s failed\n", what.c_str());
  std::exit(1);
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Powers of two, so that few statements are prepared; the same for both.
std::string insert_text(std::size_t rows) {
  std::string sql = "insert into taken(key, value) values ";
  for (std::size_t row = 0; row < rows; ++row) {
    sql += (row == 0 ? "($" : ", ($") + std::to_string(2 * row + 1) + ", $" + std::to_string(2 * row + 2) + ")";
  }
  return sql;
}

std::size_t part_of(std::size_t rows) {
  std::size_t part = 1;
  while (part * 2 <= rows && part < 256) part *= 2;
  return part;
}

struct Arguments {
  std::string database, brokers, topic, name;
  std::size_t events;
};

void run_bare(const Arguments& arguments) {
  PGconn* const connection = PQconnectdb(arguments.database.c_str());
  must(PQstatus(connection) == CONNECTION_OK, "connect");
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  const std::pair<const char*, std::string> properties[] = {{"bootstrap.servers", arguments.brokers},
                                                            {"group.id", arguments.name},
                                                            {"auto.offset.reset", "earliest"},
                                                            {"isolation.level", "read_committed"},
                                                            {"enable.auto.commit", "false"}};
  for (const auto& [name, value] : properties) rd_kafka_conf_set(conf, name, value.c_str(), nullptr, 0);
  rd_kafka_t* const client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, nullptr, 0);
  rd_kafka_poll_set_consumer(client);
  auto* const topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, arguments.topic.c_str(), RD_KAFKA_PARTITION_UA);
  must(rd_kafka_subscribe(client, topics) == RD_KAFKA_RESP_ERR_NO_ERROR, "subscribe");
  rd_kafka_queue_t* const queue = rd_kafka_queue_get_consumer(client);
  std::vector<rd_kafka_message_t*> messages(batch);
  std::size_t taken = 0;
  Clock::time_point begin;
  while (taken < arguments.events) {
    const auto count = rd_kafka_consume_batch_queue(queue, 100, messages.data(), batch);
    if (count <= 0) continue;
    if (taken == 0) begin = Clock::now();
    PQclear(PQexec(connection, "begin"));
    for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
      const std::size_t rows = part_of(static_cast<std::size_t>(count) - at);
      std::vector<std::string> texts;
      std::vector<const char*> values;
      for (std::size_t row = 0; row < rows; ++row) {
        const rd_kafka_message_t& one = *messages[at + row];
        texts.emplace_back(static_cast<const char*>(one.key), one.key_len);
        texts.emplace_back(static_cast<const char*>(one.payload), one.len);
      }
      for (const std::string& text : texts) values.push_back(text.c_str());
      const std::string name = "insert" + std::to_string(rows);
      static std::vector<bool> prepared(1'000);
      if (!prepared[rows]) PQclear(PQprepare(connection, name.c_str(), insert_text(rows).c_str(), 0, nullptr));
      prepared[rows] = true;
      PGresult* const result =
          PQexecPrepared(connection, name.c_str(), static_cast<int>(values.size()), values.data(), nullptr, nullptr, 0);
      must(PQresultStatus(result) == PGRES_COMMAND_OK, "insert");
      PQclear(result);
      at += rows;
    }
    PQclear(PQexec(connection, "commit"));
    for (ssize_t index = 0; index < count; ++index) rd_kafka_message_destroy(messages[static_cast<std::size_t>(index)]);
    rd_kafka_commit(client, nullptr, 1);
    taken += static_cast<std::size_t>(count);
  }
  std::printf("%f\n", seconds_since(begin));
}

Result<void> insert_all(UnitOfWork& unit, std::span<const ReceivedEvent> events) {
  while (!events.empty()) {
    const std::size_t rows = part_of(events.size());
    std::vector<Parameter> parameters;
    for (const ReceivedEvent& event : events.first(rows)) {
      parameters.emplace_back(*event.key);
      parameters.emplace_back(*event.value);
    }
    auto done = unit.execute(insert_text(rows), parameters);
    if (!done) return failure(done);
    events = events.subspan(rows);
  }
  return {};
}

struct Service {
  explicit Service(const Arguments& arguments, Guarantee guarantee)
      : database(postgresql::open(arguments.database).value()),
        stream(kafka::open({{"bootstrap.servers", arguments.brokers}}).value()),
        coordinator(Coordinator::open(database, stream, {.guarantee = guarantee}).value()),
        consumer(Consumer::open(*coordinator, {.name = arguments.name, .topics = {arguments.topic}, .batch_max = batch})
                     .value()) {}
  std::shared_ptr<ports::Database> database;
  std::shared_ptr<ports::EventStream> stream;
  std::unique_ptr<Coordinator> coordinator;
  std::unique_ptr<Consumer> consumer;
};

void run_consumer(const Arguments& arguments) {
  Service service(arguments, Guarantee::at_least_once);
  Clock::time_point begin;
  const auto handler = [&](UnitOfWork& unit, std::span<const ReceivedEvent> events) {
    if (begin == Clock::time_point()) begin = Clock::now();
    return insert_all(unit, events);
  };
  const auto done = service.consumer->run_to_end(handler);
  must(done.has_value() && service.consumer->progress().applied == arguments.events, "consume");
  std::printf("%f\n", seconds_since(begin));
}

void run_lone(const Arguments& arguments) {
  Service service(arguments, Guarantee::exactly_once);
  std::thread thread([&] { static_cast<void>(service.consumer->run(insert_all)); });
  for (std::size_t number = 0; number <= arguments.events; ++number) {
    const auto publish = [&](UnitOfWork& unit) {
      return unit.publish({.topic = arguments.topic, .key = std::to_string(number), .type = "t", .value = "lone"});
    };
    must(service.coordinator->run(publish, {.wait = Wait::visible}).is_committed(), "publish");
    const auto begin = Clock::now();
    while (service.consumer->progress().applied <= number) std::this_thread::sleep_for(50us);
    if (number > 0) std::printf("%f\n", 1000 * seconds_since(begin));  // the first one waits for the group
    std::this_thread::sleep_for(30ms);
  }
  service.consumer->stop();
  thread.join();
}

}  // namespace

int main(int argc, char** argv) {
  must(argc == 7, "reading the arguments");
  const std::string what = argv[1];
  const Arguments arguments{argv[2], argv[3], argv[4], argv[5], std::stoul(argv[6])};
  if (what == "bare") run_bare(arguments);
  if (what == "consumer") run_consumer(arguments);
  if (what == "lone") run_lone(arguments);
}
