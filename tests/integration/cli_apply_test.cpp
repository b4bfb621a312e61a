// Goal: `apply` and `load` keep rows and events together over refusals, kills, signals and concurrent runs, and go on
// exactly behind the last committed unit.
// Method: the real program on SQLite and a local stream; the stores are read with sqlite3 and with `verify`.
#include <nlohmann/json.hpp>

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
  const Finished verified = run({"verify", "in.csv", "--format", "csv", "--json"});
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
