// Goal: `consume` applies each event exactly once over kills, signals, refusals and concurrent runs, and says in one
// line what stops it.
// Method: the real program on SQLite and a local stream; the stores are read, and spoiled, with sqlite3.
#include <sqlite3.h>
#include <sys/resource.h>

#include "integration/consume_program.hpp"

namespace write_aside::integration {
namespace {

// Holds the write lock of an SQLite database, as a program of others might.
class Locked {
 public:
  explicit Locked(const std::string& file) {
    sqlite3_open(file.c_str(), &raw_);
    EXPECT_EQ(sqlite3_exec(raw_, "begin immediate", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~Locked() { release(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  void release() {
    sqlite3_close(raw_);
    raw_ = nullptr;
  }

 private:
  sqlite3* raw_ = nullptr;
};

class ConsumingByCommand : public ConsumeProgramTest {
 protected:
  // Runs until that many are applied, then sends the signal.
  Finished interrupt(const Arguments& arguments, int signal, int after) {
    const pid_t child = start_consume(arguments);
    EXPECT_TRUE(eventually([&] { return count_seen() >= after; })) << read_file("run.err");
    kill(child, signal);
    return finish(child);
  }
  // Whatever ended it, the three agree.
  void expect_nothing_by_halves() {
    const std::string count = std::to_string(count_seen());
    EXPECT_EQ(positions_and_entries(), count + " " + count + " " + count);
  }
};

TEST_F(ConsumingByCommand, AppliesEachEventOnceAndSaysSo) {
  initialise_consumer();
  publish_numbers(1, 100);
  const Json first = expect_consumed();
  EXPECT_EQ(first["applied"], 100);
  for (const char* none : {"duplicates", "outdated", "parked", "lag"}) EXPECT_EQ(first[none], 0) << none;
  EXPECT_GE(first["transactions"], 1);
  EXPECT_GT(first["seconds"], 0);
  EXPECT_GT(first["events_per_second"], 0);
  EXPECT_EQ(first.size(), 8u) << first;
  EXPECT_EQ(expect_consumed()["applied"], 0);
  publish_numbers(101, 130);
  EXPECT_EQ(expect_consumed()["applied"], 30);
  EXPECT_EQ(seen("count(*) || ' ' || sum(id)"), "130 8515");
  expect_nothing_by_halves();
}

TEST_F(ConsumingByCommand, TellsPeopleInASentence) {
  initialise_consumer();
  publish_numbers(1, 3);
  const Finished told = run(consume({"--until-end"}));
  EXPECT_EQ(told.status, 0);
  EXPECT_TRUE(told.err.starts_with("3 events applied in ")) << told.err;
  EXPECT_EQ(told.out, "");
  const Finished quiet = run(consume({"--until-end", "--quiet"}));
  EXPECT_EQ(quiet.status, 0);
  EXPECT_EQ(quiet.out + quiet.err, "");
}

TEST_F(ConsumingByCommand, EndsAtTheEndOfAnEmptyTopic) {
  initialise_consumer();
  EXPECT_EQ(expect_consumed()["applied"], 0);
  EXPECT_EQ(expect_consumed({"--workers", "3"})["applied"], 0);
}

TEST_F(ConsumingByCommand, BeginsAtTheEndIfAskedTo) {
  initialise_consumer();
  publish_numbers(1, 10);
  EXPECT_EQ(expect_consumed({"--from", "end"})["applied"], 0);
  publish_numbers(11, 15);
  EXPECT_EQ(expect_consumed({"--from", "end"})["applied"], 5);
}

TEST_F(ConsumingByCommand, RunsAllItsStatementsForEachEventInOneTransaction) {
  initialise_consumer();
  publish({event(1, "a"), event(2, "b"), event(3, "a")});
  const Json done = expect_consumed(
      {"--sql", "insert into seen values (:value.id, :key, :type)", "--sql",
       "update seen set state = state || ' ' || :topic || ' ' || coalesce(:value.note?, 'none') where id = :value.id"});
  EXPECT_EQ(done["applied"], 3);
  EXPECT_EQ(seen("group_concat(id || key || state)"), "1amade orders none,2bmade orders none,3amade orders none");
}

TEST_F(ConsumingByCommand, RunsOtherStatementsForTombstones) {
  initialise_consumer();
  const std::string tombstone = R"({"topic":"orders","key":"a","type":"gone","value":null})";
  publish({event(1, "a"), event(2, "b"), tombstone, event(3, "a")});
  const Arguments with_tombstones{"--tombstone-sql", "delete from seen where key = :key"};
  EXPECT_EQ(expect_consumed(with_tombstones)["applied"], 4);
  EXPECT_EQ(seen("group_concat(id)"), "2,3");
  publish({tombstone});
  expect_refused(consume_all(), 1, {"could not be applied: it has no value and so no 'value.id'"});
}

TEST_F(ConsumingByCommand, EndsCleanlyWithASignal) {
  initialise_consumer();
  publish_numbers(1, 20'000);
  const Finished ended = interrupt(consume({"--json", "--batch", "5"}), SIGTERM, 20);
  EXPECT_EQ(ended.status, 143) << ended.err;
  EXPECT_EQ(report(ended)["applied"], count_seen());
  EXPECT_LT(count_seen(), 20'000);
  expect_nothing_by_halves();
  const int before = count_seen();
  const Finished interrupted = interrupt(consume({"--json", "--batch", "5"}), SIGINT, before + 20);
  EXPECT_EQ(interrupted.status, 130) << interrupted.err;
  EXPECT_EQ(report(interrupted)["applied"], count_seen() - before);
  expect_nothing_by_halves();
  EXPECT_EQ(expect_consumed()["applied"], 20'000 - before - report(interrupted)["applied"].get<int>());
}

TEST_F(ConsumingByCommand, EndsWithASignalWhileNothingComes) {
  initialise_consumer();
  publish_numbers(1, 3);
  EXPECT_EQ(interrupt(consume({"--quiet", "--workers", "2"}), SIGTERM, 3).status, 143);
  expect_nothing_by_halves();
}

TEST_F(ConsumingByCommand, WaitsForADatabaseThatOthersLock) {
  initialise_consumer();
  publish_numbers(1, 10);
  Locked locked(path("shop.db"));
  const pid_t child = start_consume(consume_all());
  // It has joined the group, and claims its partitions next.
  ASSERT_TRUE(eventually(
      [&] { return query("shop.events", "select count(*) from sqlite_master where name = 'group_member'") == "1"; }));
  EXPECT_EQ(count_seen(), 0);
  locked.release();
  const Finished done = finish(child);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(report(done)["applied"], 10);
  expect_nothing_by_halves();
}

TEST_F(ConsumingByCommand, SurvivesBeingKilled) {
  initialise_consumer();
  publish_numbers(1, 5'000);
  for (const int after : {50, 700, 1'500}) {
    const Finished killed = interrupt(consume({"--quiet", "--batch", "5"}), SIGKILL, after);
    EXPECT_EQ(killed.status, 128 + SIGKILL);
    expect_nothing_by_halves();
  }
  const Json rest = expect_consumed();
  EXPECT_LE(rest["applied"], 3'500);
  EXPECT_EQ(rest["duplicates"], 0);
  EXPECT_EQ(seen("count(*) || ' ' || sum(id)"), "5000 12502500");
  expect_nothing_by_halves();
}

TEST_F(ConsumingByCommand, SharesTheWorkWithOtherRuns) {
  initialise_consumer();
  const Arguments arguments = consume({"--json", "--batch", "50"});
  const pid_t first = start_consume(arguments, "first");
  const pid_t second = start_consume(arguments, "second");
  const auto owners = [&] {
    return query("shop.db", "select count(distinct owner) from write_aside_position where generation > 0");
  };
  // A member that was replaced for a moment while they joined notices it with the next event.
  int published = 0;
  const auto publish_more = [&](int count) {
    publish_numbers(published + 1, published + count);
    published += count;
    return eventually([&] { return count_seen() == published; });
  };
  while (owners() != "2" && published < 5'000) ASSERT_TRUE(publish_more(100));
  ASSERT_EQ(owners(), "2");
  ASSERT_TRUE(publish_more(4'000));
  kill(first, SIGTERM);
  kill(second, SIGTERM);
  const Finished one = finish(first, "first");
  const Finished other = finish(second, "second");
  EXPECT_EQ(one.status, 143) << one.err;
  EXPECT_EQ(other.status, 143) << other.err;
  EXPECT_GT(report(one)["applied"], 0);
  EXPECT_GT(report(other)["applied"], 0);
  EXPECT_EQ(report(one)["applied"].get<int>() + report(other)["applied"].get<int>(), published);
  expect_nothing_by_halves();
}

TEST_F(ConsumingByCommand, TakesOverFromARunThatWasKilled) {
  initialise_consumer();
  const Arguments arguments = consume({"--quiet", "--batch", "10"});
  const pid_t first = start_consume(arguments, "first");
  const pid_t second = start_consume(arguments, "second");
  publish_numbers(1, 3'000);
  ASSERT_TRUE(eventually([&] { return count_seen() >= 100; }));
  kill(first, SIGKILL);
  finish(first, "first");
  ASSERT_TRUE(eventually([&] { return count_seen() == 3'000; }));
  kill(second, SIGTERM);
  EXPECT_EQ(finish(second, "second").status, 143);
  expect_nothing_by_halves();
}

// A disk that has room for part of the work: no file grows beyond a limit.
class ConsumingOntoAFullDisk : public ConsumingByCommand {
 protected:
  static constexpr rlim_t room = 300'000;
  static constexpr int count = 2'000;

  // Runs the consumer until nothing goes into the database any more.
  pid_t start_until_full() {
    std::vector<std::string> events;
    for (int id = 1; id <= count; ++id) events.push_back(event(id, "a", std::string(500, 'x')));
    publish(events);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit full{room, before.rlim_max};
    // The child inherits both: a write beyond the limit fails, as on a full disk.
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &full);
    const pid_t child = start_consume(consume({"--quiet", "--batch", "10", "--until-end"}));
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_TRUE(eventually([&] {
      std::error_code none_yet;
      return std::filesystem::file_size(path("shop.db-wal"), none_yet) == room;
    }));
    EXPECT_LT(count_seen(), count);
    return child;
  }
};

TEST_F(ConsumingOntoAFullDisk, GoesOnWhenThereIsRoomAgain) {
  initialise_consumer();
  const pid_t child = start_until_full();
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  ASSERT_EQ(prlimit(child, RLIMIT_FSIZE, &none, nullptr), 0);
  const Finished done = finish(child);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(count_seen(), count);
  expect_nothing_by_halves();
}

TEST_F(ConsumingOntoAFullDisk, EndsWithASignalAllTheSame) {
  initialise_consumer();
  const pid_t child = start_until_full();
  kill(child, SIGTERM);
  const Finished ended = finish(child);
  EXPECT_EQ(ended.status, 143) << ended.err;
  expect_nothing_by_halves();
  expect_consumed();
  EXPECT_EQ(count_seen(), count);
}

TEST_F(ConsumingByCommand, NamesATopicThatIsNotThere) {
  initialise_consumer();
  expect_refused({"consume", "nowhere", "--name", "totals", "--sql", "select 1"}, 2, {"'nowhere'", "shop.events"});
}

TEST_F(ConsumingByCommand, AsksForInitFirst) {
  expect_refused(consume(), 4, {"shop.db does not exist", "'write-aside init'"});
  initialise_consumer();
  for (const std::string suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path("shop.db" + suffix));
  ASSERT_EQ(query("shop.db", "create table seen (id integer primary key, key text, state text)"), "");
  const std::string remedy = "shop.db has no write-aside tables; run 'write-aside init'";
  expect_refused(consume(), 2, {remedy});
  expect_refused({"parked", "list", "--name", "totals"}, 2, {remedy});
  expect_refused({"parked", "retry", "--name", "totals", "--all"}, 2, {remedy});
  expect_refused({"parked", "drop", "--name", "totals", "--all"}, 2, {remedy});
}

TEST_F(ConsumingByCommand, RefusesWhatIsMissingOrWrongOnItsCommandLine) {
  initialise_consumer();
  expect_refused(consume({"--sql", "insert into seen values (:amount)"}), 2, {"':amount'", ":value.FIELD"});
  expect_refused(consume({"--sql", "insert into seen values (:{key)"}), 2, {"--sql: a ':{' has no '}'"});
  expect_refused(consume({"--sql", " "}), 2, {"--sql is empty"});
  expect_refused(consume({"--tombstone-sql", "delete from seen where id = :Key"}), 2, {"':Key'"});
  expect_refused({"consume", "orders", "--name", "totals"}, 2, {"--sql"});
  expect_refused({"consume", "orders", "--sql", "select 1"}, 2, {"--name"});
  expect_refused({"consume", "--name", "totals", "--sql", "select 1"}, 2, {"TOPIC"});
  expect_refused(consume({"--batch", "0"}), 2, {"--batch"});
  expect_refused(consume({"--on-error", "ignore"}), 2, {"--on-error"});
  expect_refused(consume({"--name", ""}), 2, {"a consumer needs a name"});
  expect_refused(consume({"--sql", "insert into seen values (?, :key, 'x')"}), 2, {"a placeholder '?' gets no value"});
  EXPECT_EQ(query("shop.db", "select count(*) from write_aside_position"), "0");
}

TEST_F(ConsumingByCommand, NamesTheEventThatItsStatementFailedAt) {
  initialise_consumer();
  publish({event(1, "a")});
  const auto at_first = [&](const std::string& sql, const std::string& reason) {
    const Finished refused =
        expect_refused(consume_all({"--sql", sql}), 1, {"orders[", "]@0 could not be applied: ", reason});
    EXPECT_EQ(report(refused)["applied"], 0);
  };
  at_first("insrt into seen values (:value.id)", "syntax error");
  at_first("insert into nowhere values (:key)", "no such table: nowhere");
  at_first("insert into seen values (:value.id, :key, :value.missing)", "it has no field 'value.missing'");
  at_first("insert into seen values (:value.id, :header.missing, 'x')", "it has no header 'missing'");
  at_first("insert into seen values (:value.id, :key, 'x'); delete from seen", "more than one statement");
  at_first("commit", "commit");
  EXPECT_EQ(positions_and_entries(), "0 0 0");
}

TEST_F(ConsumingByCommand, StopsAtTheEventThatIsRefusedWithAllBeforeItApplied) {
  initialise_consumer();
  publish({event(1, "a"), event(2, "a"), event(3, "a", "bad"), event(4, "a")});
  for (const int applied : {2, 0}) {
    const Finished stopped =
        expect_refused(consume_all(), 1, {"orders[", "]@2 could not be applied: ", "CHECK constraint"});
    EXPECT_EQ(report(stopped)["applied"], applied);
    EXPECT_EQ(report(stopped)["lag"], 2);
    EXPECT_EQ(positions_and_entries(), "2 2 2");
  }
  const Arguments mended{"--sql", "insert into seen values (:value.id, :key, 'was ' || :value.state)"};
  EXPECT_EQ(expect_consumed(mended)["applied"], 2);
  EXPECT_EQ(seen("group_concat(state)"), "good,good,was bad,was good");
}

TEST_F(ConsumingByCommand, RefusesValuesThatItCannotRead) {
  initialise_consumer();
  const auto refused_with = [&](const std::string& value, const std::string& reason) {
    publish({R"({"topic":"orders","key":"a","type":"made",)" + value + "}"});
    expect_refused(consume_all(), 1, {"could not be applied: ", reason});
    EXPECT_EQ(expect_consumed({"--sql", "insert into seen (key) values (:key)"})["applied"], 1);
  };
  refused_with(R"("value_base64":"AP8=")", "its value cannot be read: not valid JSON");
  refused_with(R"("value":"text")", "its value cannot be read");
  refused_with(R"("value":[1])", "its value cannot be read");
  refused_with(R"("value":{"id":12345678901234567890,"state":"x"})", "'value.id' cannot be read");
  EXPECT_EQ(count_seen(), 4);
}

TEST_F(ConsumingByCommand, TakesBytesAsBytes) {
  initialise_consumer();
  publish({R"({"topic":"orders","key":"a","type":"made","value_base64":"AP8="})"});
  expect_refused(consume_all({"--sql", "insert into seen (state) values (:value)"}), 1,
                 {"its value is not UTF-8 text; take it as :value_bytes"});
  EXPECT_EQ(expect_consumed({"--sql", "insert into seen (state) values (:value_bytes)"})["applied"], 1);
  EXPECT_EQ(seen("hex(state)"), "00FF");
}

TEST_F(ConsumingByCommand, StopsWhenTheStreamIsAnotherOne) {
  initialise_consumer();
  publish_numbers(1, 10);
  expect_consumed();
  remove_stream();
  ASSERT_EQ(run({"init", "--topic", "orders:2"}).status, 0);
  const Finished stopped = expect_refused(
      consume_all(), 4, {"consumer 'totals'", "orders[", "is of the stream with id", "give the consumer another name"});
  EXPECT_EQ(report(stopped)["applied"], 0);
  EXPECT_EQ(count_seen(), 10);
  EXPECT_EQ(expect_consumed({"--name", "others"})["applied"], 0);
}

TEST_F(ConsumingByCommand, StopsWhenRecordsWereRemovedBeforeTheyWereApplied) {
  initialise_consumer();
  publish_numbers(1, 10);
  expect_consumed();
  publish_numbers(11, 40);
  ASSERT_EQ(query("shop.events", "update partition set begin_offset = next_offset - 1 where next_offset > 1"), "");
  expect_refused(consume_all(), 4,
                 {"consumer 'totals'", "orders[", "begins at", "removed before they were applied", "another name"});
  EXPECT_EQ(count_seen(), 10);
}

TEST_F(ConsumingByCommand, StopsWhenTheTopicIsShorterThanItsPosition) {
  initialise_consumer();
  publish_numbers(1, 10);
  expect_consumed();
  ASSERT_EQ(query("shop.db", "update write_aside_position set next_offset = 1000"), "");
  expect_refused(consume_all(), 4, {"is 1000, but", "ends at", "made anew, or lost records", "another name"});
}

TEST_F(ConsumingByCommand, IdentifiesEventsByTheHeaderItIsTold) {
  initialise_consumer();
  const auto with_header = [](int id, const std::string& header) {
    return fmt::format(R"({{"topic":"orders","key":"a","type":"made","value":{{"id":{},"state":"x"}},"headers":{}}})",
                       id, header);
  };
  publish({with_header(1, R"({"id":"one"})"), with_header(2, R"({"id":"two"})"), with_header(3, R"({"id":"one"})")});
  const Json done = expect_consumed({"--identity-header", "id"});
  EXPECT_EQ(done["applied"], 2);
  EXPECT_EQ(done["duplicates"], 1);
  EXPECT_EQ(seen("group_concat(id)"), "1,2");
  publish({with_header(4, R"({"other":"four"})")});
  expect_refused(consume_all({"--identity-header", "id"}), 1, {"]@3 has no header 'id'", "choose another"});
}

TEST_F(ConsumingByCommand, DividesTheWorkAmongItsWorkers) {
  initialise_consumer();
  // On a busy machine the first worker may be through before the others have joined.
  std::string owners;
  for (int round = 0; round < 20 && owners != "2"; ++round) {
    publish_numbers(round * 2'000 + 1, (round + 1) * 2'000);
    const Json done =
        expect_consumed({"--workers", "3", "--instance", "here", "--batch", "20", "--strictly-increasing"});
    EXPECT_EQ(done["applied"], 2'000);
    EXPECT_EQ(done["outdated"], 0);
    owners = query("shop.db", "select count(distinct owner) from write_aside_position");
  }
  EXPECT_EQ(owners, "2");
  expect_nothing_by_halves();
}

TEST_F(ConsumingByCommand, TakesSeveralTopics) {
  initialise_consumer();
  ASSERT_EQ(run({"init", "--topic", "returns:1"}).status, 0);
  publish({event(1), R"({"topic":"returns","key":"a","type":"made","value":{"id":2,"state":"x"}})"});
  const Finished done = run({"consume", "orders", "returns", "--name", "totals", "--until-end", "--json", "--sql",
                             "insert into seen values (:value.id, :topic, :partition)"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(report(done)["applied"], 2);
  EXPECT_EQ(seen("group_concat(key)"), "orders,returns");
  expect_refused({"consume", "orders", "missing", "--name", "totals", "--sql", "select 1"}, 2, {"'missing'"});
}

TEST_F(ConsumingByCommand, AReportThatCannotBeWrittenIsTold) {
  initialise_consumer();
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  const pid_t child = start(consume_all(), STDIN_FILENO, "full", full);
  close(full);
  const Finished ended = finish(child, "full");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.err, "write-aside: cannot write to standard output: No space left on device\n");
}

TEST_F(ConsumingByCommand, BindsValuesAndNeverRunsThem) {
  initialise_consumer();
  publish({event(1, "'); drop table seen; --", "' || (select 1) || '"), event(2, ":key", ":value.id $1 ?1"),
           event(3, R"(\u001b[2J\u0000x)", R"(\u0007\u009b2J)")});
  EXPECT_EQ(expect_consumed()["applied"], 3);
  EXPECT_EQ(query("shop.db", "select key || state from seen where id = 1"),
            "'); drop table seen; --' || (select 1) || '");
  EXPECT_EQ(query("shop.db", "select key || state from seen where id = 2"), ":key:value.id $1 ?1");
  EXPECT_EQ(query("shop.db", "select hex(state) from seen where id = 3"), "07C29B324A");
}

}  // namespace
}  // namespace write_aside::integration
