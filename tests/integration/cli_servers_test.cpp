// The program on servers: every command on every mixed pair of stores, and set-ups that are wrong.
//
// Each test has a database and topics of its own on the servers that the environment names (tools/servers).
#include <array>
#include <cstdlib>
#include <memory>
#include <random>

#include "integration/kafka_fixture.hpp"
#include "integration/program.hpp"

namespace write_aside::integration {
namespace {

constexpr const char* remedy = " is not set; run the tests under tools/servers";

std::string required(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr) throw std::runtime_error(std::string(variable) + remedy);
  return value;
}

std::string random_name(const std::string& prefix) {
  static std::random_device device;
  return prefix + std::to_string(device()) + std::to_string(device() % 1'000);
}

class ServersTest : public ProgramTest {
 protected:
  void use_postgresql() {
    const std::string server = required("WRITE_ASIDE_TEST_POSTGRESQL");
    name_ = random_name("cli_");
    ASSERT_EQ(psql(server, "create database " + name_), "");
    database_ = server.substr(0, server.rfind('/') + 1) + name_;
    numbered_ = true;
    ASSERT_EQ(sql(create_table), "");
  }
  void use_sqlite() {
    database_ = "sqlite:" + path("shop.db");
    ASSERT_EQ(query("shop.db", create_table), "");
  }
  void use_kafka() { stream_ = "kafka://" + required("WRITE_ASIDE_TEST_KAFKA"); }
  void use_local() { stream_ = "local:" + path("shop.events"); }

  // What psql printed, errors included; nothing is good.
  [[nodiscard]] std::string psql(const std::string& url, const std::string& statement) const {
    write_file("statement.sql", statement + ";\n");
    const std::string command =
        "psql -X -q -A -t '" + url + "' -f " + path("statement.sql") + " > " + path("psql.out") + " 2>&1";
    const int status = std::system(command.c_str());
    std::string result = read_file("psql.out");
    while (result.ends_with('\n')) result.pop_back();
    return status == 0 ? result : "psql failed: " + result;
  }
  [[nodiscard]] std::string sql(const std::string& statement) const {
    return numbered_ ? psql(database_, statement) : query("shop.db", statement);
  }

  Finished on_stores(Arguments arguments, const std::string& input = "") {
    arguments.insert(arguments.end(), {"--database", database_, "--stream", stream_});
    return run(arguments, input);
  }
  void init(const Arguments& more = {}) {
    Arguments arguments{"init", "--lanes", "2", "--topic", topic_ + ":2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished made = on_stores(arguments);
    ASSERT_EQ(made.status, 0) << made.err;
  }
  [[nodiscard]] std::string unit_of(int id, const std::string& topic) const {
    const std::string text = std::to_string(id);
    return R"({"statements":[{"sql":"insert into orders values ()" + std::string(numbered_ ? "$1, $2" : "?, ?") +
           R"x()","params":[)x" + text + R"(,"new"]}],"events":[{"topic":")" + topic + R"(","key":")" + text +
           R"(","type":"created","value":{"id":)" + text + "}}]}\n";
  }
  [[nodiscard]] std::string units(int count) const {
    std::string all;
    for (int id = 1; id <= count; ++id) all += unit_of(id, topic_);
    return all;
  }
  void expect_refused(const Finished& finished, int status, const std::string& words) {
    EXPECT_EQ(finished.status, status) << finished.err;
    EXPECT_NE(finished.err.find(words), std::string::npos) << finished.err;
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  }

  static constexpr const char* create_table = "create table orders (id integer primary key, state text not null)";
  std::string database_;
  std::string stream_;
  std::string topic_ = random_name("orders-");
  bool numbered_ = false;

 private:
  std::string name_;
};

// --- every command

struct Pair {
  const char* name;
  bool postgresql;
  bool kafka;
};

