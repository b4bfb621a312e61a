#include "support/fake_database.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <utility>

#include "support/fake_session.hpp"

namespace write_aside::support {
namespace {

std::string random_text(ports::Runtime& runtime) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(runtime.random()));
  return text.data();
}

Error not_initialised() {
  return fake_database_error(ErrorCode::not_initialised, "the tables are missing; run `write-aside init`");
}

}  // namespace

class FakeOwnTransaction final : public ports::OwnTransaction {
 public:
  FakeOwnTransaction(std::shared_ptr<FakeDatabaseState> state, ports::Runtime& runtime, ports::Deadline deadline)
      : state_(std::move(state)), runtime_(runtime), deadline_(deadline), transaction_(*state_) {}

  Result<std::optional<ports::LaneRow>> lock_lane(LaneNumber lane) override;
  Result<void> write_lane(const ports::LaneRow& row, bool beat) override;
  Result<std::vector<ports::JournalRow>> undelivered_below(LaneNumber lane, std::uint64_t epoch,
                                                           std::size_t limit) override {
    return select(lane, limit, [epoch](const auto& row) { return row.label().epoch < epoch; });
  }
  Result<std::vector<ports::JournalRow>> undelivered_labelled(LaneNumber lane, BatchId label,
                                                              std::size_t limit) override {
    return select(lane, limit, [label](const auto& row) { return row.label() == label; });
  }
  Result<std::optional<ports::JournalRow>> row(const UnitId& key) override;
  Result<std::uint64_t> deliver_covered(LaneNumber lane, BatchId label) override {
    return update(lane, deliver_, [label](const ports::JournalRow& row) {
      return row.label().epoch == label.epoch && row.label().n <= label.n;
    });
  }
  Result<std::uint64_t> deliver(const UnitId& key) override {
    return update(key.lane, deliver_, [key](const ports::JournalRow& row) { return row.key == key; });
  }
  Result<std::uint64_t> adopt_all(LaneNumber lane, BatchId label) override {
    return update(lane, adopt_as(label),
                  [label](const ports::JournalRow& row) { return row.label().epoch < label.epoch; });
  }
  Result<bool> adopt(const UnitId& key, BatchId label) override {
    auto changed = update(key.lane, adopt_as(label), [key, label](const ports::JournalRow& row) {
      return row.key == key && row.label().epoch < label.epoch;
    });
    if (!changed) return failure(changed);
    return *changed == 1;
  }
  Result<std::uint64_t> delete_settled(LaneNumber lane, BatchId upto) override {
    return update(lane, delete_, [upto](const ports::JournalRow& row) {
      return row.key.epoch == upto.epoch && row.key.n <= upto.n && !row.adopted;
    });
  }
  Result<bool> insert_tombstone(const UnitId& key) override;
  Result<std::optional<BatchId>> purge(LaneNumber lane, std::chrono::seconds retention) override;
  ports::CommitReply commit() override;

 private:
  using Condition = std::function<bool(const ports::JournalRow&)>;
  using Change = std::function<std::optional<FakeRow>(FakeJournalRow)>;  // none: delete the row

  static Change adopt_as(BatchId label) {
    return [label](FakeJournalRow row) -> std::optional<FakeRow> {
      row.row.adopted = label;
      return FakeRow(std::move(row));
    };
  }
  const Change deliver_ = [this](FakeJournalRow row) -> std::optional<FakeRow> {
    row.row.delivered = true;
    row.delivered_at = state_->now();
    return FakeRow(std::move(row));
  };
  const Change delete_ = [](const FakeJournalRow&) { return std::optional<FakeRow>(); };

  [[nodiscard]] Result<void> usable() const {
    if (transaction_.is_open()) return {};
    return failure(fake_database_error(ErrorCode::conflict, "the transaction is over", true));
  }
  Result<std::vector<ports::JournalRow>> select(LaneNumber lane, std::size_t limit, const Condition& condition);
  Result<std::uint64_t> update(LaneNumber lane, const Change& change, const Condition& condition);
  Result<std::uint64_t> update_rows(LaneNumber lane, const Change& change,
                                    const std::function<bool(const FakeJournalRow&)>& condition);

  std::shared_ptr<FakeDatabaseState> state_;
  ports::Runtime& runtime_;
  ports::Deadline deadline_;
  FakeTransaction transaction_;
  bool committed_ = false;
};

