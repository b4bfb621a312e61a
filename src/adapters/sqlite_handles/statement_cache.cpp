#include "adapters/sqlite_handles/statement_cache.hpp"

#include <sqlite3.h>

#include <utility>

namespace write_aside::sqlite_handles {

void FinaliseStatement::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

StatementCache::Entry* StatementCache::find(std::string_view sql) {
  const auto found = index_.find(sql);
  if (found == index_.end()) return nullptr;
  if (found->second != entries_.begin()) entries_.splice(entries_.begin(), entries_, found->second);
  return &entries_.front();
}

StatementCache::Entry* StatementCache::insert(std::string_view sql, StatementHandle& handle) {
  if (index_.contains(sql) || !make_room()) return nullptr;
  entries_.push_front(Entry{std::string(sql), std::move(handle)});
  index_.emplace(entries_.front().sql, entries_.begin());
  return &entries_.front();
}

bool StatementCache::make_room() {
  if (entries_.size() < entries_max_) return true;
  for (auto entry = entries_.end(); entry != entries_.begin();) {
    --entry;
    if (entry->in_use) continue;
    index_.erase(entry->sql);
    entries_.erase(entry);
    return true;
  }
  return false;
}

void StatementCache::clear() {
  index_.clear();
  entries_.clear();
}

}  // namespace write_aside::sqlite_handles
