// T1: who may take a lane. T4: when a lane is halted instead of adopted.
#include "coordination/takeover_rules.hpp"

#include <gtest/gtest.h>

namespace write_aside::coordination {
namespace {

using namespace std::chrono_literals;

ports::LaneRow owned() {
  ports::LaneRow row;
  row.lane = 1;
  row.epoch = 5;
  row.owner = "somebody";
  row.heartbeat_age = 1s;
  return row;
}

TEST(TakeoverRules, T1_LeavesALiveOwnersLaneAlone) { EXPECT_FALSE(may_take(owned(), 3s, false)); }

TEST(TakeoverRules, T1_TakesAReleasedLane) {
  ports::LaneRow row = owned();
  row.owner.clear();
  EXPECT_TRUE(may_take(row, 3s, false));
}

TEST(TakeoverRules, T1_TakesALaneWhoseHeartbeatIsStale) {
  ports::LaneRow row = owned();
  row.heartbeat_age = 3001ms;
  EXPECT_TRUE(may_take(row, 3s, false));
}

TEST(TakeoverRules, T1_TakesADeadOwnersLaneAtOnce) { EXPECT_TRUE(may_take(owned(), 3s, true)); }

TEST(TakeoverRules, T1_LeavesAHaltedLaneToTheOperator) {
  ports::LaneRow row = owned();
  row.owner.clear();
  row.halted = "why";
  EXPECT_FALSE(may_take(row, 3s, true));
}

// T4: the lane was taken at epoch 6; before that it had reached 5.
class HaltTest : public ::testing::Test {
 protected:
  HaltTest() {
    row.lane = 1;
    row.epoch = 6;
    row.settled = BatchId{5, 10};
    row.stream_id = "stream";
    row.ledger_id = "ledger";
  }
  std::optional<std::string> reason(std::optional<BatchId> ledger, bool first_member_exists) {
    std::optional<core::LedgerRecord> record;
    if (ledger) record = core::LedgerRecord{*ledger, {1, ledger->epoch, ledger->n, 1}};
    return reason_to_halt({row, record, first_member_exists, stream_id, ledger_id});
  }
  ports::LaneRow row;
  std::string stream_id = "stream";
  std::string ledger_id = "ledger";
};

TEST_F(HaltTest, T4_GoesOnWhenTheLedgerStandsWhereTheLaneWasSettled) { EXPECT_FALSE(reason(BatchId{5, 10}, false)); }
TEST_F(HaltTest, T4_GoesOnWhenTheLedgerIsAheadAndItsRowIsThere) { EXPECT_FALSE(reason(BatchId{5, 11}, true)); }
TEST_F(HaltTest, T4_HaltsWhenTheRowOfTheLedgersFirstMemberIsMissing) { EXPECT_TRUE(reason(BatchId{5, 11}, false)); }
TEST_F(HaltTest, T4_HaltsWhenTheLedgerIsBelowSettled) { EXPECT_TRUE(reason(BatchId{5, 9}, true)); }
TEST_F(HaltTest, T4_HaltsWhenTheLedgerIsEmptyThoughSomethingWasSettled) { EXPECT_TRUE(reason(std::nullopt, false)); }
TEST_F(HaltTest, T4_HaltsWhenTheLedgerKnowsAnEpochThatTheDatabaseDoesNot) { EXPECT_TRUE(reason(BatchId{6, 1}, true)); }
TEST_F(HaltTest, T4_HaltsOnAnotherStream) {
  stream_id = "other";
  EXPECT_TRUE(reason(BatchId{5, 10}, true));
}
TEST_F(HaltTest, T4_HaltsOnALedgerThatWasMadeAnew) {
  ledger_id = "other";
  EXPECT_TRUE(reason(BatchId{5, 10}, true));
}
TEST_F(HaltTest, T4_ComparesNoLedgerIdThatTheStreamCannotTell) {
  ledger_id = "";
  EXPECT_FALSE(reason(BatchId{5, 10}, true));
  ledger_id = "ledger";
  row.ledger_id.clear();
  EXPECT_FALSE(reason(BatchId{5, 10}, true));
}
TEST_F(HaltTest, T4_HaltsOnALedgerThatWasMadeAnewWithoutAnIdToo) {
  ledger_id = "";
  EXPECT_TRUE(reason(std::nullopt, false));
}
TEST_F(HaltTest, T4_GoesOnOnALaneThatWasNeverUsed) {
  row.settled.reset();
  row.stream_id.clear();
  row.ledger_id.clear();
  EXPECT_FALSE(reason(std::nullopt, false));
}

}  // namespace
}  // namespace write_aside::coordination
