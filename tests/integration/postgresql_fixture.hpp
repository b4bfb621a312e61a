// A database on the test server with our tables in it, and what tests of the adapter do with it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "contract/database_harness.hpp"
#include "contract/postgresql_harness.hpp"

namespace write_aside {

class PostgresqlTest : public ::testing::Test {
 protected:
  explicit PostgresqlTest(const postgresql::Options& options = {}) : database_(harness_.open(options)) {
    contract::must(database_->create_schema(2));
  }

  static ports::Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(10); }
  static ports::Deadline in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

  std::unique_ptr<ports::Session> begin() { return begin_on(*database_); }
  static std::unique_ptr<ports::Session> begin_on(ports::Database& database) {
    auto session = contract::must(database.session(soon()));
    contract::must(session->begin(soon()));
    return session;
  }
  static Result<ports::JournalReply> journal(ports::Session& session, const UnitId& key = {0, 1, 1, 1}) {
    session.send_journal({key, "payload"});
    return session.receive_journal();
  }
  static Result<Rows> execute(ports::Session& session, std::string_view sql,
                              std::initializer_list<Parameter> parameters = {}) {
    return session.execute(sql, {parameters.begin(), parameters.size()});
  }
  // The only value of the only row.
  static Value value(ports::Session& session, std::string_view sql, std::initializer_list<Parameter> parameters = {}) {
    return contract::must(execute(session, sql, parameters)).rows.at(0).at(0);
  }
  static std::string pid_of(const ports::Session& session) {
    return session.identity().substr(0, session.identity().find(':'));
  }
  // Ends a backend and waits until it is gone.
  void terminate(const std::string& pid) { foreign().run("SELECT pg_terminate_backend(" + pid + ", 10000)"); }
  static void wait_until(const std::function<bool()>& condition) {
    const auto limit = soon();
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit) << "waited in vain";
      std::this_thread::yield();
    }
  }
  void expect_rows(const std::string& user_rows, const std::string& journal_rows) {
    EXPECT_EQ(foreign().run("SELECT count(*) FROM user_rows"), user_rows);
    EXPECT_EQ(foreign().run("SELECT count(*) FROM write_aside_journal WHERE NOT tombstone"), journal_rows);
  }
  bool insert_tombstone(const UnitId& key = {0, 1, 1, 1}) {
    auto transaction = contract::must(database_->own_transaction(soon()));
    const bool inserted = contract::must(transaction->insert_tombstone(key));
    EXPECT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
    return inserted;
  }
  contract::ForeignPostgresql& foreign() { return harness_.foreign(); }

  contract::PostgresqlHarness harness_;
  std::shared_ptr<ports::Database> database_;
};

}  // namespace write_aside
