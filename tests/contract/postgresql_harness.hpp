// PostgreSQL under the database contract, and databases for tests of the adapter.
//
// WRITE_ASIDE_TEST_POSTGRESQL names a server and a role that may create databases. Each harness makes a database of its
// own with a random name, so that tests can run side by side on one server.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include "write_aside/adapters/postgresql.hpp"

namespace write_aside::contract {

// The URL of the test server; throws, which fails the test, where there is none.
inline std::string postgresql_server() {
  const char* url = std::getenv("WRITE_ASIDE_TEST_POSTGRESQL");
  if (url == nullptr || *url == '\0') {
    throw std::runtime_error(
        "no PostgreSQL server: run the tests under tools/servers, or set WRITE_ASIDE_TEST_POSTGRESQL to "
        "postgresql://ROLE@HOST:PORT/DATABASE with a role that may create databases");
  }
  return url;
}

// The same server, another database or role, and options in URL form ("a=b&c=d").
inline std::string postgresql_url(const std::string& database, const std::string& user = {},
                                  const std::string& options = {}) {
  std::string url = postgresql_server();
  const std::size_t options_at = url.find('?');
  std::string given = options_at == std::string::npos ? "" : url.substr(options_at + 1);
  if (options_at != std::string::npos) url.resize(options_at);
  const std::size_t authority = url.find("://") + 3;
  const std::size_t slash = url.find('/', authority);
  if (slash != std::string::npos) url.resize(slash);
  if (!user.empty()) {
    const std::size_t at = url.find('@', authority);
    url = url.substr(0, authority) + user + (at == std::string::npos ? "@" + url.substr(authority) : url.substr(at));
  }
  if (!given.empty() && !options.empty()) given += '&';
  given += options;
  return url + "/" + database + (given.empty() ? "" : "?" + given);
}

// A connection of somebody else's, with none of the adapter's settings.
class ForeignPostgresql {
 public:
  explicit ForeignPostgresql(const std::string& url) : handle_(PQconnectdb(url.c_str())) {
    if (PQstatus(handle_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(handle_.get()));
    // Notices are none of a test's output.
    PQsetNoticeProcessor(
        handle_.get(), [](void*, const char*) {}, nullptr);
  }
  [[nodiscard]] PGconn* get() const { return handle_.get(); }
  // The first column of the first row; throws on an error.
  std::string run(const std::string& sql) {
    const Result result(PQexec(handle_.get(), sql.c_str()));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw std::runtime_error(sql + ": " + PQresultErrorMessage(result.get()));
    }
    return PQntuples(result.get()) > 0 && PQnfields(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
  }
  // The same, where an error is what the test is about.
  void run_and_fail(const std::string& sql) {
    const Result result(PQexec(handle_.get(), sql.c_str()));
    EXPECT_EQ(PQresultStatus(result.get()), PGRES_FATAL_ERROR) << sql;
  }

 private:
  struct Finish {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Result = std::unique_ptr<PGresult, Clear>;
  std::unique_ptr<PGconn, Finish> handle_;
};

// A new database, dropped with everything in it.
class PostgresqlDatabase {
 public:
  PostgresqlDatabase() {
    ForeignPostgresql server(postgresql_server());
    server.run("CREATE DATABASE " + name_);
  }
  PostgresqlDatabase(const PostgresqlDatabase&) = delete;
  PostgresqlDatabase& operator=(const PostgresqlDatabase&) = delete;
  ~PostgresqlDatabase() {
    try {
      ForeignPostgresql server(postgresql_server());
      server.run("DROP DATABASE " + name_ + " WITH (FORCE)");
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string url(const std::string& user = {}, const std::string& options = {}) const {
    return postgresql_url(name_, user, options);
  }

 private:
  static std::string random_name() {
    std::random_device random;
    return "write_aside_test_" + std::to_string(random()) + "_" + std::to_string(random());
  }
  std::string name_ = random_name();
};

class PostgresqlHarness {
 public:
  PostgresqlHarness() : foreign_(database_.url()) {
    foreign_.run("CREATE TABLE user_rows(id integer PRIMARY KEY, text text)");
  }

  std::shared_ptr<ports::Database> open(const postgresql::Options& options = {}) {
    auto database = postgresql::open(database_.url(), options);
    if (!database) throw std::runtime_error(database.error().message);
    return *database;
  }
  static Result<void> write_row(ports::Session& session, int id, const std::string& text) {
    const Parameter parameters[] = {id, text};
    auto written = session.execute("INSERT INTO user_rows VALUES ($1, $2)", parameters);
    if (!written) return failure(written);
    return {};
  }
  std::map<int, std::string> rows() {
    std::map<int, std::string> rows;
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(foreign_.get(), "SELECT id, text FROM user_rows"),
                                                               &PQclear);
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      rows[std::stoi(PQgetvalue(result.get(), row, 0))] = PQgetvalue(result.get(), row, 1);
    }
    return rows;
  }
  // What was written becomes older.
  void pass_time(std::chrono::milliseconds time) {
    const std::string ms = std::to_string(time.count());
    foreign_.run("UPDATE write_aside_lane SET heartbeat = heartbeat - " + ms);
    foreign_.run("UPDATE write_aside_journal SET delivered_at = delivered_at - " + ms);
  }
  static std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

  [[nodiscard]] const PostgresqlDatabase& database() const { return database_; }
  ForeignPostgresql& foreign() { return foreign_; }

 private:
  PostgresqlDatabase database_;
  ForeignPostgresql foreign_;
};

}  // namespace write_aside::contract
