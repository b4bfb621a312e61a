// SQLite under the database contract, and files for tests of the adapter.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "write_aside/adapters/sqlite.hpp"

namespace write_aside::contract {

// A new folder, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "write-aside-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A connection of somebody else's, with none of the adapter's settings.
class ForeignConnection {
 public:
  explicit ForeignConnection(const std::string& path) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open(path.c_str(), &raw);
    handle_.reset(raw);
    if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(raw));
  }
  [[nodiscard]] sqlite3* get() const { return handle_.get(); }
  // The first column of the first row; throws on an error.
  std::string run(const std::string& sql) {
    std::string result;
    char* said = nullptr;
    const int code = sqlite3_exec(handle_.get(), sql.c_str(), &ForeignConnection::take_first, &result, &said);
    const std::string message = said != nullptr ? said : "";
    sqlite3_free(said);
    if (code != SQLITE_OK) throw std::runtime_error(sql + ": " + message);
    return result;
  }

 private:
  static int take_first(void* result, int columns, char** values, char**) {
    auto& text = *static_cast<std::string*>(result);
    if (text.empty() && columns > 0 && values[0] != nullptr) text = values[0];
    return 0;
  }
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

class SqliteHarness {
 public:
  SqliteHarness() : path_((folder_.path() / "contract.db").string()), foreign_(path_) {
    foreign_.run("PRAGMA busy_timeout = 5000");
    foreign_.run("CREATE TABLE user_rows(id INTEGER PRIMARY KEY, text TEXT)");
  }

  std::shared_ptr<ports::Database> open(sqlite::Options options = {}) {
    auto database = sqlite::open(path_, options);
    if (!database) throw std::runtime_error(database.error().message);
    return *database;
  }
  static Result<void> write_row(ports::Session& session, int id, const std::string& text) {
    const Parameter parameters[] = {id, text};
    auto written = session.execute("INSERT INTO user_rows VALUES (?, ?)", parameters);
    if (!written) return failure(written);
    return {};
  }
  std::map<int, std::string> rows() {
    std::map<int, std::string> rows;
    const auto add = [](void* result, int, char** values, char**) {
      (*static_cast<std::map<int, std::string>*>(result))[std::stoi(values[0])] = values[1];
      return 0;
    };
    sqlite3_exec(foreign_.get(), "SELECT id, text FROM user_rows", add, &rows, nullptr);
    return rows;
  }
  // What was written becomes older.
  void pass_time(std::chrono::milliseconds time) {
    const std::string ms = std::to_string(time.count());
    foreign_.run("UPDATE write_aside_lane SET heartbeat = heartbeat - " + ms);
    foreign_.run("UPDATE write_aside_journal SET delivered_at = delivered_at - " + ms);
  }
  static std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

  [[nodiscard]] const std::string& path() const { return path_; }
  ForeignConnection& foreign() { return foreign_; }

 private:
  TemporaryFolder folder_;
  std::string path_;
  ForeignConnection foreign_;
};

}  // namespace write_aside::contract
