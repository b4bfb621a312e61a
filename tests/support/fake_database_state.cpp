#include "support/fake_database_state.hpp"

#include <algorithm>

namespace write_aside::support {

RowKey lane_key(LaneNumber lane) { return {.table = Table::lane, .unit = {.lane = lane}}; }
RowKey journal_key(const UnitId& unit) { return {.table = Table::journal, .unit = unit}; }
RowKey progress_key(std::string_view source) { return {.table = Table::progress, .text = std::string(source)}; }
RowKey user_key(std::string_view key) { return {.table = Table::user, .text = std::string(key)}; }

Error fake_database_error(ErrorCode code, std::string message, bool retriable) {
  return {.code = code,
          .side = Side::database,
          .effect = Effect::no,
          .retriable = retriable,
          .message = "fake database: " + std::move(message),
          .driver = "FAKE"};
}

FakeDatabaseState::FakeDatabaseState(ports::Runtime& runtime)
    : runtime_(runtime), mutex_(runtime.mutex()), released_(runtime.condition()) {}

std::map<std::string, std::string> FakeDatabaseState::user_rows() {
  const Lock lock = guard();
  std::map<std::string, std::string> rows;
  for (const auto& [key, row] : rows_) {
    if (key.table == Table::user) rows.emplace(key.text, std::get<std::string>(row));
  }
  return rows;
}

std::vector<ports::JournalRow> FakeDatabaseState::journal_rows() {
  const Lock lock = guard();
  std::vector<ports::JournalRow> rows;
  for (const auto& [key, row] : rows_) {
    if (key.table == Table::journal) rows.push_back(std::get<FakeJournalRow>(row).row);
  }
  return rows;
}

std::optional<ports::LaneRow> FakeDatabaseState::lane_row(LaneNumber lane) {
  const Lock lock = guard();
  const auto found = rows_.find(lane_key(lane));
  if (found == rows_.end()) return std::nullopt;
  return shown(std::get<FakeLaneRow>(found->second));
}

std::size_t FakeDatabaseState::open_transactions() {
  const Lock lock = guard();
  return open_.size();
}

void FakeDatabaseState::restart() {
  const Lock lock = guard();
  for (const auto& [identity, session] : sessions_) {
    session->ended = true;
    session->transaction = nullptr;
  }
  while (!open_.empty()) open_.begin()->second->roll_back();
}

void FakeDatabaseState::pass_time(std::chrono::nanoseconds span) {
  const Lock lock = guard();
  ahead_ += span;
}

FakeDatabaseState::Rows FakeDatabaseState::backup() {
  const Lock lock = guard();
  return rows_;
}

void FakeDatabaseState::restore(Rows rows) {
  const Lock lock = guard();
  rows_ = std::move(rows);
}

ports::LaneRow FakeDatabaseState::shown(const FakeLaneRow& lane) {
  constexpr std::chrono::milliseconds never = std::chrono::hours(24 * 365);
  ports::LaneRow row = lane.row;
  row.heartbeat_age =
      lane.heartbeat ? std::chrono::duration_cast<std::chrono::milliseconds>(now() - *lane.heartbeat) : never;
  return row;
}

FakeTransaction::FakeTransaction(FakeDatabaseState& state) : state_(state) {
  const Lock lock = state_.guard();
  number_ = ++state_.last_transaction_;
  state_.open_.emplace(number_, this);
}

FakeTransaction::~FakeTransaction() {
  const Lock lock = state_.guard();
  if (open_) roll_back();
}

std::optional<FakeRow> FakeTransaction::get(const RowKey& key) const {
  if (const auto changed = changes_.find(key); changed != changes_.end()) return changed->second;
  if (const auto row = state_.rows_.find(key); row != state_.rows_.end()) return row->second;
  return std::nullopt;
}

std::vector<std::pair<RowKey, FakeRow>> FakeTransaction::scan(Table table) const {
  std::map<RowKey, FakeRow> seen;
  for (const auto& [key, row] : state_.rows_) {
    if (key.table == table) seen.emplace(key, row);
  }
  for (const auto& [key, row] : changes_) {
    if (key.table != table) continue;
    if (row) {
      seen.insert_or_assign(key, *row);
    } else {
      seen.erase(key);
    }
  }
  return {seen.begin(), seen.end()};
}

bool FakeTransaction::would_deadlock(std::uint64_t holder) const {
  // A transaction waits for one other at most, so this follows a chain.
  for (std::size_t step = 0; step <= state_.waits_for_.size(); ++step) {
    if (holder == number_) return true;
    const auto next = state_.waits_for_.find(holder);
    if (next == state_.waits_for_.end()) return false;
    holder = next->second;
  }
  return false;
}

Result<void> FakeTransaction::acquire(Lock& lock, const RowKey& key, ports::Runtime& runtime,
                                      ports::Deadline deadline) {
  while (open_) {
    const auto held = state_.locks_.find(key);
    if (held == state_.locks_.end()) {
      state_.locks_.emplace(key, number_);
      return {};
    }
    if (held->second == number_) return {};
    if (would_deadlock(held->second)) {
      roll_back();
      return failure(fake_database_error(ErrorCode::conflict, "deadlock; the transaction was rolled back", true));
    }
    if (runtime.now() >= deadline) {
      return failure(fake_database_error(ErrorCode::busy, "another transaction holds the row", true));
    }
    state_.waits_for_.insert_or_assign(number_, held->second);
    state_.released_->wait_until(lock, deadline);
    state_.waits_for_.erase(number_);
  }
  return failure(fake_database_error(ErrorCode::unreachable, "the session was ended", true));
}

void FakeTransaction::roll_back_to(int depth) {
  changes_ = savepoints_[static_cast<std::size_t>(depth) - 1];
  release(depth);
}

// A journal row that was not there before is a unit that is decided now.
void FakeTransaction::note_decisions() {
  ++state_.moment_;
  for (const auto& [key, row] : changes_) {
    if (key.table != Table::journal || !row || state_.rows_.contains(key)) continue;
    if (std::get<FakeJournalRow>(*row).row.tombstone) continue;
    state_.decisions_.push_back({key.unit, last_statement_, state_.moment_});
  }
}

void FakeTransaction::commit() {
  note_decisions();
  for (auto& [key, row] : changes_) {
    if (row) {
      state_.rows_.insert_or_assign(key, std::move(*row));
    } else {
      state_.rows_.erase(key);
    }
  }
  finish();
}

void FakeTransaction::roll_back() { finish(); }

void FakeTransaction::finish() {
  open_ = false;
  changes_.clear();
  savepoints_.clear();
  std::erase_if(state_.locks_, [this](const auto& held) { return held.second == number_; });
  state_.open_.erase(number_);
  state_.released_->notify_all();
}

}  // namespace write_aside::support