Result<std::optional<ports::LaneRow>> FakeOwnTransaction::lock_lane(LaneNumber lane) {
  Lock lock = state_->guard();
  if (auto open = usable(); !open) return failure(open);
  if (!transaction_.get(lane_key(lane))) return std::nullopt;
  if (auto locked = transaction_.acquire(lock, lane_key(lane), runtime_, deadline_); !locked) return failure(locked);
  const auto row = transaction_.get(lane_key(lane));
  if (!row) return std::nullopt;
  return state_->shown(std::get<FakeLaneRow>(*row));
}

Result<void> FakeOwnTransaction::write_lane(const ports::LaneRow& row, bool beat) {
  Lock lock = state_->guard();
  if (auto open = usable(); !open) return open;
  const RowKey key = lane_key(row.lane);
  if (auto locked = transaction_.acquire(lock, key, runtime_, deadline_); !locked) return locked;
  auto old = transaction_.get(key);
  if (!old) return failure(fake_database_error(ErrorCode::invalid_argument, "no such lane"));
  FakeLaneRow lane = std::get<FakeLaneRow>(std::move(*old));
  lane.row = row;
  if (beat) lane.heartbeat = state_->now();
  transaction_.set(key, FakeRow(std::move(lane)));
  return {};
}

Result<std::vector<ports::JournalRow>> FakeOwnTransaction::select(LaneNumber lane, std::size_t limit,
                                                                  const Condition& condition) {
  const Lock lock = state_->guard();
  if (auto open = usable(); !open) return failure(open);
  std::vector<ports::JournalRow> rows;
  for (const auto& [key, row] : transaction_.scan(Table::journal)) {
    if (rows.size() == limit) break;
    const ports::JournalRow& journal = std::get<FakeJournalRow>(row).row;
    if (key.unit.lane == lane && !journal.delivered && condition(journal)) rows.push_back(journal);
  }
  return rows;
}

Result<std::optional<ports::JournalRow>> FakeOwnTransaction::row(const UnitId& key) {
  const Lock lock = state_->guard();
  if (auto open = usable(); !open) return failure(open);
  const auto row = transaction_.get(journal_key(key));
  if (!row) return std::nullopt;
  return std::get<FakeJournalRow>(*row).row;
}

Result<std::uint64_t> FakeOwnTransaction::update(LaneNumber lane, const Change& change, const Condition& condition) {
  return update_rows(lane, change,
                     [&condition](const FakeJournalRow& row) { return !row.row.delivered && condition(row.row); });
}

Result<std::uint64_t> FakeOwnTransaction::update_rows(LaneNumber lane, const Change& change,
                                                      const std::function<bool(const FakeJournalRow&)>& condition) {
  Lock lock = state_->guard();
  if (auto open = usable(); !open) return failure(open);
  std::uint64_t changed = 0;
  for (const auto& [key, seen] : transaction_.scan(Table::journal)) {
    if (key.unit.lane != lane || !condition(std::get<FakeJournalRow>(seen))) continue;
    if (auto locked = transaction_.acquire(lock, key, runtime_, deadline_); !locked) return failure(locked);
    // Whoever held the row may have changed it.
    const auto row = transaction_.get(key);
    if (!row || !condition(std::get<FakeJournalRow>(*row))) continue;
    transaction_.set(key, change(std::get<FakeJournalRow>(*row)));
    ++changed;
  }
  return changed;
}

Result<bool> FakeOwnTransaction::insert_tombstone(const UnitId& key) {
  Lock lock = state_->guard();
  if (auto open = usable(); !open) return failure(open);
  if (auto locked = transaction_.acquire(lock, journal_key(key), runtime_, deadline_); !locked) return failure(locked);
  if (transaction_.get(journal_key(key))) return false;
  FakeJournalRow row;
  row.row.key = key;
  row.row.tombstone = true;
  row.row.delivered = true;
  row.delivered_at = state_->now();
  transaction_.set(journal_key(key), FakeRow(std::move(row)));
  return true;
}

Result<std::optional<BatchId>> FakeOwnTransaction::purge(LaneNumber lane, std::chrono::seconds retention) {
  std::optional<BatchId> highest;
  const Change delete_and_note = [&highest](const FakeJournalRow& row) {
    highest = std::max(highest, std::optional(BatchId{row.row.key.epoch, row.row.key.n}));
    return std::optional<FakeRow>();
  };
  auto purged = update_rows(lane, delete_and_note, [this, retention](const FakeJournalRow& row) {
    return row.row.delivered && row.delivered_at <= state_->now() - retention;
  });
  if (!purged) return failure(purged);
  return highest;
}

