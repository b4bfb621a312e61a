// Goal: `apply` and `load` keep rows and events together over refusals, kills, signals and concurrent runs, and go on
// exactly behind the last committed unit.
// Method: the real program on SQLite and a local stream; the stores are read with sqlite3 and with `verify`.
#include <nlohmann/json.hpp>
#include <set>

#include "integration/program.hpp"

namespace write_aside::integration {
namespace {

using Json = nlohmann::json;

class Applying : public ProgramTest {
 protected:
  static Json report(const Finished& finished) {
    const std::size_t last = finished.out.rfind('\n', finished.out.size() - 2);
    return Json::parse(finished.out.substr(last == std::string::npos ? 0 : last + 1));
  }
  static std::string units(int first, int last) {
    std::string text;
    for (int id = first; id <= last; ++id) text += unit(id);
    return text;
  }
  void expect_faultless(const std::string& input) {
    const Finished verified = run({"verify", input, "--json"});
    EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
    EXPECT_EQ(Json::parse(verified.out)["undelivered"], 0);
  }
  // Runs until that many rows are there, then sends the signal.
  Finished interrupt(const Arguments& arguments, int signal, int after_rows) {
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const pid_t child = start(arguments, nothing);
    close(nothing);
    EXPECT_TRUE(eventually([&] {
      const std::string count = rows();
      return !count.empty() && std::isdigit(count[0]) && std::stoi(count) >= after_rows;
    }));
    kill(child, signal);
    return finish(child);
  }
};

TEST_F(Applying, CommitsEachUnitOnce) {
  initialise();
  write_file("in.jsonl", units(1, 50));
  const Finished first = run({"apply", "in.jsonl", "--batch", "7", "--json", "--wait", "visible"});
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(report(first)["committed"], 50);
  EXPECT_EQ(report(first)["events"], 50);
  const Finished second = run({"apply", "in.jsonl", "--json"});
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(report(second)["skipped"], 50);
  EXPECT_EQ(report(second)["committed"], 0);
  EXPECT_EQ(rows() + " " + events(), "50 50");
  expect_faultless("in.jsonl");
}

TEST_F(Applying, GoesOnWhenTheInputHasGrown) {
  initialise();
  std::string text = units(1, 3);
  text.pop_back();
  write_file("in.jsonl", text);
  ASSERT_EQ(run({"apply", "in.jsonl"}).status, 0);
  write_file("in.jsonl", units(1, 5));
  const Finished second = run({"apply", "in.jsonl", "--json"});
  EXPECT_EQ(report(second)["skipped"], 3) << second.err;
  EXPECT_EQ(report(second)["committed"], 2);
  expect_faultless("in.jsonl");
}

TEST_F(Applying, RefusesAnInputThatHasChangedBeforeItsProgress) {
  initialise();
  write_file("in.jsonl", units(1, 3));
  ASSERT_EQ(run({"apply", "in.jsonl"}).status, 0);
  write_file("in.jsonl", units(2, 4));
  const Finished second = run({"apply", "in.jsonl"});
  EXPECT_EQ(second.status, 2);
  EXPECT_EQ(second.err,
            "write-aside: in.jsonl: the input has changed since an earlier run applied it up to line 3; restore it, or "
            "give the "
            "new input a name of its own with --source\n");
  EXPECT_EQ(rows(), "3");
}

TEST_F(Applying, StopsAtARefusedUnitAndGoesOnOnceItIsMended) {
  initialise();
  for (const std::string batch : {"1", "4"}) {
    const int base = std::stoi(batch) * 100;
    const auto text = [&](const std::string& state) {
      return units(base + 1, base + 5) + unit(base + 6, state) + units(base + 7, base + 9);
    };
    write_file("in.jsonl", text("much too long"));
    const Finished stopped = run({"apply", "in.jsonl", "--batch", batch, "--source", "s" + batch, "--json"});
    EXPECT_EQ(stopped.status, 1);
    EXPECT_TRUE(stopped.err.starts_with("write-aside: in.jsonl:6:23: ")) << stopped.err;
    EXPECT_EQ(report(stopped)["committed"], 5) << "those before it commit";
    EXPECT_EQ(report(stopped)["aborted"], 1);
    write_file("in.jsonl", text("mended"));
    const Finished mended = run({"apply", "in.jsonl", "--batch", batch, "--source", "s" + batch, "--json"});
    EXPECT_EQ(mended.status, 0) << mended.err;
    EXPECT_EQ(report(mended)["committed"], 4);
  }
  EXPECT_EQ(rows() + " " + events(), "18 18");
}

TEST_F(Applying, SkipsRefusedUnitsAloneAndKeepsThem) {
  initialise();
  write_file("in.jsonl", units(1, 2) + unit(3, "much too long") + "nonsense\n" + unit(2) + units(6, 8));
  const Finished skipped =
      run({"apply", "in.jsonl", "--batch", "100", "--on-error", "skip", "--rejects", "bad.jsonl", "--json"});
  EXPECT_EQ(skipped.status, 1);
  EXPECT_EQ(report(skipped)["committed"], 5) << skipped.err;
  EXPECT_EQ(report(skipped)["aborted"], 3);
  EXPECT_EQ(rows() + " " + events(), "5 5");
  std::istringstream lines(read_file("bad.jsonl"));
  std::vector<std::uint64_t> rejected;
  for (std::string line; std::getline(lines, line);) rejected.push_back(Json::parse(line)["line"]);
  std::sort(rejected.begin(), rejected.end());
  EXPECT_EQ(rejected, (std::vector<std::uint64_t>{3, 4, 5}));
  const Finished again = run({"apply", "in.jsonl", "--on-error", "skip", "--json"});
  EXPECT_EQ(again.status, 0) << "what was passed over is not tried again";
  EXPECT_EQ(report(again)["skipped"], 5);
  expect_faultless("in.jsonl");
}

TEST_F(Applying, FindsTheUnitThatOnlyTheCommitRefuses) {
  initialise();
  ASSERT_EQ(query("shop.db",
                  "create table parts (id integer primary key, of references parts deferrable initially deferred)"),
            "");
  const auto part = [](int id, int of) {
    return R"x({"statements":[{"sql":"insert into parts values (?,?)","params":[)x" + std::to_string(id) + "," +
           std::to_string(of) + "]}]}\n";
  };
  write_file("in.jsonl", part(1, 1) + part(2, 99) + part(3, 1));
  const Finished skipped = run({"apply", "in.jsonl", "--batch", "10", "--on-error", "skip", "--json"});
  const Json counts = report(skipped);
  EXPECT_EQ(counts["committed"], 2) << skipped.err;
  EXPECT_EQ(counts["aborted"], 1);
  EXPECT_TRUE(skipped.err.starts_with("write-aside: in.jsonl:2:1: ")) << skipped.err;
  EXPECT_EQ(query("shop.db", "select group_concat(id) from parts"), "1,3");
}

TEST_F(Applying, SurvivesBeingKilled) {
  initialise();
  write_file("in.jsonl", units(1, 3'000));
  for (const int after : {50, 400, 1'000}) {
    const Finished killed = interrupt({"apply", "in.jsonl", "--batch", "5", "--quiet"}, SIGKILL, after);
    EXPECT_EQ(killed.status, 128 + SIGKILL);
  }
  const Finished rest = run({"apply", "in.jsonl", "--batch", "100", "--json"});
  ASSERT_EQ(rest.status, 0) << rest.err;
  EXPECT_GE(report(rest)["skipped"], 1'000);
  EXPECT_EQ(rows() + " " + events(), "3000 3000");
  expect_faultless("in.jsonl");
}

TEST_F(Applying, EndsAUnitBeforeItObeysASignal) {
  initialise();
  write_file("in.jsonl", units(1, 20'000));
  const Finished interrupted = interrupt({"apply", "in.jsonl", "--json"}, SIGINT, 20);
  EXPECT_EQ(interrupted.status, 130) << interrupted.err;
  EXPECT_EQ(report(interrupted)["committed"], std::stoi(rows()));
  EXPECT_EQ(rows(), events());
  const Finished ended = interrupt({"apply", "in.jsonl", "--json"}, SIGTERM, 60);
  EXPECT_EQ(ended.status, 143) << ended.err;
  EXPECT_EQ(rows(), events());
  expect_faultless("in.jsonl");
}

TEST_F(Applying, ObeysASignalWhileThePipeIsSilent) {
  initialise();
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  const pid_t child = start({"apply", "--source", "pipe", "--batch", "10", "--json"}, pipe_ends[0]);
  close(pipe_ends[0]);
  const std::string text = units(1, 3) + unit(4).substr(0, 20);
  ASSERT_EQ(write(pipe_ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  // Units are not kept waiting for a batch to fill.
  EXPECT_TRUE(eventually([&] { return rows() == "3"; }));
  kill(child, SIGTERM);
  const Finished ended = finish(child);
  close(pipe_ends[1]);
  EXPECT_EQ(ended.status, 143) << ended.err;
  EXPECT_EQ(report(ended)["committed"], 3);
  EXPECT_EQ(events(), "3");
}

TEST_F(Applying, RefusesASecondRunOfTheSameSource) {
  initialise();
  write_file("in.jsonl", units(1, 20'000));
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t first = start({"apply", "in.jsonl", "--quiet"}, nothing, "first");
  close(nothing);
  ASSERT_TRUE(eventually([&] { return rows() != "0"; }));
  const Finished second = run({"apply", "in.jsonl", "--json"});
  EXPECT_EQ(second.status, 1) << second.err;
  kill(first, SIGTERM);
  EXPECT_EQ(finish(first, "first").status, 143);
  EXPECT_EQ(rows(), events());
  expect_faultless("in.jsonl");
}

// Units of 20 keys, so that each worker has several of them and each key many units.
class ApplyingWithWorkers : public Applying {
 protected:
  static std::string keyed(int first, int last, int refused = 0) {
    std::string text;
    for (int id = first; id <= last; ++id) {
      std::string line = unit(id, id == refused ? "much too long" : "new");
      line.resize(line.size() - 2);
      // The event's key is the ordering key, so that the order can be seen in the stream.
      const std::string key = std::to_string(id % 20);
      line.replace(line.find(R"("key":")"), 7 + std::to_string(id).size(), R"("key":")" + key);
      text.append(line).append(R"(,"ordering_key":")").append(key).append("\"}\n");
    }
    return text;
  }
  // Events of one key that stand behind a later one of theirs.
  [[nodiscard]] std::string overtaken() const {
    return query("shop.events",
                 "select count(*) from (select json_extract(value, '$.id') as id, lag(json_extract(value, '$.id')) "
                 "over (partition by key order by partition, offset) as last from committed_records where topic = "
                 "'orders') where id < last");
  }
  [[nodiscard]] std::string position() const {
    return query("shop.db", "select position from write_aside_progress where source not like '%#%'");
  }
};

TEST_F(ApplyingWithWorkers, CommitsEachUnitOnceInTheOrderOfItsKey) {
  initialise();
  write_file("in.jsonl", keyed(1, 2'000));
  for (const std::string batch : {"1", "7"}) {
    const Finished applied = run({"apply", "in.jsonl", "--workers", "4", "--batch", batch, "--json"});
    ASSERT_EQ(applied.status, 0) << applied.err;
    EXPECT_EQ(report(applied)["committed"], batch == "1" ? 2'000 : 0) << "the second time there is nothing left to do";
    EXPECT_EQ(report(applied)["units"], 2'000);
  }
  EXPECT_EQ(rows() + " " + events() + " " + overtaken(), "2000 2000 0");
  expect_faultless("in.jsonl");
}

TEST_F(ApplyingWithWorkers, LeaveOnePositionBehindFromWhichAnyNumberGoesOn) {
  initialise();
  int units = 0;
  for (const std::string workers : {"1", "4", "3", "1"}) {
    units += 100;
    write_file("in.jsonl", keyed(1, units));
    const Finished applied = run({"apply", "in.jsonl", "--workers", workers, "--json"});
    ASSERT_EQ(applied.status, 0) << applied.err;
    EXPECT_EQ(report(applied)["committed"], 100);
    EXPECT_TRUE(position().starts_with("v1 units=" + std::to_string(units) + " ")) << position();
  }
  EXPECT_EQ(rows() + " " + events() + " " + overtaken(), "400 400 0");
  expect_faultless("in.jsonl");
}

TEST_F(ApplyingWithWorkers, GoOnInTheirNumberAfterAKillWhateverIsAskedFor) {
  initialise();
  write_file("in.jsonl", keyed(1, 3'000));
  const Finished killed = interrupt({"apply", "in.jsonl", "--workers", "4", "--quiet"}, SIGKILL, 300);
  EXPECT_EQ(killed.status, 128 + SIGKILL);
  EXPECT_TRUE(position().starts_with("v1 plan=4 ")) << position();
  const Finished other = interrupt({"apply", "in.jsonl", "--workers", "2", "--quiet"}, SIGKILL, 900);
  EXPECT_EQ(other.status, 128 + SIGKILL);
  EXPECT_TRUE(other.err.starts_with("write-aside: source '" + path("in.jsonl") + "' was interrupted with 4 workers; "))
      << other.err;
  EXPECT_TRUE(position().starts_with("v1 plan=4 ")) << position();
  const Finished rest = run({"apply", "in.jsonl", "--batch", "50", "--json"});
  ASSERT_EQ(rest.status, 0) << rest.err;
  EXPECT_GE(report(rest)["skipped"], 900);
  EXPECT_EQ(report(rest)["units"], 3'000);
  EXPECT_TRUE(position().starts_with("v1 units=3000 ")) << position();
  EXPECT_EQ(rows() + " " + events() + " " + overtaken(), "3000 3000 0");
  expect_faultless("in.jsonl");
}

TEST_F(ApplyingWithWorkers, AreAddedUpByStatusAndJudgedByVerifyBeforeTheirEnd) {
  initialise();
  write_file("in.jsonl", keyed(1, 3'000));
  EXPECT_EQ(interrupt({"apply", "in.jsonl", "--workers", "4", "--quiet"}, SIGKILL, 300).status, 128 + SIGKILL);
  ASSERT_EQ(run({"recover"}).status, 0);

  const Json status = Json::parse(run({"status", "--source", path("in.jsonl"), "--json"}).out);
  EXPECT_EQ(std::to_string(status["units"].get<int>()), rows());
  EXPECT_EQ(status["unfinished_workers"], 4);
  const std::string told = run({"status", "--source", path("in.jsonl")}).out;
  EXPECT_NE(told.find(": " + rows() + " units done, 0 of them rejected, up to line "), std::string::npos) << told;
  EXPECT_NE(told.find("; unfinished, with 4 workers\n"), std::string::npos) << told;

  const Json whole = Json::parse(run({"verify", "in.jsonl", "--json"}).out);
  EXPECT_EQ(whole["note"], "");
  EXPECT_EQ(whole["ok"], true) << whole;
  remove_stream();
  ASSERT_EQ(run({"init", "--topic", "orders:2"}).status, 0);
  const Json lossy = Json::parse(run({"verify", "in.jsonl", "--json"}).out);
  EXPECT_EQ(std::to_string(lossy["lost"].get<int>()), rows()) << lossy;
  write_file("in.jsonl", keyed(2, 3'001));
  EXPECT_EQ(run({"verify", "in.jsonl"}).status, 2) << "another input";
}

TEST_F(ApplyingWithWorkers, StopTogetherAtARefusedUnitAndGoOnOnceItIsMended) {
  initialise();
  write_file("in.jsonl", keyed(1, 400, 200));
  const Finished stopped = run({"apply", "in.jsonl", "--workers", "4", "--json"});
  EXPECT_EQ(stopped.status, 1);
  EXPECT_TRUE(stopped.err.starts_with("write-aside: in.jsonl:200:")) << stopped.err;
  EXPECT_EQ(std::count(stopped.err.begin(), stopped.err.end(), '\n'), 1) << stopped.err;
  EXPECT_EQ(report(stopped)["aborted"], 1);
  EXPECT_EQ(report(stopped)["committed"], std::stoi(rows()));
  EXPECT_EQ(query("shop.db", "select count(*) from orders where id > 200 and id % 20 = 0"), "0")
      << "nothing of its key is committed behind it";
  write_file("in.jsonl", keyed(1, 400));
  const Finished mended = run({"apply", "in.jsonl", "--workers", "4", "--json"});
  EXPECT_EQ(mended.status, 0) << mended.err;
  EXPECT_EQ(rows() + " " + events() + " " + overtaken(), "400 400 0");
}

TEST_F(ApplyingWithWorkers, SkipRefusedUnitsAloneAndKeepThemWhole) {
  initialise();
  std::string text;
  for (int id = 1; id <= 400; ++id) text += keyed(id, id, id % 10 == 0 ? id : 0);
  write_file("in.jsonl", text);
  const Finished skipped = run({"apply", "in.jsonl", "--workers", "4", "--batch", "8", "--on-error", "skip",
                                "--rejects", "bad.jsonl", "--json"});
  EXPECT_EQ(skipped.status, 1);
  EXPECT_EQ(report(skipped)["committed"], 360) << skipped.err;
  EXPECT_EQ(report(skipped)["aborted"], 40);
  std::istringstream lines(read_file("bad.jsonl"));
  std::set<std::uint64_t> rejected;
  for (std::string line; std::getline(lines, line);) rejected.insert(Json::parse(line)["line"].get<std::uint64_t>());
  EXPECT_EQ(rejected.size(), 40u);
  EXPECT_NE(position().find(" rejected=40 "), std::string::npos) << position();
  EXPECT_EQ(rows() + " " + events() + " " + overtaken(), "360 360 0");
  expect_faultless("in.jsonl");
}

TEST_F(ApplyingWithWorkers, RefuseAnInputThatHasChangedBeforeTheirPlaces) {
  initialise();
  write_file("in.jsonl", keyed(1, 5'000));
  EXPECT_EQ(interrupt({"apply", "in.jsonl", "--workers", "4", "--quiet"}, SIGKILL, 300).status, 128 + SIGKILL);
  const std::string before = rows();
  write_file("in.jsonl", keyed(2, 5'001));
  const Finished changed = run({"apply", "in.jsonl", "--workers", "4"});
  EXPECT_EQ(changed.status, 2);
  EXPECT_NE(changed.err.find("in.jsonl: the input has changed since an earlier run applied it"), std::string::npos)
      << changed.err;
  write_file("in.jsonl", keyed(1, 10));
  const Finished shorter = run({"apply", "in.jsonl", "--workers", "4"});
  EXPECT_EQ(shorter.status, 2);
  EXPECT_NE(shorter.err.find("the input has become shorter"), std::string::npos) << shorter.err;
  EXPECT_EQ(rows(), before) << "nothing of either is applied";
}

TEST_F(ApplyingWithWorkers, RefuseASecondRunOfTheSameSource) {
  initialise();
  write_file("in.jsonl", keyed(1, 20'000));
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t first = start({"apply", "in.jsonl", "--workers", "4", "--quiet"}, nothing, "first");
  close(nothing);
  ASSERT_TRUE(eventually([&] { return rows() != "0"; }));
  const Finished second = run({"apply", "in.jsonl", "--workers", "4", "--json"});
  EXPECT_EQ(second.status, 1) << second.err;
  EXPECT_NE(second.err.find("another run of source"), std::string::npos) << second.err;
  kill(first, SIGTERM);
  EXPECT_EQ(finish(first, "first").status, 143);
  EXPECT_EQ(rows() + " " + overtaken(), events() + " 0");
  expect_faultless("in.jsonl");
}

// Whichever of them stores its plan first goes on alone.
TEST_F(ApplyingWithWorkers, OneOfTwoThatBeginTogetherIsRefused) {
  initialise();
  write_file("in.jsonl", keyed(1, 2'000));
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t a = start({"apply", "in.jsonl", "--workers", "4", "--json"}, nothing, "a");
  const pid_t b = start({"apply", "in.jsonl", "--workers", "3", "--json"}, nothing, "b");
  close(nothing);
  std::vector<Finished> ended{finish(a, "a"), finish(b, "b")};
  std::vector<int> statuses{ended[0].status, ended[1].status};
  std::sort(statuses.begin(), statuses.end());
  // One that is late enough finds everything done.
  EXPECT_EQ(statuses.front(), 0) << ended[0].err << ended[1].err;
  EXPECT_LE(statuses.back(), 1) << ended[0].err << ended[1].err;
  EXPECT_EQ(rows() + " " + events() + " " + overtaken(), "2000 2000 0");
  expect_faultless("in.jsonl");
}

TEST_F(ApplyingWithWorkers, KeepOutOfTheProgressOfAnotherSource) {
  initialise();
  write_file("in.jsonl", keyed(1, 10));
  write_file("other.jsonl", keyed(11, 20));
  ASSERT_EQ(run({"apply", "other.jsonl", "--source", "in#1"}).status, 0);
  const Finished refused = run({"apply", "in.jsonl", "--source", "in", "--workers", "2"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("under the name 'in#1', which another source has; use another --source"),
            std::string::npos)
      << refused.err;
  EXPECT_EQ(rows(), "10");
}

TEST_F(ApplyingWithWorkers, EndTheirUnitsBeforeTheyObeyASignal) {
  initialise();
  write_file("in.jsonl", keyed(1, 20'000));
  const Finished interrupted = interrupt({"apply", "in.jsonl", "--workers", "4", "--json"}, SIGINT, 50);
  EXPECT_EQ(interrupted.status, 130) << interrupted.err;
  EXPECT_EQ(report(interrupted)["committed"], std::stoi(rows()));
  EXPECT_EQ(rows() + " " + overtaken(), events() + " 0");
  expect_faultless("in.jsonl");
}

TEST_F(ApplyingWithWorkers, WorkAtEveryLevelAndWaitUntilEventsAreVisible) {
  initialise();
  int last = 0;
  for (const std::string level : {"exactly_once", "transactional", "at_least_once"}) {
    write_file(level, keyed(last + 1, last + 100));
    last += 100;
    const Finished applied =
        run({"apply", level, "--workers", "4", "--guarantee", level, "--wait", "visible", "--json"});
    ASSERT_EQ(applied.status, 0) << applied.err;
    EXPECT_EQ(report(applied)["committed"], 100);
  }
  EXPECT_EQ(rows() + " " + events(), "300 300");
}

TEST_F(ApplyingWithWorkers, LoadKeepsTheOrderOfTheEventsKey) {
  initialise();
  ASSERT_EQ(query("shop.db", "create table seen (n integer primary key, k text)"), "");
  std::string csv = "n,k\n";
  for (int i = 1; i <= 1'000; ++i) csv += std::to_string(i) + "," + std::to_string(i % 10) + "\n";
  write_file("in.csv", csv);
  const Finished loaded = run({"load", "in.csv", "--table", "seen", "--topic", "orders", "--key", "k", "--workers", "4",
                               "--batch", "5", "--json"});
  ASSERT_EQ(loaded.status, 0) << loaded.err;
  EXPECT_EQ(report(loaded)["committed"], 1'000);
  const Finished verified = run({"verify", "in.csv", "--format", "csv", "--topic", "orders", "--json"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  EXPECT_EQ(Json::parse(verified.out)["note"], "");
  EXPECT_EQ(query("shop.db", "select count(*) from seen"), "1000");
}

TEST_F(Applying, LoadsCsvAndReplacesRows) {
  initialise();
  write_file("in.csv", "\xEF\xBB\xBFid,state\r\n1,new\r\n2,\"a,\"\"b\"\r\n");
  const Arguments load{"load", "--table",  "orders",  "--topic", "orders", "--key",
                       "id",   "--upsert", "--batch", "10",      "--json"};
  Arguments first = load;
  first.emplace_back("in.csv");
  const Finished loaded = run(first);
  ASSERT_EQ(loaded.status, 0) << loaded.err;
  write_file("more.jsonl", R"({"id":2,"state":"paid"})");
  Arguments second = load;
  second.emplace_back("more.jsonl");
  ASSERT_EQ(run(second).status, 0);
  EXPECT_EQ(query("shop.db", "select group_concat(id || state) from orders"), "1new,2paid");
  const Finished tail = run({"tail", "orders", "--json"});
  EXPECT_EQ(std::count(tail.out.begin(), tail.out.end(), '\n'), 3) << tail.out;
  EXPECT_NE(tail.out.find(R"("value":"{\"id\":\"2\",\"state\":\"a,\\\"b\"}")"), std::string::npos) << tail.out;
  EXPECT_NE(tail.out.find(R"("ce_type":"orders.upserted")"), std::string::npos);
  const Finished verified = run({"verify", "in.csv", "--format", "csv", "--topic", "orders", "--json"});
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
}

TEST_F(Applying, ReadsItsDefaultsFromTheConfiguration) {
  initialise();
  write_file("write-aside.toml", "source = \"nightly\"\n");
  ASSERT_EQ(run({"apply"}, unit(1)).status, 0);
  const Finished status = run({"status", "--source", "nightly", "--json"});
  EXPECT_TRUE(Json::parse(status.out)["progress"].get<std::string>().starts_with("v1 units=1 ")) << status.out;
}

}  // namespace
}  // namespace write_aside::integration
