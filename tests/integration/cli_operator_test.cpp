// Goal: an operator can see what there is, settle what a killed run left, and mend a lane that halted.
// Method: the real program on SQLite and a local stream; the mishaps are real ones.
#include <nlohmann/json.hpp>

#include "integration/program.hpp"

namespace write_aside::integration {
namespace {

using Json = nlohmann::json;

class Operating : public ProgramTest {
 protected:
  static std::size_t line_count(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  // Applies two units, then loses the stream and puts a new one in its place. The only lane halts when it is taken again.
  void halt_the_lane() {
    ASSERT_EQ(run({"init", "--lanes", "1", "--topic", "orders:2"}).status, 0);
    ASSERT_EQ(query("shop.db", "create table orders (id integer primary key, state text)"), "");
    write_file("in.jsonl", unit(1) + unit(2));
    ASSERT_EQ(run({"apply", "in.jsonl"}).status, 0);
    remove_stream();
    ASSERT_EQ(run({"init", "--topic", "orders:2"}).status, 0);
    write_file("more.jsonl", unit(3));
    const Finished halted = run({"apply", "more.jsonl"});
    EXPECT_EQ(halted.status, 3) << halted.err;
    EXPECT_NE(halted.err.find("stream"), std::string::npos) << halted.err;
    EXPECT_EQ(rows(), "2");
  }
};

TEST_F(Operating, InitIsSafeToRunAgain) {
  ASSERT_EQ(run({"init", "--lanes", "2", "--topic", "orders:2", "--topic", "stock:1:compacted"}).status, 0);
  const Finished again = run({"init", "--topic", "orders:3"});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out,
            "sqlite:shop.db: was ready, with 2 lanes\nlocal:shop.events: ledger is ready\n"
            "topic orders: was there, with 2 partitions\n");
  EXPECT_EQ(again.err, "write-aside: topic orders keeps its 2 partitions; 3 were asked for\n");
}

TEST_F(Operating, InitRefusesLanesThatTheLedgerHasNoPartitionFor) {
  ASSERT_EQ(run({"init", "--lanes", "2", "--topic", "orders:2"}).status, 0);
  const Finished refused = run({"init", "--lanes", "6"});
  EXPECT_EQ(refused.status, 2) << refused.out;
  EXPECT_EQ(query("shop.db", "select count(*) from write_aside_lane"), "2") << "nothing was changed";
  EXPECT_EQ(run({"apply", "--source", "s"}, R"({"events":[{"topic":"orders","type":"a","value":1}]})").status, 0);
}

TEST_F(Operating, TailShowsWhatItIsAskedFor) {
  initialise();
  std::string text;
  for (int id = 1; id <= 20; ++id) text += unit(id);
  text += R"({"events":[{"topic":"orders","key":"b","type":"bytes","value_base64":"AP8="},)"
          R"({"topic":"orders","key":"b","type":"gone","value":null,"headers":{"h":"x"}}]})"
          "\n";
  ASSERT_EQ(run({"apply", "--source", "s"}, text).status, 0);
  EXPECT_EQ(line_count(run({"tail", "orders"}).out), 22u);
  EXPECT_EQ(line_count(run({"tail", "orders", "--count", "7"}).out), 7u);
  EXPECT_EQ(line_count(run({"tail", "orders", "--from", "end"}).out), 0u);
  const std::size_t first = line_count(run({"tail", "orders", "--partition", "0"}).out);
  EXPECT_EQ(first + line_count(run({"tail", "orders", "--partition", "1"}).out), 22u);
  EXPECT_EQ(line_count(run({"tail", "orders", "--partition", "0", "--from", "2"}).out), first - 2);
  EXPECT_EQ(run({"tail", "orders", "--from", "2"}).status, 2);
  EXPECT_EQ(run({"tail", "orders", "--partition", "2"}).status, 2);

  std::istringstream lines(run({"tail", "orders", "--json"}).out);
  std::vector<Json> special;
  for (std::string line; std::getline(lines, line);) {
    if (Json event = Json::parse(line); event["key"] == "b") special.push_back(event);
  }
  ASSERT_EQ(special.size(), 2u);
  EXPECT_EQ(special[0]["value_base64"], "AP8=");
  EXPECT_FALSE(special[0].contains("value"));
  EXPECT_EQ(special[0]["headers"]["content-type"], "application/octet-stream");
  EXPECT_EQ(special[0]["headers"]["ce_id"], "21.0");
  EXPECT_TRUE(special[1]["value"].is_null());
  EXPECT_EQ(special[1]["headers"]["h"], "x");
  EXPECT_EQ(special[1]["headers"]["ce_source"], "s");
}

TEST_F(Operating, TailFollowsUntilItIsInterrupted) {
  initialise();
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t child = start({"tail", "orders", "--follow", "--from", "beginning"}, nothing, "tail");
  close(nothing);
  ASSERT_EQ(run({"apply", "--source", "s"}, unit(1) + unit(2)).status, 0);
  EXPECT_TRUE(eventually([&] { return line_count(read_file("tail.out")) == 2; }));
  kill(child, SIGINT);
  EXPECT_EQ(finish(child, "tail").status, 130);
}

TEST_F(Operating, TailEndsQuietlyWhenNobodyReadsOn) {
  initialise();
  std::string text;
  for (int id = 1; id <= 3'000; ++id) text += unit(id);
  ASSERT_EQ(run({"apply", "--source", "s", "--batch", "1000"}, text).status, 0);
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  close(pipe_ends[0]);
  const pid_t child = start({"tail", "orders"}, STDIN_FILENO, "tail", pipe_ends[1]);
  close(pipe_ends[1]);
  const Finished ended = finish(child, "tail");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
}

TEST_F(Operating, AReportThatCannotBeWrittenIsTold) {
  initialise();
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  const pid_t child = start({"status"}, STDIN_FILENO, "full", full);
  close(full);
  const Finished ended = finish(child, "full");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.err, "write-aside: cannot write to standard output: No space left on device\n");
}

TEST_F(Operating, StatusAndRecoverTellWhatAKilledRunLeft) {
  initialise();
  std::string text;
  for (int id = 1; id <= 20'000; ++id) text += unit(id);
  write_file("in.jsonl", text);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t child = start({"apply", "in.jsonl", "--quiet"}, nothing);
  close(nothing);
  ASSERT_TRUE(eventually([&] { return rows() != "0"; }));
  EXPECT_NE(run({"status"}).out.find("  owned  "), std::string::npos);
  kill(child, SIGKILL);
  finish(child);
  const Finished status = run({"status", "--json"});
  EXPECT_EQ(status.status, 0);
  EXPECT_NE(status.out.find(R"("state":"dead")"), std::string::npos) << status.out;
  const Finished recovered = run({"recover", "--json"});
  EXPECT_EQ(recovered.status, 0) << recovered.out << recovered.err;
  EXPECT_EQ(Json::parse(recovered.out)["complete"], true);
  EXPECT_EQ(rows(), events());
  EXPECT_EQ(Json::parse(run({"status", "--json"}).out)["undelivered"], 0);
}

TEST_F(Operating, MendsALaneThatHaltedBecauseTheStreamWasReplaced) {
  halt_the_lane();
  EXPECT_EQ(run({"status"}).status, 3);
  const Finished shown = run({"resolve"});
  EXPECT_EQ(shown.status, 3);
  EXPECT_NE(shown.out.find("reason"), std::string::npos);

  const Finished dry = run({"resolve", "--lane", "0", "--new-stream"});
  EXPECT_EQ(dry.status, 3);
  EXPECT_NE(dry.out.find("dry run"), std::string::npos);
  EXPECT_EQ(run({"status"}).status, 3) << "a dry run changes nothing";

  EXPECT_EQ(run({"resolve", "--lane", "0", "--yes"}).status, 0);
  EXPECT_EQ(run({"apply", "more.jsonl"}).status, 3) << "the reason still holds";

  EXPECT_EQ(run({"resolve", "--lane", "0", "--new-stream", "--yes"}).status, 0);
  const Finished recovered = run({"recover"});
  EXPECT_EQ(recovered.status, 0) << recovered.out << recovered.err;
  EXPECT_EQ(run({"resolve"}).out, "no lane is halted\n");
  EXPECT_EQ(run({"apply", "more.jsonl"}).status, 0);
  EXPECT_EQ(events(), "1");
}

TEST_F(Operating, AUnitThatCannotBeReadHaltsItsLaneUntilItIsGivenUp) {
  ASSERT_EQ(run({"init", "--lanes", "1", "--topic", "orders:2"}).status, 0);
  ASSERT_EQ(query("shop.db", "create table orders (id integer primary key, state text)"), "");
  write_file("in.jsonl", unit(1));
  ASSERT_EQ(run({"apply", "in.jsonl"}).status, 0);
  ASSERT_EQ(query("shop.db",
                  "insert into write_aside_journal (lane, epoch, n, member, payload) values (0, 1, 9, 1, x'0102')"),
            "");
  write_file("more.jsonl", unit(2));
  const Finished halted = run({"apply", "more.jsonl"});
  EXPECT_EQ(halted.status, 3) << halted.err;
  EXPECT_NE(halted.err.find("lane 0 is halted: unit 0.1.9.1"), std::string::npos) << halted.err;
  const Finished status = run({"status"});
  EXPECT_EQ(status.status, 3);
  EXPECT_NE(status.out.find("  halted  "), std::string::npos) << status.out;
  EXPECT_NE(status.out.find("unit 0.1.9.1: journal payload"), std::string::npos) << status.out;

  ASSERT_EQ(
      query("shop.db", "update write_aside_journal set delivered_at = unixepoch() * 1000 where payload = x'0102'"), "");
  EXPECT_EQ(run({"resolve", "--lane", "0", "--yes"}).status, 0);
  EXPECT_EQ(run({"apply", "more.jsonl"}).status, 0);
  EXPECT_EQ(rows() + " " + events(), "2 2");
}
TEST_F(Operating, VerifyFindsWhatTheStreamLost) {
  halt_the_lane();
  const Finished verified = run({"verify", "in.jsonl", "--json"});
  EXPECT_EQ(verified.status, 1) << verified.out << verified.err;
  EXPECT_EQ(Json::parse(verified.out)["lost"], 2);
  EXPECT_EQ(Json::parse(verified.out)["ok"], false);
}

TEST_F(Operating, VerifyJudgesNothingLostByOneTopicAlone) {
  ASSERT_EQ(run({"init", "--topic", "orders:2", "--topic", "stock:1"}).status, 0);
  write_file("in.jsonl",
             R"({"events":[{"topic":"orders","type":"a","value":1},{"topic":"stock","type":"a","value":1}]})");
  ASSERT_EQ(run({"apply", "in.jsonl"}).status, 0);
  EXPECT_EQ(run({"verify", "in.jsonl"}).status, 0);
  const Finished part = run({"verify", "in.jsonl", "--topic", "stock", "--json"});
  EXPECT_EQ(part.status, 0) << part.out;
  EXPECT_NE(Json::parse(part.out)["note"], "");
}

TEST_F(Operating, VerifyReadsTheTopicsThatTheInputNames) {
  ASSERT_EQ(run({"init", "--topic", "orders:2", "--topic", "stock:1", "--topic", "strangers:1"}).status, 0);
  write_file("in.jsonl",
             R"({"events":[{"topic":"orders","type":"a","value":1},{"topic":"stock","type":"a","value":1}]})");
  ASSERT_EQ(run({"apply", "in.jsonl"}).status, 0);
  EXPECT_EQ(Json::parse(run({"verify", "--json"}).out)["topics"], 3);
  const Json named = Json::parse(run({"verify", "in.jsonl", "--json"}).out);
  EXPECT_EQ(named["topics"], 2);
  EXPECT_EQ(named["note"], "");
  const Json chosen = Json::parse(run({"verify", "in.jsonl", "--topic", "orders", "--topic", "stock", "--json"}).out);
  EXPECT_EQ(chosen["note"], "") << "all that it names are among them";
  remove_stream();
  ASSERT_EQ(run({"init", "--topic", "orders:2", "--topic", "stock:1"}).status, 0);
  EXPECT_EQ(Json::parse(run({"verify", "in.jsonl", "--json"}).out)["lost"], 1);
}

TEST_F(Operating, VerifyOfALoadedInputReadsTheTopicThatItIsTold) {
  ASSERT_EQ(run({"init", "--topic", "orders:2", "--topic", "strangers:1"}).status, 0);
  ASSERT_EQ(query("shop.db", "create table seen (n integer primary key)"), "");
  write_file("in.csv", "n\n1\n2\n");
  ASSERT_EQ(run({"load", "in.csv", "--table", "seen", "--topic", "orders", "--key", "n"}).status, 0);
  const Arguments verify{"verify", "in.csv", "--format", "csv", "--json"};
  const Finished untold = run(verify);
  EXPECT_EQ(untold.status, 2);
  EXPECT_NE(untold.err.find("--topic"), std::string::npos) << untold.err;
  EXPECT_EQ(std::count(untold.err.begin(), untold.err.end(), '\n'), 1) << untold.err;
  const auto verified = [&](const std::string& topic) {
    Arguments arguments = verify;
    arguments.insert(arguments.end(), {"--topic", topic});
    return Json::parse(run(arguments).out);
  };
  const Json told = verified("orders");
  EXPECT_EQ(told["topics"], 1);
  EXPECT_EQ(told["note"], "") << "lost and torn are judged";
  EXPECT_EQ(told["lost"], 0);
  const Json elsewhere = verified("strangers");
  EXPECT_EQ(elsewhere["lost"], 2);
  EXPECT_NE(elsewhere["note"], "") << "that the topic is another one is said as well";
}

TEST_F(Operating, VerifyFindsEventsThatTheDatabaseNeverCommitted) {
  initialise();
  ASSERT_EQ(run({"apply", "--source", "s"}, unit(1) + unit(2)).status, 0);
  ASSERT_EQ(query("shop.db", "update write_aside_progress set position = replace(position, 'line=2', 'line=1')"), "");
  const Finished verified = run({"verify", "--json"});
  EXPECT_EQ(verified.status, 1);
  EXPECT_EQ(Json::parse(verified.out)["orphan"], 1) << verified.out;
}

TEST_F(Operating, ResolveSaysWhatBecameOfAUnit) {
  initialise();
  EXPECT_EQ(run({"resolve", "0.999"}).status, 2);
  const Finished resolved = run({"resolve", "0.1.1.1"});
  EXPECT_EQ(resolved.status, 0) << resolved.err;
  EXPECT_EQ(resolved.out, "unit 0.1.1.1: aborted\n");
}

TEST_F(Operating, HelpIsThereForEveryCommand) {
  const std::string help = run({"--help"}).out;
  for (const std::string command : {"init", "apply", "load", "tail", "status", "recover", "resolve", "verify"}) {
    EXPECT_NE(help.find("\n  " + command + " "), std::string::npos) << command;
    const Finished own = run({command, "--help"});
    EXPECT_EQ(own.status, 0);
    EXPECT_NE(own.out.find("write-aside " + command), std::string::npos) << "an example: " << command;
  }
}

}  // namespace
}  // namespace write_aside::integration
