// Goal: the own transactions do to the journal exactly what the protocol asks of them: no row more, no row less.
// Method: a few rows on both sides of each border (epoch, n, label, lane, delivered, tombstone), then look at every row.
#pragma once

#include "contract/database_harness.hpp"

namespace write_aside::contract {

template <class Harness>
class DatabaseJournal : public DatabaseTest<Harness> {};
TYPED_TEST_SUITE_P(DatabaseJournal);

using Keys = std::vector<UnitId>;

TYPED_TEST_P(DatabaseJournal, MarksATombstone) {
  this->insert_tombstone({0, 1, 1, 1});
  const auto row = this->row({0, 1, 1, 1});
  ASSERT_TRUE(row.has_value());
  EXPECT_TRUE(row->tombstone);
  EXPECT_TRUE(row->delivered);
  EXPECT_EQ(row->payload, "");
}

TYPED_TEST_P(DatabaseJournal, RefusesATombstoneWhereThereIsARow) {
  this->commit_unit({0, 1, 1, 1});
  const auto insert = [](const UnitId& key) {
    return [key](auto& transaction) { return transaction.insert_tombstone(key); };
  };
  EXPECT_FALSE(this->own(insert({0, 1, 1, 1})));
  EXPECT_TRUE(this->own(insert({0, 1, 1, 2})));
  EXPECT_FALSE(this->own(insert({0, 1, 1, 2}))) << "its own tombstone is a conflict too";
  EXPECT_FALSE(this->row({0, 1, 1, 1})->tombstone);
}

TYPED_TEST_P(DatabaseJournal, GoesOnAfterATombstonesConflict) {
  this->commit_unit({0, 1, 1, 1});
  auto transaction = must(this->database().own_transaction(this->soon()));
  EXPECT_FALSE(must(transaction->insert_tombstone({0, 1, 1, 1})));
  EXPECT_NE(transaction->commit().state, State::in_doubt);
}

TYPED_TEST_P(DatabaseJournal, ListsUndeliveredRowsBelowAnEpochInKeyOrder) {
  for (const UnitId& key : Keys{{0, 2, 1, 1}, {0, 1, 2, 1}, {0, 1, 1, 2}, {0, 1, 1, 1}, {0, 3, 1, 1}, {1, 1, 1, 1}}) {
    this->commit_unit(key);
  }
  // The label is never a sort key: the first row gets the later label.
  this->adopt({0, 1, 1, 1}, {2, 9});
  this->insert_tombstone({0, 1, 1, 3});
  this->commit_unit({0, 1, 1, 4});
  this->deliver({0, 1, 1, 4});
  const auto below = [&](std::uint64_t epoch, std::size_t limit) {
    return this->keys(this->own([&](auto& transaction) { return transaction.undelivered_below(0, epoch, limit); }));
  };
  EXPECT_EQ(below(3, 100), (Keys{{0, 1, 1, 1}, {0, 1, 1, 2}, {0, 1, 2, 1}, {0, 2, 1, 1}}));
  EXPECT_EQ(below(3, 2), (Keys{{0, 1, 1, 1}, {0, 1, 1, 2}}));
  EXPECT_EQ(below(2, 100), (Keys{{0, 1, 1, 2}, {0, 1, 2, 1}})) << "the adopted row has label epoch 2";
  EXPECT_EQ(below(1, 100), Keys{});
}

TYPED_TEST_P(DatabaseJournal, ListsUndeliveredRowsOfOneLabelInKeyOrder) {
  for (const UnitId& key : Keys{{0, 3, 1, 1}, {0, 2, 5, 1}, {0, 1, 7, 2}, {0, 1, 7, 1}, {0, 3, 2, 1}, {1, 3, 1, 1}}) {
    this->commit_unit(key, "payload of " + std::to_string(key.n));
  }
  this->adopt({0, 1, 7, 1}, {3, 1});
  this->adopt({0, 1, 7, 2}, {3, 1});
  this->adopt({0, 2, 5, 1}, {3, 2});
  this->insert_tombstone({0, 3, 1, 2});
  this->commit_unit({0, 3, 1, 3});
  this->deliver({0, 3, 1, 3});
  const auto labelled = [&](BatchId label, std::size_t limit) {
    return this->own([&](auto& transaction) { return transaction.undelivered_labelled(0, label, limit); });
  };
  const auto rows = labelled({3, 1}, 100);
  EXPECT_EQ(this->keys(rows), (Keys{{0, 1, 7, 1}, {0, 1, 7, 2}, {0, 3, 1, 1}}));
  EXPECT_EQ(rows.at(0).payload, "payload of 7");
  EXPECT_EQ(rows.at(0).label(), (BatchId{3, 1}));
  EXPECT_EQ(this->keys(labelled({3, 1}, 2)), (Keys{{0, 1, 7, 1}, {0, 1, 7, 2}}));
  EXPECT_EQ(this->keys(labelled({1, 7}, 100)), Keys{}) << "the label counts, not the key";
}

TYPED_TEST_P(DatabaseJournal, AdoptsEveryUndeliveredRowOfOlderEpochs) {
  for (const UnitId& key : Keys{{0, 1, 1, 1}, {0, 2, 4, 1}, {0, 3, 1, 1}, {0, 4, 1, 1}, {1, 1, 1, 1}, {0, 1, 1, 2}}) {
    this->commit_unit(key);
  }
  this->insert_tombstone({0, 1, 1, 3});
  this->deliver({0, 1, 1, 2});
  EXPECT_EQ(this->own([](auto& transaction) { return transaction.adopt_all(0, {3, 1}); }), 2u);
  EXPECT_EQ(this->row({0, 1, 1, 1})->adopted, (BatchId{3, 1}));
  EXPECT_EQ(this->row({0, 2, 4, 1})->adopted, (BatchId{3, 1}));
  for (const UnitId& key : Keys{{0, 3, 1, 1}, {0, 4, 1, 1}, {1, 1, 1, 1}, {0, 1, 1, 2}, {0, 1, 1, 3}}) {
    EXPECT_EQ(this->row(key)->adopted, std::nullopt) << to_string(key);
  }
  EXPECT_EQ(this->own([](auto& transaction) { return transaction.adopt_all(0, {3, 2}); }), 0u);
}

TYPED_TEST_P(DatabaseJournal, AdoptsARowOnlyIfUndeliveredAndOfAnOlderLabel) {
  this->commit_unit({0, 1, 1, 1});
  const auto adopt = [&](const UnitId& key, BatchId label) {
    return this->own([&](auto& transaction) { return transaction.adopt(key, label); });
  };
  EXPECT_TRUE(adopt({0, 1, 1, 1}, {3, 7}));
  EXPECT_FALSE(adopt({0, 1, 1, 1}, {2, 1})) << "a fenced owner's late label";
  EXPECT_FALSE(adopt({0, 1, 1, 1}, {3, 8})) << "the same epoch";
  EXPECT_EQ(this->row({0, 1, 1, 1})->adopted, (BatchId{3, 7}));
  EXPECT_TRUE(adopt({0, 1, 1, 1}, {4, 1}));
  this->deliver({0, 1, 1, 1});
  EXPECT_FALSE(adopt({0, 1, 1, 1}, {5, 1})) << "delivered";
  EXPECT_FALSE(adopt({0, 9, 9, 9}, {10, 1})) << "no such row";
  this->insert_tombstone({0, 1, 1, 2});
  EXPECT_FALSE(adopt({0, 1, 1, 2}, {3, 1})) << "a tombstone";
}

TYPED_TEST_P(DatabaseJournal, DeliversTheRowsThatALabelCovers) {
  for (const UnitId& key :
       Keys{{0, 2, 1, 1}, {0, 2, 2, 1}, {0, 2, 3, 1}, {0, 1, 9, 1}, {0, 1, 1, 1}, {0, 3, 1, 1}, {1, 2, 1, 1}}) {
    this->commit_unit(key);
  }
  this->adopt({0, 1, 9, 1}, {2, 1});
  this->adopt({0, 2, 1, 1}, {3, 1});
  this->insert_tombstone({0, 2, 1, 2});
  const auto cover = [](auto& transaction) { return transaction.deliver_covered(0, {2, 2}); };
  EXPECT_EQ(this->own(cover), 2u);
  for (const UnitId& key : Keys{{0, 1, 9, 1}, {0, 2, 2, 1}}) EXPECT_TRUE(this->row(key)->delivered) << to_string(key);
  for (const UnitId& key : Keys{{0, 2, 1, 1}, {0, 2, 3, 1}, {0, 1, 1, 1}, {0, 3, 1, 1}, {1, 2, 1, 1}}) {
    EXPECT_FALSE(this->row(key)->delivered) << to_string(key);
  }
  EXPECT_EQ(this->own(cover), 0u) << "delivered rows and tombstones do not count";
}

TYPED_TEST_P(DatabaseJournal, DeliversOneRowOnce) {
  this->commit_unit({0, 1, 1, 1});
  this->commit_unit({0, 1, 1, 2});
  const auto deliver = [](auto& transaction) { return transaction.deliver({0, 1, 1, 1}); };
  EXPECT_EQ(this->own(deliver), 1u);
  EXPECT_EQ(this->own(deliver), 0u);
  EXPECT_TRUE(this->row({0, 1, 1, 1})->delivered);
  EXPECT_FALSE(this->row({0, 1, 1, 2})->delivered);
  this->insert_tombstone({0, 1, 1, 3});
  EXPECT_EQ(this->own([](auto& transaction) { return transaction.deliver({0, 1, 1, 3}); }), 0u);
}

TYPED_TEST_P(DatabaseJournal, DeletesSettledRowsAndSparesAllOthers) {
  for (const UnitId& key : Keys{{0, 2, 1, 1},
                                {0, 2, 2, 1},
                                {0, 2, 2, 2},
                                {0, 2, 3, 1},
                                {0, 1, 1, 1},
                                {0, 3, 1, 1},
                                {1, 2, 1, 1},
                                {0, 2, 1, 2},
                                {0, 2, 1, 3}}) {
    this->commit_unit(key);
  }
  this->adopt({0, 2, 1, 2}, {3, 1});
  this->deliver({0, 2, 1, 3});
  this->insert_tombstone({0, 2, 1, 4});
  EXPECT_EQ(this->own([](auto& transaction) { return transaction.delete_settled(0, {2, 2}); }), 3u);
  for (const UnitId& key : Keys{{0, 2, 1, 1}, {0, 2, 2, 1}, {0, 2, 2, 2}}) {
    EXPECT_FALSE(this->row(key).has_value()) << to_string(key);
  }
  for (const UnitId& key :
       Keys{{0, 2, 3, 1}, {0, 1, 1, 1}, {0, 3, 1, 1}, {1, 2, 1, 1}, {0, 2, 1, 2}, {0, 2, 1, 3}, {0, 2, 1, 4}}) {
    EXPECT_TRUE(this->row(key).has_value()) << to_string(key);
  }
}

TYPED_TEST_P(DatabaseJournal, PurgesWhatWasDeliveredLongAgoAndTellsHowFar) {
  const std::chrono::seconds retention(60);
  const auto purge = [&](auto& transaction) { return transaction.purge(0, retention); };
  for (const UnitId& key : Keys{{0, 1, 5, 1}, {0, 1, 6, 1}, {1, 1, 1, 1}}) this->commit_unit(key);
  this->deliver({0, 1, 5, 1});
  this->deliver({1, 1, 1, 1});
  this->insert_tombstone({0, 2, 1, 1});
  EXPECT_EQ(this->own(purge), std::nullopt) << "all too young";
  this->harness().pass_time(retention + std::chrono::seconds(1));
  this->insert_tombstone({0, 3, 1, 1});
  EXPECT_EQ(this->own(purge), (BatchId{2, 1}));
  EXPECT_FALSE(this->row({0, 1, 5, 1}).has_value());
  EXPECT_FALSE(this->row({0, 2, 1, 1}).has_value());
  for (const UnitId& key : Keys{{0, 1, 6, 1}, {0, 3, 1, 1}, {1, 1, 1, 1}}) {
    EXPECT_TRUE(this->row(key).has_value()) << to_string(key);
  }
}

TYPED_TEST_P(DatabaseJournal, FindsUndeliveredRowsOfOlderLabels) {
  const auto older = [&](LaneNumber lane, std::uint64_t epoch) {
    return must(this->database().has_undelivered_below(lane, epoch));
  };
  this->insert_tombstone({0, 1, 1, 9});
  EXPECT_FALSE(older(0, 5));
  this->commit_unit({0, 1, 1, 1});
  EXPECT_FALSE(older(0, 1));
  EXPECT_TRUE(older(0, 2));
  EXPECT_FALSE(older(1, 2));
  this->adopt({0, 1, 1, 1}, {2, 1});
  EXPECT_FALSE(older(0, 2));
  EXPECT_TRUE(older(0, 3));
  this->deliver({0, 1, 1, 1});
  EXPECT_FALSE(older(0, 3));
}

TYPED_TEST_P(DatabaseJournal, RollsBackADroppedTransaction) {
  this->commit_unit({0, 1, 1, 1});
  {
    auto transaction = must(this->database().own_transaction(this->soon()));
    EXPECT_TRUE(must(transaction->insert_tombstone({0, 1, 1, 2})));
    EXPECT_EQ(must(transaction->delete_settled(0, {1, 1})), 1u);
  }
  EXPECT_TRUE(this->row({0, 1, 1, 1}).has_value());
  EXPECT_FALSE(this->row({0, 1, 1, 2}).has_value());
}

TYPED_TEST_P(DatabaseJournal, SeesItsOwnChanges) {
  this->commit_unit({0, 1, 1, 1});
  auto transaction = must(this->database().own_transaction(this->soon()));
  EXPECT_EQ(must(transaction->adopt_all(0, {2, 1})), 1u);
  EXPECT_EQ(this->keys(must(transaction->undelivered_labelled(0, {2, 1}, 10))), (Keys{{0, 1, 1, 1}}));
  EXPECT_EQ(must(transaction->row({0, 1, 1, 1}))->adopted, (BatchId{2, 1}));
  EXPECT_EQ(transaction->commit().state, State::committed);
}

REGISTER_TYPED_TEST_SUITE_P(DatabaseJournal, MarksATombstone, RefusesATombstoneWhereThereIsARow,
                            GoesOnAfterATombstonesConflict, ListsUndeliveredRowsBelowAnEpochInKeyOrder,
                            ListsUndeliveredRowsOfOneLabelInKeyOrder, AdoptsEveryUndeliveredRowOfOlderEpochs,
                            AdoptsARowOnlyIfUndeliveredAndOfAnOlderLabel, DeliversTheRowsThatALabelCovers,
                            DeliversOneRowOnce, DeletesSettledRowsAndSparesAllOthers,
                            PurgesWhatWasDeliveredLongAgoAndTellsHowFar, FindsUndeliveredRowsOfOlderLabels,
                            RollsBackADroppedTransaction, SeesItsOwnChanges);

}  // namespace write_aside::contract
