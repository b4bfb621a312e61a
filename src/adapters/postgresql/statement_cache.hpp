// Which statements are prepared on one connection, found by their text; the least recently used one makes room.
//
// Preparing costs the server as much as running a small statement, so a user's text is prepared when it comes a
// second time; one that never does costs nothing but its place here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace write_aside::postgresql {

class StatementCache {
 public:
  struct Entry {
    std::string sql;
    std::string name;  // at the server
    bool prepared = false;
  };
  enum class Prepare { at_once, when_repeated };

  explicit StatementCache(std::size_t entries_max) : entries_max_(entries_max) {}

  // The entry of a statement that is prepared or is to be prepared now; null: run it once, unprepared. Entries that
  // made room and are prepared at the server wait in `take_evicted`.
  [[nodiscard]] Entry* find(std::string_view sql, Prepare when);
  // The server does not have it, or not as it should be: then it is to be deallocated.
  void forget(std::string_view sql, bool deallocate);
  // The name of a statement to deallocate; empty: none.
  [[nodiscard]] std::string take_evicted();
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  void make_room();

  // A longer text is not worth its place.
  static constexpr std::size_t text_bytes_max = 16 << 10;

  std::size_t entries_max_;
  std::uint64_t last_name_ = 0;
  std::list<Entry> entries_;  // most recently used first; the index refers to the entries' text
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;
  std::list<std::string> evicted_;
};

}  // namespace write_aside::postgresql