ports::CommitReply FakeOwnTransaction::commit() {
  using State = ports::CommitReply::State;
  const Lock lock = state_->guard();
  if (std::exchange(committed_, true)) {
    return {State::in_doubt, fake_database_error(ErrorCode::closed, "the transaction was committed already")};
  }
  if (auto open = usable(); !open) return {State::aborted, open.error()};
  transaction_.commit();
  return {State::committed, {}};
}

Result<ports::Schema> FakeDatabase::create_schema(std::uint32_t lanes) {
  const Lock lock = state_->guard();
  if (!state_->schema_) state_->schema_ = {ports::schema_version, random_text(runtime_), 0};
  for (std::uint32_t& made = state_->schema_->lanes; made < lanes; ++made) {
    FakeLaneRow lane;
    lane.row.lane = made;
    state_->rows_.emplace(lane_key(made), FakeRow(std::move(lane)));
  }
  return *state_->schema_;
}

Result<ports::Schema> FakeDatabase::schema() {
  const Lock lock = state_->guard();
  if (!state_->schema_) return failure(not_initialised());
  return *state_->schema_;
}

Result<std::unique_ptr<ports::Session>> FakeDatabase::session(ports::Deadline) {
  return std::make_unique<FakeSession>(state_, runtime_);
}

Result<std::unique_ptr<ports::OwnTransaction>> FakeDatabase::own_transaction(ports::Deadline deadline) {
  if (auto known = schema(); !known) return failure(known);
  return std::make_unique<FakeOwnTransaction>(state_, runtime_, deadline);
}

Result<std::vector<ports::LaneSummary>> FakeDatabase::lanes() {
  const Lock lock = state_->guard();
  if (!state_->schema_) return failure(not_initialised());
  std::vector<ports::LaneSummary> lanes;
  // Lanes come before the journal in the order of keys.
  for (const auto& [key, row] : state_->rows_) {
    if (key.table == Table::lane) lanes.push_back({.row = state_->shown(std::get<FakeLaneRow>(row))});
    if (key.table != Table::journal) continue;
    ports::LaneSummary& lane = lanes.at(key.unit.lane);
    ++(std::get<FakeJournalRow>(row).row.delivered ? lane.kept : lane.undelivered);
  }
  return lanes;
}

Result<std::optional<ports::LaneRow>> FakeDatabase::lane(LaneNumber lane) {
  if (auto known = schema(); !known) return failure(known);
  return state_->lane_row(lane);
}

Result<std::vector<ports::LaneRow>> FakeDatabase::lanes_in_use() {
  const auto all = lanes();
  if (!all) return failure(all);
  std::vector<ports::LaneRow> in_use;
  for (const ports::LaneSummary& summary : *all) {
    if (!summary.row.owner.empty() || summary.undelivered > 0) in_use.push_back(summary.row);
  }
  return in_use;
}

Result<bool> FakeDatabase::has_undelivered_below(LaneNumber lane, std::uint64_t epoch) {
  if (auto known = schema(); !known) return failure(known);
  const std::vector<ports::JournalRow> rows = state_->journal_rows();
  return std::any_of(rows.begin(), rows.end(), [&](const ports::JournalRow& row) {
    return row.key.lane == lane && !row.delivered && row.label().epoch < epoch;
  });
}

Result<std::optional<std::string>> FakeDatabase::progress(std::string_view source) {
  const Lock lock = state_->guard();
  if (!state_->schema_) return failure(not_initialised());
  const auto row = state_->rows_.find(progress_key(source));
  if (row == state_->rows_.end()) return std::nullopt;
  return std::get<std::string>(row->second);
}

Result<void> FakeDatabase::end_session(const std::string& identity, ports::Deadline) {
  const Lock lock = state_->guard();
  const auto session = state_->sessions_.find(identity);
  if (session == state_->sessions_.end()) return {};
  session->second->ended = true;
  FakeTransaction* open = std::exchange(session->second->transaction, nullptr);
  if (open != nullptr && open->is_open()) open->roll_back();
  return {};
}

}  // namespace write_aside::support