class MixedPairs : public ServersTest, public testing::WithParamInterface<Pair> {
 protected:
  void SetUp() override {
    GetParam().postgresql ? use_postgresql() : use_sqlite();
    GetParam().kafka ? use_kafka() : use_local();
    init();
  }
};

TEST_P(MixedPairs, ApplyVerifyAndTailAgree) {
  write_file("in.jsonl", units(30));
  const Finished applied = on_stores({"apply", "in.jsonl"});
  ASSERT_EQ(applied.status, 0) << applied.err;
  EXPECT_EQ(sql("select count(*) from orders"), "30");

  const Finished again = on_stores({"apply", "in.jsonl"});
  EXPECT_NE((again.out + again.err).find("30 skipped"), std::string::npos) << again.err;
  const Finished verified = on_stores({"verify", "in.jsonl", "--topic", topic_});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  const Finished tailed = on_stores({"tail", topic_, "--from", "beginning", "--count", "30", "--json"});
  EXPECT_EQ(tailed.status, 0) << tailed.err;
  EXPECT_EQ(std::count(tailed.out.begin(), tailed.out.end(), '\n'), 30) << tailed.out;
}

// Somebody else's stream transaction is open in front of five events, and the broker ends it before our patience does.
class BeingCommitted : public ServersTest {
 protected:
  void SetUp() override {
    use_sqlite();
    use_kafka();
    init();
    ASSERT_NE(kafka_, nullptr);
    stranger_ = kafka_->transactional_producer(random_name("stranger-"), std::chrono::seconds(2), answers_).value();
    ASSERT_TRUE(stranger_->initialise(kafka_test::soon()).has_value());
    ASSERT_TRUE(stranger_->begin().has_value());
    const std::vector<ports::RecordView> records{{.topic = topic_, .partition = 0, .value = "x"},
                                                 {.topic = topic_, .partition = 1, .value = "x"}};
    ASSERT_TRUE(stranger_->produce(records, 1).has_value());
    ASSERT_TRUE(answers_.await(1));
    write_file("in.jsonl", units(5));
    ASSERT_EQ(on_stores({"apply", "in.jsonl"}).status, 0);
  }

 private:
  kafka_test::Answers answers_;
  std::shared_ptr<ports::EventStream> kafka_ = support::open_kafka();
  std::unique_ptr<ports::TransactionalProducer> stranger_;
};

TEST_F(BeingCommitted, TailTakesItIn) {
  const Finished tailed = on_stores({"tail", topic_, "--from", "beginning", "--json"});
  EXPECT_EQ(std::count(tailed.out.begin(), tailed.out.end(), '\n'), 5) << tailed.out << tailed.err;
}

TEST_F(BeingCommitted, VerifyTakesItIn) {
  const Finished verified = on_stores({"verify", "in.jsonl", "--topic", topic_});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
}

TEST_P(MixedPairs, WorkersCommitEachUnitOnce) {
  write_file("in.jsonl", units(200));
  const Finished applied = on_stores({"apply", "in.jsonl", "--workers", "8", "--batch", "7"});
  ASSERT_EQ(applied.status, 0) << applied.err;
  EXPECT_EQ(sql("select count(*) from orders"), "200");
  const Finished verified = on_stores({"verify", "in.jsonl", "--topic", topic_});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
}

TEST_P(MixedPairs, LoadMakesARowAndAnEventOfEachRecord) {
  write_file("orders.csv", "id,state\n1,new\n2,paid\n");
  const Finished loaded =
      on_stores({"load", "orders.csv", "--table", "orders", "--topic", topic_, "--key", "id", "--upsert"});
  ASSERT_EQ(loaded.status, 0) << loaded.err;
  EXPECT_EQ(sql("select state from orders where id = 2"), "paid");
  const Finished tailed = on_stores({"tail", topic_, "--from", "beginning", "--count", "2"});
  EXPECT_NE(tailed.out.find("orders.upserted"), std::string::npos) << tailed.out;
}

