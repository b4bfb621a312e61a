#include "adapters/sqlite_handles/statement_cache.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "adapters/sqlite_handles/connection.hpp"

namespace write_aside::sqlite_handles {
namespace {

class StatementCacheTest : public ::testing::Test {
 protected:
  StatementCacheTest() {
    sqlite3* raw = nullptr;
    sqlite3_open(":memory:", &raw);
    database_.reset(raw);
  }
  StatementHandle prepare(const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &raw, nullptr);
    return StatementHandle(raw);
  }
  StatementCache::Entry* insert(StatementCache& cache, const std::string& sql) {
    auto handle = prepare(sql);
    return cache.insert(sql, handle);
  }

  ConnectionHandle database_;
};

TEST_F(StatementCacheTest, FindsAStatementByItsText) {
  StatementCache cache(2);
  EXPECT_EQ(cache.find("SELECT 1"), nullptr);
  auto* inserted = insert(cache, "SELECT 1");
  ASSERT_NE(inserted, nullptr);
  EXPECT_EQ(cache.find("SELECT 1"), inserted);
  EXPECT_EQ(cache.find("SELECT 2"), nullptr);
}

TEST_F(StatementCacheTest, EvictsTheLeastRecentlyUsed) {
  StatementCache cache(2);
  (void)insert(cache, "SELECT 1");
  (void)insert(cache, "SELECT 2");
  EXPECT_NE(cache.find("SELECT 1"), nullptr);
  (void)insert(cache, "SELECT 3");
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.find("SELECT 2"), nullptr);
  EXPECT_NE(cache.find("SELECT 1"), nullptr);
}

TEST_F(StatementCacheTest, NeverEvictsAStatementInUse) {
  StatementCache cache(2);
  insert(cache, "SELECT 1")->in_use = true;
  insert(cache, "SELECT 2")->in_use = true;
  auto third = prepare("SELECT 3");
  EXPECT_EQ(cache.insert("SELECT 3", third), nullptr);
  EXPECT_NE(third, nullptr) << "the handle stays with the caller";
  cache.find("SELECT 1")->in_use = false;
  EXPECT_NE(cache.insert("SELECT 3", third), nullptr);
  EXPECT_EQ(cache.find("SELECT 1"), nullptr);
}

TEST_F(StatementCacheTest, GivesNestedUsesOfOneTextStatementsOfTheirOwn) {
  auto connection = Connection::borrow(database_.get(), Side::database, "memory");
  auto outer = connection.prepare("SELECT value FROM json_each('[1, 2]')", "outer");
  ASSERT_TRUE(outer && *outer->step());
  {
    auto inner = connection.prepare("SELECT value FROM json_each('[1, 2]')", "inner");
    ASSERT_TRUE(inner && *inner->step());
    EXPECT_EQ(inner->integer(0), 1);
  }
  ASSERT_TRUE(*outer->step());
  EXPECT_EQ(outer->integer(0), 2);
}

TEST_F(StatementCacheTest, LeavesNoBindingBehind) {
  auto connection = Connection::borrow(database_.get(), Side::database, "memory");
  {
    auto first = connection.prepare("SELECT ?", "select");
    ASSERT_TRUE(first && first->bind_all("text").step().value());
  }
  auto second = connection.prepare("SELECT ?", "select");
  ASSERT_TRUE(second && second->step().value());
  EXPECT_TRUE(second->is_null(0));
}

}  // namespace
}  // namespace write_aside::sqlite_handles
