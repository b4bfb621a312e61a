// Prepared statements of one connection, found by their text; the least recently used one makes room.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3_stmt;

namespace write_aside::sqlite_handles {

struct FinaliseStatement {
  void operator()(sqlite3_stmt* statement) const noexcept;
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinaliseStatement>;

class StatementCache {
 public:
  struct Entry {
    std::string sql;
    StatementHandle handle;
    bool in_use = false;  // a Statement holds it: neither given out again nor evicted
  };

  explicit StatementCache(std::size_t entries_max) : entries_max_(entries_max) {}

  // The statement with this text, now the most recently used; null if there is none.
  [[nodiscard]] Entry* find(std::string_view sql);
  // Takes the handle and leaves it empty, unless every place is in use: then null, and the handle stays as it is.
  [[nodiscard]] Entry* insert(std::string_view sql, StatementHandle& handle);
  void clear();
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  [[nodiscard]] bool make_room();

  std::size_t entries_max_;
  std::list<Entry> entries_;  // most recently used first; the index refers to the entries' text
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;
};

}  // namespace write_aside::sqlite_handles
