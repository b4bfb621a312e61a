#include "audit/stream_audit.hpp"

#include <gtest/gtest.h>

namespace write_aside::cli {
namespace {

class StreamAuditing : public testing::Test {
 protected:
  void see(const std::string& id, const std::string& source = "orders") {
    ports::StoredRecord record;
    record.topic = "t";
    record.offset = offset_++;
    record.headers = {{"ce_id", id}, {"ce_source", source}};
    audit_.see(record);
  }
  static Position up_to(std::uint64_t line) {
    Position position;
    position.mark.line = line;
    return position;
  }
  void expect(std::uint64_t lost, std::uint64_t orphan, std::uint64_t duplicate, std::uint64_t torn,
              std::uint64_t out_of_order) {
    EXPECT_EQ(audit_.count(Violation::lost), lost);
    EXPECT_EQ(audit_.count(Violation::orphan), orphan);
    EXPECT_EQ(audit_.count(Violation::duplicate), duplicate);
    EXPECT_EQ(audit_.count(Violation::torn), torn);
    EXPECT_EQ(audit_.count(Violation::out_of_order), out_of_order);
  }

  std::map<std::string, Position> progress_{{"orders", up_to(3)}};
  std::int64_t offset_ = 0;
  StreamAudit audit_{[this](const std::string& source) {
    const auto found = progress_.find(source);
    return found == progress_.end() ? std::nullopt : std::optional(found->second);
  }};
};

TEST_F(StreamAuditing, FindsNothingInAFaultlessStream) {
  for (const char* id : {"1.0", "1.1", "2.0", "3.0"}) see(id);
  audit_.find_orphans();
  audit_.compare("orders", {1, {"1.0", "1.1"}});
  audit_.compare("orders", {2, {"2.0"}});
  audit_.compare("orders", {3, {"3.0"}});
  audit_.finish_input("orders", 0);
  expect(0, 0, 0, 0, 0);
  EXPECT_TRUE(audit_.texts().empty());
}

TEST_F(StreamAuditing, FindsRepeatedEventsOfEverySource) {
  see("x", "elsewhere");
  see("1.0");
  see("x", "elsewhere");
  see("x", "another");
  expect(0, 0, 1, 0, 0);
}

TEST_F(StreamAuditing, FindsEventsOfUnitsThatWereNeverCommitted) {
  see("3.0");
  see("4.0");
  see("4.1");
  audit_.find_orphans();
  expect(0, 2, 0, 0, 0);
}

TEST_F(StreamAuditing, AsksAgainForTheProgressOfAnInputThatMoves) {
  see("3.0");
  see("4.0");
  progress_["orders"] = up_to(4);
  audit_.find_orphans();
  expect(0, 0, 0, 0, 0);
}

TEST_F(StreamAuditing, FindsEventsOutOfOrder) {
  see("2.0");
  see("1.0");
  see("3.0");
  expect(0, 0, 0, 0, 1);
}

TEST_F(StreamAuditing, LeavesTheOrderOfOtherSourcesAlone) {
  see("2.0", "a service");
  see("1.0", "a service");
  audit_.find_orphans();
  expect(0, 0, 0, 0, 0);
}

TEST_F(StreamAuditing, FindsLostAndTornUnits) {
  see("1.0");
  audit_.compare("orders", {1, {"1.0", "1.1"}});
  audit_.compare("orders", {2, {"2.0"}});
  audit_.compare("orders", {3, {"3.0"}});
  audit_.finish_input("orders", 1);
  expect(1, 0, 0, 1, 0);
}

}  // namespace
}  // namespace write_aside::cli