TEST_P(MixedPairs, OperatorsSeeAndSettleWhatAKilledRunLeft) {
  const Finished status = on_stores({"status"});
  EXPECT_EQ(status.status, 0) << status.err;
  EXPECT_NE(status.out.find("0 undelivered, 0 of 2 lanes halted"), std::string::npos) << status.out;
  const Finished recovered = on_stores({"recover"});
  EXPECT_EQ(recovered.status, 0) << recovered.err;
  const Finished unit = on_stores({"resolve", "0.1.1.1"});
  EXPECT_EQ(unit.out, "unit 0.1.1.1: aborted\n") << unit.err;
}

TEST_P(MixedPairs, ARefusedRowLeavesNeitherRowNorEvent) {
  write_file("in.jsonl", unit_of(1, topic_) + unit_of(1, topic_) + unit_of(2, topic_));
  const Finished applied = on_stores({"apply", "in.jsonl", "--on-error", "skip"});
  EXPECT_EQ(applied.status, 1);
  EXPECT_NE(applied.err.find("in.jsonl:2:"), std::string::npos) << applied.err;
  EXPECT_EQ(sql("select count(*) from orders"), "2");
  const Finished tailed = on_stores({"tail", topic_, "--from", "beginning", "--count", "2", "--json"});
  EXPECT_EQ(std::count(tailed.out.begin(), tailed.out.end(), '\n'), 2) << tailed.out;
}

class MixedPairsConsumed : public MixedPairs {
 protected:
  void SetUp() override {
    MixedPairs::SetUp();
    ASSERT_EQ(sql("create table seen (id bigint not null primary key check (id <> 13), key text, ok boolean, "
                  "price double precision, doc text, note text, at bigint)"),
              "");
  }
  void publish(int first, int last) {
    std::string lines;
    for (int id = first; id <= last; ++id) {
      const std::string text = std::to_string(id);
      lines += R"({"events":[{"topic":")" + topic_;
      lines += R"(","key":"k)" + std::to_string(id % 10) + R"(","type":"made","value":{"id":)" + text;
      lines += R"(,"ok":true,"price":)" + text + R"(.5,"doc":{"list":[1,"it's"]},"note":null}}]})" + "\n";
    }
    const Finished applied =
        on_stores({"apply", "--source", "s" + std::to_string(first), "--wait", "visible", "--batch", "50"}, lines);
    ASSERT_EQ(applied.status, 0) << applied.err;
  }
  [[nodiscard]] Arguments consume(const Arguments& more) const {
    const std::string sql =
        "insert into seen values (:value.id, :key, :value.ok, :value.price, :value.doc, :value.note, :timestamp_ms)";
    Arguments arguments{"consume", topic_, "--name", topic_, "--session-timeout", "6", "--sql", sql};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.insert(arguments.end(), {"--database", database_, "--stream", stream_});
    return arguments;
  }
  [[nodiscard]] Finished parked(const std::string& action, const Arguments& more) {
    Arguments arguments{"parked", action, "--name", topic_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return on_stores(arguments);
  }
};

