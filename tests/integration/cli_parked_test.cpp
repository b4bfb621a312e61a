// Goal: what `consume` could not apply is kept, shown without harm, tried again or given up, and only what was named.
// Method: the real program on SQLite and a local stream.
#include "integration/consume_program.hpp"

namespace write_aside::integration {
namespace {

class ParkingByCommand : public ConsumeProgramTest {
 protected:
  static Arguments parked(const std::string& action, const Arguments& more = {}) {
    Arguments arguments{"parked", action, "--name", "totals"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<Json> list(const Arguments& more = {}) {
    Arguments arguments = parked("list", {"--json"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished listed = run(arguments);
    EXPECT_EQ(listed.status, 0) << listed.err;
    std::vector<Json> lines;
    std::istringstream text(listed.out);
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  void expect_changed(const Arguments& arguments, int status, const std::string& out) {
    const Finished done = run(arguments);
    EXPECT_EQ(done.status, status) << done.err;
    EXPECT_EQ(done.out + done.err, out);
  }
  // Key a: 1, a bad 2, 3. Key b: 4, a bad 5. Key c: 6.
  void park_some() {
    initialise_consumer();
    publish({event(1, "a"), event(2, "a", "bad"), event(3, "a"), event(4, "b"), event(5, "b", "bad"), event(6, "c")});
    const Json done = expect_consumed({"--on-error", "park"});
    EXPECT_EQ(done["applied"], 3);
    EXPECT_EQ(done["parked"], 3);
    EXPECT_EQ(seen("group_concat(id)"), "1,4,6");
  }
  static Arguments mended(const Arguments& more = {}) {
    Arguments arguments{"--on-error", "park", "--sql", "insert into seen values (:value.id, :key, 'mended')"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // Runs the consumer until that many rows are there.
  void consume_until(int count, const Arguments& more) {
    const pid_t child = start_consume(consume(more));
    EXPECT_TRUE(eventually([&] { return count_seen() == count; })) << seen("group_concat(id)");
    kill(child, SIGTERM);
    EXPECT_EQ(finish(child).status, 143);
  }
};

TEST_F(ParkingByCommand, ListsWhatIsParkedAndWhatWaits) {
  park_some();
  const std::vector<Json> lines = list();
  ASSERT_EQ(lines.size(), 3u);
  int waiting = 0;
  for (const Json& line : lines) {
    const Json value = Json::parse(line["value"].get<std::string>());
    EXPECT_EQ(line["state"], value["id"] == 3 ? "waiting" : "parked");
    EXPECT_EQ(line["key"], value["id"] == 5 ? "b" : "a");
    waiting += line["state"] == "waiting" ? 1 : 0;
    EXPECT_TRUE(line["event"].get<std::string>().starts_with("orders[")) << line;
    EXPECT_NE(line["error"].get<std::string>().find(value["id"] == 3 ? "an earlier event of its key" : "CHECK"),
              std::string::npos)
        << line;
    EXPECT_FALSE(line["id"].get<std::string>().empty());
    EXPECT_FALSE(line["source"].get<std::string>().empty());
    EXPECT_GT(line["parked_at_ms"], 1'600'000'000'000);
  }
  EXPECT_EQ(waiting, 1);
  const Finished text = run(parked("list"));
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), 3) << text.out;
  EXPECT_NE(text.out.find("  waiting  key a  an earlier event of its key is parked\n"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("  parked  key b  "), std::string::npos) << text.out;
}

TEST_F(ParkingByCommand, ListsOnlyWhatIsAskedFor) {
  park_some();
  EXPECT_EQ(list({"--key", "b"}).size(), 1u);
  EXPECT_EQ(list({"--key", "c"}).size(), 0u);
  EXPECT_EQ(list({"--topic", "orders"}).size(), 3u);
  EXPECT_EQ(list({"--topic", "other"}).size(), 0u);
  const std::vector<Json> all = list();
  EXPECT_EQ(list({"--event", all[1]["event"]}), std::vector<Json>{all[1]});
  const Finished other = run({"parked", "list", "--name", "other"});
  EXPECT_EQ(other.status, 0);
  EXPECT_EQ(other.out + other.err, "");
}

TEST_F(ParkingByCommand, TriesAgainTheKeyThatItIsTold) {
  park_some();
  expect_changed(parked("retry", {"--key", "a"}), 0, "1 to be tried again by the running consumer\n");
  consume_until(5, mended());
  EXPECT_EQ(seen("group_concat(id)"), "1,2,3,4,6");
  EXPECT_EQ(parked_states(), "parked b");
  publish({event(7, "a"), event(8, "b")});
  expect_consumed(mended());
  EXPECT_EQ(seen("group_concat(id)"), "1,2,3,4,6,7");
  EXPECT_EQ(parked_states(), "parked b, waiting b");
}

TEST_F(ParkingByCommand, TriesAgainWhileTheConsumerRuns) {
  park_some();
  const pid_t child = start_consume(consume(mended()));
  ASSERT_TRUE(eventually([&] {
    return query("shop.db", "select count(*) from write_aside_position where owner <> '' and generation > 1") == "2";
  }));
  expect_changed(parked("retry", {"--all", "--json"}), 0, "{\"retried\":2}\n");
  EXPECT_TRUE(eventually([&] { return count_seen() == 6; })) << parked_states();
  kill(child, SIGTERM);
  EXPECT_EQ(finish(child).status, 143);
  EXPECT_EQ(list().size(), 0u);
}

TEST_F(ParkingByCommand, ParksAgainWhatIsRefusedAgain) {
  park_some();
  expect_changed(parked("retry", {"--all"}), 0, "2 to be tried again by the running consumer\n");
  for (const Json& line : list())
    EXPECT_EQ(line["state"], line["error"] == "an earlier event of its key is parked" ? "waiting" : "retry");
  const pid_t child = start_consume(consume({"--on-error", "park"}));
  EXPECT_TRUE(eventually(
      [&] { return query("shop.db", "select count(*) from write_aside_parked where state = 'parked'") == "2"; }));
  kill(child, SIGTERM);
  finish(child);
  EXPECT_EQ(list().size(), 3u);
  EXPECT_EQ(seen("group_concat(id)"), "1,4,6");
}

TEST_F(ParkingByCommand, DropsTheEventThatItIsTold) {
  park_some();
  const std::string place = list({"--key", "b"}).at(0)["event"];
  expect_changed(parked("drop", {"--event", place}), 0, "1 dropped\n");
  expect_changed(parked("drop", {"--event", place}), 1, "0 dropped\n");
  EXPECT_EQ(parked_states(), "parked a, waiting a");
}

TEST_F(ParkingByCommand, DropsThemAllAndAppliesThoseThatWaited) {
  park_some();
  expect_changed(parked("drop", {"--all", "--json"}), 0, "{\"dropped\":2}\n");
  EXPECT_EQ(parked_states(), "waiting a");
  consume_until(4, {"--on-error", "park"});
  EXPECT_EQ(seen("group_concat(id)"), "1,3,4,6");
  EXPECT_EQ(list().size(), 0u);
}

TEST_F(ParkingByCommand, TouchesNothingWithoutAWordOnWhichEvents) {
  park_some();
  for (const std::string action : {"retry", "drop"}) {
    expect_refused(parked(action), 2, {action, "--event", "--key", "--topic", "--all"});
    expect_refused(parked(action, {"--all", "--key", "a"}), 2, {action, "--all"});
    for (const std::string place : {"orders", "orders[0]", "orders[x]@1", "orders[0]@", "orders[0]@-1", "[0]@1", "]@1",
                                    "orders[99999999999]@1", "orders[0]@1x", "orders[]@1"}) {
      expect_refused(parked(action, {"--event", place}), 2, {place, "TOPIC[PARTITION]@OFFSET"});
    }
    expect_changed(parked(action, {"--event", "orders[0]@99"}), 1,
                   action == "retry" ? "0 to be tried again by the running consumer\n" : "0 dropped\n");
    expect_changed(parked(action, {"--key", "nobody"}), 1,
                   action == "retry" ? "0 to be tried again by the running consumer\n" : "0 dropped\n");
  }
  expect_refused(parked("show"), 2, {"show"});
  expect_refused({"parked", "list"}, 2, {"--name"});
  EXPECT_EQ(list().size(), 3u);
}

TEST_F(ParkingByCommand, ParksFollowersTooIfAskedTo) {
  initialise_consumer();
  publish({event(1, "a", "bad"), event(2, "a"), event(3, "a")});
  EXPECT_EQ(expect_consumed({"--on-error", "park", "--followers", "park"})["parked"], 3);
  EXPECT_EQ(parked_states(), "parked a, parked a, parked a");
  expect_changed(parked("retry", {"--key", "a"}), 0, "3 to be tried again by the running consumer\n");
  consume_until(3, mended({"--followers", "park"}));
}

TEST_F(ParkingByCommand, PublishesADeadLetter) {
  initialise_consumer();
  ASSERT_EQ(run({"init", "--topic", "letters:1"}).status, 0);
  publish({event(1, "a"), event(2, "a", "bad"), event(3, "a"), event(4, "b")});
  const Json done = expect_consumed({"--on-error", "park", "--dead-letter", "letters"});
  EXPECT_EQ(done["applied"], 2);
  const Finished tailed = run({"tail", "letters", "--json"});
  ASSERT_EQ(std::count(tailed.out.begin(), tailed.out.end(), '\n'), 1) << tailed.out << tailed.err;
  const Json letter = Json::parse(tailed.out);
  EXPECT_EQ(letter["key"], "a");
  EXPECT_EQ(letter["value"], R"({"id":2,"state":"bad"})");
  EXPECT_EQ(letter["headers"]["dead-letter-consumer"], "totals");
  EXPECT_EQ(letter["headers"]["dead-letter-topic"], "orders");
  EXPECT_NE(letter["headers"]["dead-letter-error"].get<std::string>().find("CHECK"), std::string::npos) << letter;
  EXPECT_EQ(letter["headers"]["original-ce_type"], "made");
  expect_consumed({"--on-error", "park", "--dead-letter", "letters"});
  EXPECT_EQ(run({"tail", "letters", "--json"}).out, tailed.out) << "only once";
}

TEST_F(ParkingByCommand, SaysThatThereIsNoTopicForDeadLetters) {
  initialise_consumer();
  publish({event(1, "a", "bad")});
  expect_refused(consume_all({"--on-error", "park", "--dead-letter", "nowhere"}), 2, {"nowhere"});
  EXPECT_EQ(positions_and_entries(), "0 0 0");
}

TEST_F(ParkingByCommand, ParksWhatItCannotRead) {
  initialise_consumer();
  publish({R"({"topic":"orders","key":"a","type":"made","value_base64":"AP8="})",
           R"({"topic":"orders","key":"b","type":"made","value":null})",
           R"({"topic":"orders","key":"c","type":"made","value":{"state":"x"}})", event(4, "d")});
  EXPECT_EQ(expect_consumed({"--on-error", "park"})["applied"], 1);
  std::vector<std::string> values;
  for (const Json& line : list()) values.push_back(line["value"].dump());
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, (std::vector<std::string>{R"("{\"state\":\"x\"}")", "null", R"({"base64":"AP8="})"}));
  expect_changed(parked("retry", {"--all"}), 0, "3 to be tried again by the running consumer\n");
  consume_until(4, {"--on-error", "park", "--sql", "insert into seen(key, state) values (:key, hex(:value_bytes))"});
  EXPECT_EQ(query("shop.db", "select state from seen where key = 'a'"), "00FF");
}

TEST_F(ParkingByCommand, TakesAKeyThatIsNoText) {
  initialise_consumer();
  publish({event(1, "odd", "bad"), event(2, "odd")});
  const std::string tables = query("shop.events", "select name from sqlite_master where name glob 'record_[0-9]*'");
  std::istringstream names(tables);
  for (std::string name; std::getline(names, name);) {
    ASSERT_EQ(query("shop.events", "update " + name + " set key = x'c35c' where key = 'odd'"), "");
  }
  EXPECT_EQ(
      expect_consumed({"--on-error", "park", "--sql", "insert into seen values (:value.id, :key, 'x')"})["parked"], 2);
  const std::vector<Json> lines = list();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["key"], Json::parse(R"({"base64":"w1w="})"));
  EXPECT_EQ(lines[0]["error"], "its key is not UTF-8 text; take it as :key_bytes");
  expect_changed(parked("retry", {"--key", "\xc3\\"}), 0, "1 to be tried again by the running consumer\n");
  consume_until(2, {"--on-error", "park", "--sql", "insert into seen values (:value.id, :key_bytes, 'x')"});
}

TEST_F(ParkingByCommand, NamesAnEventThatIsDamagedSoThatItCanBeDropped) {
  park_some();
  const std::string place = list({"--key", "b"}).at(0)["event"];
  ASSERT_EQ(query("shop.db", "update write_aside_parked set record = x'0102' where cast(record_key as text) = 'b'"),
            "");
  const std::string message = "the parked event of " + place + " is damaged; drop it, or restore it from a backup";
  expect_refused(parked("list"), 4, {message});
  expect_changed(parked("retry", {"--key", "b"}), 0, "1 to be tried again by the running consumer\n");
  const Finished stopped = run(consume({"--on-error", "park", "--quiet"}));
  EXPECT_EQ(stopped.status, 4);
  expect_line(stopped.err, {message});
  EXPECT_EQ(list({"--key", "a"}).size(), 2u);
  expect_changed(parked("drop", {"--event", place}), 0, "1 dropped\n");
  EXPECT_EQ(list().size(), 2u);
  expect_consumed({"--on-error", "park"});
}

TEST_F(ParkingByCommand, StopsWhenTooManyAreParked) {
  initialise_consumer();
  publish({event(1, "a")});
  expect_consumed({"--on-error", "park"});
  ASSERT_EQ(query("shop.db",
                  "insert into write_aside_parked select 'totals', 'orders', value % 2, value, 'parked', 1, 'x', null, "
                  "x'00' from generate_series(1000, 20999)"),
            "");
  publish({event(2, "a"), event(3, "a", "bad"), event(4, "a")});
  const Finished stopped = expect_refused(consume_all({"--on-error", "park"}), 3,
                                          {"]@2 could not be applied: 10000 events of orders[",
                                           "] are parked, and no more may be", "'write-aside parked'"});
  EXPECT_EQ(report(stopped)["applied"], 1);
}

TEST_F(ParkingByCommand, EventsOfOthersDoNotCommandTheTerminal) {
  initialise_consumer();
  publish({R"({"topic":"orders","key":"\u001b[2J\r\nwrite-aside: all is well\u009b2J\u007f","type":"a\u001b[2J",)"
           R"("value":{"id":1,"state":"\u001b[2J\u0007"},"headers":{"h":"\u001b[2J"}})"});
  const Finished stopped = expect_refused(consume_all({"--sql", "insert into seen(id) values (:header.missing)"}), 1,
                                          {"it has no header 'missing'"});
  EXPECT_FALSE(commands_terminal(stopped.err));
  const std::string echoing = "insert into seen values (:value.id, :key, json(:key))";
  EXPECT_FALSE(commands_terminal(expect_refused(consume_all({"--sql", echoing}), 1, {"could not be applied"}).err));
  EXPECT_EQ(expect_consumed({"--on-error", "park", "--sql", echoing})["parked"], 1);
  const Finished text = run(parked("list"));
  EXPECT_FALSE(commands_terminal(text.out)) << text.out;
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), 1) << text.out;
  const Finished json = run(parked("list", {"--json"}));
  EXPECT_EQ(json.out.find_first_of("\x1b\x07\x08\r"), std::string::npos) << json.out;
  EXPECT_EQ(Json::parse(json.out)["key"],
            "\x1b[2J\r\nwrite-aside: all is well\xC2\x9B"
            "2J\x7f");
  EXPECT_FALSE(commands_terminal(run(parked("drop", {"--event", "x\x1b[2J"})).err));
  EXPECT_FALSE(commands_terminal(run(consume({"--sql", "select :x\x1b[2J, :{\x1b[2J}"})).err));
}

TEST_F(ParkingByCommand, AListThatCannotBeWrittenIsTold) {
  park_some();
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  const pid_t child = start(parked("list"), STDIN_FILENO, "full", full);
  close(full);
  const Finished ended = finish(child, "full");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.err, "write-aside: cannot write to standard output: No space left on device\n");
}

TEST_F(ParkingByCommand, AReaderOfTheListThatHasEnoughIsNoError) {
  initialise_consumer();
  std::vector<std::string> events;
  for (int id = 1; id <= 400; ++id) events.push_back(event(id, "a", "bad"));
  publish(events);
  EXPECT_EQ(expect_consumed({"--on-error", "park"})["parked"], 400);
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  close(pipe_ends[0]);
  const pid_t child = start(parked("list", {"--json"}), STDIN_FILENO, "pipe", pipe_ends[1]);
  close(pipe_ends[1]);
  const Finished ended = finish(child, "pipe");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
}

}  // namespace
}  // namespace write_aside::integration
