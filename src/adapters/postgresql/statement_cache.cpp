#include "adapters/postgresql/statement_cache.hpp"

#include <utility>

namespace write_aside::postgresql {

StatementCache::Entry* StatementCache::find(std::string_view sql, Prepare when) {
  if (sql.size() > text_bytes_max) return nullptr;
  const auto found = index_.find(sql);
  if (found != index_.end()) {
    if (found->second != entries_.begin()) entries_.splice(entries_.begin(), entries_, found->second);
    return &entries_.front();
  }
  make_room();
  entries_.push_front(Entry{std::string(sql), "write_aside_" + std::to_string(++last_name_)});
  index_.emplace(entries_.front().sql, entries_.begin());
  return when == Prepare::at_once ? &entries_.front() : nullptr;
}

void StatementCache::make_room() {
  if (entries_.size() < entries_max_) return;
  Entry& last = entries_.back();
  if (last.prepared) evicted_.push_back(std::move(last.name));
  index_.erase(last.sql);
  entries_.pop_back();
}

void StatementCache::forget(std::string_view sql, bool deallocate) {
  const auto found = index_.find(sql);
  if (found == index_.end()) return;
  const auto entry = found->second;
  if (deallocate && entry->prepared) evicted_.push_back(std::move(entry->name));
  index_.erase(found);
  entries_.erase(entry);
}

std::string StatementCache::take_evicted() {
  if (evicted_.empty()) return {};
  std::string name = std::move(evicted_.front());
  evicted_.pop_front();
  return name;
}

}  // namespace write_aside::postgresql