TEST_P(MixedPairsConsumed, EachEventIsAppliedOnceWithItsValues) {
  publish(1, 10);
  const Finished consumed = run(consume({"--until-end", "--json", "--workers", "2"}));
  ASSERT_EQ(consumed.status, 0) << consumed.err;
  EXPECT_NE(consumed.out.find(R"("applied":10,"duplicates":0,)"), std::string::npos) << consumed.out;
  EXPECT_EQ(sql("select count(*) from seen where ok and price = id + 0.5 and note is null and at > 1600000000000"),
            "10");
  EXPECT_EQ(sql("select distinct doc from seen"), R"({"list":[1,"it's"]})");
  publish(11, 12);
  EXPECT_NE(run(consume({"--until-end", "--json"})).out.find(R"("applied":2,"duplicates":0,)"), std::string::npos);
}

TEST_P(MixedPairsConsumed, ARefusedEventIsParkedAndComesWhenItIsMended) {
  publish(13, 23);  // 23 is of the same key as 13
  const Finished stopped = run(consume({"--until-end", "--quiet"}));
  expect_refused(stopped, 1, "could not be applied: ");
  EXPECT_NE(stopped.err.find(topic_ + "["), std::string::npos) << stopped.err;
  const Finished consumed = run(consume({"--until-end", "--json", "--on-error", "park"}));
  ASSERT_EQ(consumed.status, 0) << consumed.err;
  EXPECT_NE(consumed.out.find(R"("parked":2,)"), std::string::npos) << consumed.out;
  EXPECT_EQ(sql("select count(*) from seen"), "9");
  const Finished listed = parked("list", {});
  EXPECT_EQ(std::count(listed.out.begin(), listed.out.end(), '\n'), 2) << listed.out << listed.err;
  EXPECT_NE(listed.out.find("  parked  key k3  "), std::string::npos) << listed.out;
  EXPECT_NE(listed.out.find("  waiting  key k3  "), std::string::npos) << listed.out;
  const Finished retried = parked("retry", {"--key", "k3"});
  EXPECT_EQ(retried.out, "1 to be tried again by the running consumer\n") << retried.err;
  const pid_t child = start(consume({"--on-error", "park"}), STDIN_FILENO, "again");
  EXPECT_TRUE(eventually([&] { return parked("list", {}).out.find("  retry  ") == std::string::npos; }));
  const Finished dropped = parked("drop", {"--all"});
  EXPECT_EQ(dropped.out, "1 dropped\n") << dropped.err;
  EXPECT_TRUE(eventually([&] { return sql("select count(*) from seen where id = 23") == "1"; }));
  kill(child, SIGTERM);
  EXPECT_EQ(finish(child, "again").status, 143);
  EXPECT_EQ(parked("list", {}).out, "");
}

TEST_P(MixedPairsConsumed, AKilledRunLeavesNothingByHalves) {
  publish(14, 1'513);
  const pid_t child = start(consume({"--batch", "2"}), STDIN_FILENO, "killed");
  EXPECT_TRUE(eventually([&] { return sql("select count(*) > 20 from seen") == (numbered_ ? "t" : "1"); }))
      << read_file("killed.err");
  kill(child, SIGKILL);
  EXPECT_EQ(finish(child, "killed").status, 128 + SIGKILL);
  const Finished rest = run(consume({"--until-end", "--json"}));
  ASSERT_EQ(rest.status, 0) << rest.err;
  EXPECT_EQ(sql("select count(*), sum(id) from seen"), "1500|1145250");
  EXPECT_EQ(rest.out.find(R"("applied":1500,)"), std::string::npos) << rest.out;
}

constexpr std::array mixed_pairs{Pair{"PostgresqlAndKafka", true, true}, Pair{"SqliteAndKafka", false, true},
                                 Pair{"PostgresqlAndLocalStream", true, false}};
std::string name_of_pair(const testing::TestParamInfo<Pair>& pair) { return pair.param.name; }

INSTANTIATE_TEST_SUITE_P(Program, MixedPairsConsumed, testing::ValuesIn(mixed_pairs), name_of_pair);
INSTANTIATE_TEST_SUITE_P(Program, MixedPairs, testing::ValuesIn(mixed_pairs), name_of_pair);

// --- wrong set-ups

class WrongSetUp : public ServersTest {
 protected:
  void SetUp() override {
    use_postgresql();
    use_kafka();
  }
};

TEST_F(WrongSetUp, AServerThatDoesNotAnswerIsNamed) {
  init();
  environment_database_ = "postgresql://write_aside:hush@127.0.0.1:1/shop";
  const Finished without_database = run({"status", "--stream", stream_});
  expect_refused(without_database, 4, "127.0.0.1:1");
  EXPECT_EQ(without_database.err.find("hush"), std::string::npos) << "a secret is shown";
  stream_ = "kafka://127.0.0.1:1";
  expect_refused(on_stores({"tail", topic_}), 4, "127.0.0.1:1");
}

TEST_F(WrongSetUp, ADatabaseThatDoesNotExistIsNamed) {
  database_ += "_not";
  expect_refused(on_stores({"status"}), 4, "does not exist");
}

TEST_F(WrongSetUp, MissingTablesAreNamedWithTheCommandThatMakesThem) {
  write_file("in.jsonl", units(1));
  expect_refused(on_stores({"apply", "in.jsonl"}), 2, "write-aside init");
}

TEST_F(WrongSetUp, AnUnknownTopicIsNamedAndNothingIsCommitted) {
  init();
  write_file("in.jsonl", unit_of(1, "nowhere"));
  const Finished applied = on_stores({"apply", "in.jsonl"});
  EXPECT_EQ(applied.status, 1);
  EXPECT_NE(applied.err.find("topic 'nowhere' does not exist"), std::string::npos) << applied.err;
  EXPECT_EQ(sql("select count(*) from orders"), "0");
}

TEST_F(WrongSetUp, ALedgerThatIsMissingTooSmallOrNotCompactedIsRefused) {
  const std::string plain = random_name("plain-");
  const std::string small = random_name("small-");
  init({"--topic", plain + ":2", "--topic", small + ":1:compacted"});
  write_file("in.jsonl", units(1));
  for (const std::string& ledger : {std::string("nowhere"), plain, small}) {
    write_file("write-aside.toml", "ledger_topic = \"" + ledger + "\"\n");
    expect_refused(on_stores({"apply", "in.jsonl"}), 2, ledger);
  }
  EXPECT_EQ(sql("select count(*) from orders"), "0");
}

// Both halts, as an operator meets them: the lane takes nothing, status says why, resolve explains the choices.
class HaltedLane : public WrongSetUp {
 protected:
  void expect_halt(const std::string& reason) {
    write_file("more.jsonl", unit_of(7, topic_));
    const Finished applied = on_stores({"apply", "more.jsonl"});
    EXPECT_EQ(applied.status, 3) << applied.err;
    const Finished status = on_stores({"status"});
    EXPECT_EQ(status.status, 3);
    EXPECT_NE(status.out.find(reason), std::string::npos) << status.out;
    const Finished choices = on_stores({"resolve"});
    EXPECT_EQ(choices.status, 3);
    for (const std::string& words : {reason, std::string("--settled"), std::string("--new-stream")}) {
      EXPECT_NE(choices.out.find(words), std::string::npos) << choices.out << choices.err;
    }
    EXPECT_EQ(sql("select count(*) from orders where id = 7"), "0");
  }
  void SetUp() override {
    WrongSetUp::SetUp();
    const Finished made = on_stores({"init", "--lanes", "1", "--topic", topic_ + ":2"});
    ASSERT_EQ(made.status, 0) << made.err;
    ASSERT_EQ(sql("create table backup as select * from write_aside_lane"), "");
    write_file("in.jsonl", units(3));
    const Finished applied = on_stores({"apply", "in.jsonl"});
    ASSERT_EQ(applied.status, 0) << applied.err;
  }
};

TEST_F(HaltedLane, WaitsForTheOperatorWhenTheDatabaseWasRestoredFromABackup) {
  ASSERT_EQ(sql("delete from write_aside_lane; insert into write_aside_lane select * from backup"), "");
  expect_halt("the database was restored from a backup");
}

TEST_F(HaltedLane, WaitsForTheOperatorWhenTheLedgerIsOfAnotherCluster) {
  ASSERT_EQ(sql("update write_aside_lane set stream_id = 'another'"), "");
  expect_halt("this is another stream");
}

}  // namespace
}  // namespace write_aside::integration
