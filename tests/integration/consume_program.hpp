// `consume` and `parked` by the real program, on SQLite and a local stream. The table `seen(id, key, state)` holds what
// was applied; its primary key is the event's own number, so that an event applied twice is refused.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "integration/program.hpp"

namespace write_aside::integration {

class ConsumeProgramTest : public ProgramTest {
 protected:
  using Json = nlohmann::json;

  void initialise_consumer() {
    ASSERT_NO_FATAL_FAILURE(initialise());
    ASSERT_EQ(
        query("shop.db", "create table seen (id integer primary key, key text, state text check (state <> 'bad'))"),
        "");
  }

  static std::string event(int id, const std::string& key, const std::string& state = "good") {
    return fmt::format(R"({{"topic":"orders","key":"{}","type":"made","value":{{"id":{},"state":"{}"}}}})", key, id,
                       state);
  }
  static std::string event(int id) { return event(id, fmt::format("k{}", id % 50)); }
  // In units of at most 500 events.
  void publish(const std::vector<std::string>& events) {
    std::string units;
    for (std::size_t begin = 0; begin < events.size(); begin += 500) {
      units += R"({"events":[)";
      for (std::size_t at = begin; at < std::min(begin + 500, events.size()); ++at) {
        units += (at == begin ? "" : ",") + events[at];
      }
      units += "]}\n";
    }
    const Finished applied =
        run({"apply", "--source", fmt::format("s{}", ++publications_), "--wait", "visible"}, units);
    ASSERT_EQ(applied.status, 0) << applied.err;
  }
  void publish_numbers(int first, int last) {
    std::vector<std::string> events;
    for (int id = first; id <= last; ++id) events.push_back(event(id));
    publish(events);
  }

  // The command, without the end that it stops at.
  static Arguments consume(const Arguments& more = {}) {
    Arguments arguments{"consume", "orders", "--session-timeout", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto lacks = [&](const std::string& option) {
      return std::find(more.begin(), more.end(), option) == more.end();
    };
    if (lacks("--name")) arguments.insert(arguments.end(), {"--name", "totals"});
    if (lacks("--sql")) {
      arguments.insert(arguments.end(), {"--sql", "insert into seen values (:value.id, :key, :value.state)"});
    }
    return arguments;
  }
  static Arguments consume_all(Arguments more = {}) {
    more.insert(more.end(), {"--until-end", "--json"});
    return consume(more);
  }
  static Json report(const Finished& finished) {
    const Json report = Json::parse(finished.out, nullptr, false);
    EXPECT_FALSE(report.is_discarded()) << finished.out << finished.err;
    return report.is_object() ? report : Json::object();
  }
  Json expect_consumed(Arguments more = {}) {
    more.push_back("--quiet");  // on a slow machine it would tell how far it is
    const Finished done = run(consume_all(more));
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_EQ(done.err, "");
    return report(done);
  }
  // One line that holds these parts.
  static void expect_line(const std::string& err, const std::vector<std::string>& parts) {
    EXPECT_TRUE(err.starts_with("write-aside: ")) << err;
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
    for (const std::string& part : parts) EXPECT_NE(err.find(part), std::string::npos) << part << "\nin " << err;
  }
  Finished expect_refused(const Arguments& arguments, int status, const std::vector<std::string>& parts) {
    const Finished refused = run(arguments);
    EXPECT_EQ(refused.status, status) << refused.err;
    expect_line(refused.err, parts);
    return refused;
  }

  pid_t start_consume(const Arguments& arguments, const std::string& label = "run") {
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const pid_t child = start(arguments, nothing, label);
    close(nothing);
    return child;
  }
  [[nodiscard]] int count_seen() const {
    const std::string count = seen("count(*)");
    return count.empty() || std::isdigit(count[0]) == 0 ? -1 : std::stoi(count);
  }
  [[nodiscard]] std::string seen(const std::string& what) const {
    return query("shop.db", "select " + what + " from seen");
  }
  // What the positions say was applied: equal to what was, if nothing was done by halves.
  [[nodiscard]] std::string positions_and_entries() const {
    return query("shop.db",
                 "select (select count(*) from seen) || ' ' || (select count(*) from write_aside_inbox) || ' ' || "
                 "(select sum(next_offset) from write_aside_position)");
  }
  [[nodiscard]] std::string parked_states() const {
    return query("shop.db",
                 "select group_concat(state || ' ' || cast(record_key as text), ', ') from "
                 "(select * from write_aside_parked order by topic, partition, record_offset)");
  }

 private:
  int publications_ = 0;
};

}  // namespace write_aside::integration
