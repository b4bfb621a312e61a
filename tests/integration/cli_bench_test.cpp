// `bench` on the embedded pair, for a second: it measures every variant, and leaves nothing behind but its topic.
#include <nlohmann/json.hpp>

#include "integration/program.hpp"

namespace write_aside::integration {
namespace {

using nlohmann::json;

class CliBench : public ProgramTest {
 protected:
  static Arguments tiny(const std::string& threads) {
    return {"bench", "--json", "--threads", threads, "--seconds", "0.2", "--warm-up", "0.05", "--rounds", "1"};
  }
  [[nodiscard]] std::string bench_tables() const {
    return query("shop.db", "select count(*) from sqlite_master where name like 'write_aside_bench%'");
  }
};

TEST_F(CliBench, MeasuresEveryVariantAtEveryNumberOfThreads) {
  initialise();

  const Finished finished = run(tiny("1,4"));

  ASSERT_EQ(finished.status, 0) << finished.err;
  const json report = json::parse(finished.out);
  ASSERT_EQ(report["medians"].size(), 10U);
  for (const json& point : report["medians"]) {
    EXPECT_GT(point["commits"], 0) << point;
    EXPECT_EQ(point["aborted"], 0) << point;
    EXPECT_LE(point["commit_ms"]["p50"], point["unit_ms"]["p99"]) << point;
    EXPECT_EQ(point.contains("visible_ms"), point["variant"] != "rows_only") << point;
    EXPECT_EQ(point.value("unseen", 0), 0) << point;
  }
}

TEST_F(CliBench, LeavesNothingBehindButTheTopic) {
  initialise();

  const Finished finished = run(tiny("2"));

  ASSERT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(bench_tables(), "0");
  EXPECT_EQ(query("shop.db", "select count(*) from write_aside_journal"), "0");
  EXPECT_EQ(query("shop.events",
                  "select group_concat(distinct topic) from committed_records"
                  " where topic not like 'write-aside-ledger.%'"),
            "write-aside-bench");
}

TEST_F(CliBench, BeginsNoMoreUnitsThanTheRateSays) {
  initialise();
  Arguments arguments = tiny("4");
  arguments.insert(arguments.end(), {"--rate", "50", "--variant", "exactly_once"});

  const Finished finished = run(arguments);

  ASSERT_EQ(finished.status, 0) << finished.err;
  const json point = json::parse(finished.out)["medians"][0];
  EXPECT_GT(point["commits"], 0);
  EXPECT_LE(point["commits"], 10);  // 50 a second for 0.2 s
}

TEST_F(CliBench, WithoutInitItSaysWhatToRun) {
  ASSERT_EQ(std::system(("sqlite3 " + path("shop.db") + " 'create table orders (id integer)'").c_str()), 0);
  write_file("shop.events", "");

  const Finished finished = run(tiny("1"));

  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("init"), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace write_aside::integration
