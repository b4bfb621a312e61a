#include "support/fake_session.hpp"

#include <algorithm>
#include <utility>

namespace write_aside::support {
namespace {

std::string text_of(const Parameter& parameter) {
  struct Visitor {
    std::string operator()(std::monostate) const { return {}; }
    std::string operator()(bool value) const { return value ? "1" : "0"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return std::to_string(value); }
    std::string operator()(std::string_view value) const { return std::string(value); }
    std::string operator()(BlobView value) const { return std::string(value.bytes); }
  };
  return std::visit(Visitor{}, parameter.storage());
}

Error transaction_ended() {
  return {.code = ErrorCode::transaction_ended,
          .side = Side::caller,
          .effect = Effect::unknown,
          .message = "fake database: the transaction was ended behind the unit's back"};
}

Error session_ended() { return fake_database_error(ErrorCode::unreachable, "the session was ended", true); }

Rows one_change() {
  Rows rows;
  rows.changed = 1;
  return rows;
}

}  // namespace

FakeSession::FakeSession(std::shared_ptr<FakeDatabaseState> state, ports::Runtime& runtime)
    : state_(std::move(state)), runtime_(runtime), server_(std::make_shared<FakeDatabaseState::ServerSession>()) {
  const Lock lock = state_->guard();
  identity_ = "session " + std::to_string(++state_->last_session_);
  state_->sessions_.emplace(identity_, server_);
}

FakeSession::~FakeSession() {
  forget_transaction();
  const Lock lock = state_->guard();
  state_->sessions_.erase(identity_);
}

void FakeSession::forget_transaction() {
  {
    const Lock lock = state_->guard();
    server_->transaction = nullptr;
  }
  transaction_.reset();
}

template <class Work>
auto FakeSession::inside(Work work) -> decltype(work(std::declval<Lock&>())) {
  Lock lock = state_->guard();
  if (server_->ended) return failure(session_ended());
  if (ended_behind_the_back_) return failure(transaction_ended());
  if (transaction_ == nullptr) return failure(fake_database_error(ErrorCode::internal, "no transaction is open"));
  if (!transaction_->is_open()) {
    return failure(fake_database_error(ErrorCode::conflict, "the transaction was rolled back", true));
  }
  return work(lock);
}

Result<void> FakeSession::acquire(Lock& lock, const RowKey& key) {
  return transaction_->acquire(lock, key, runtime_, runtime_.now() + state_->lock_timeout_);
}

Result<void> FakeSession::begin(ports::Deadline) {
  forget_transaction();
  {
    const Lock lock = state_->guard();
    if (server_->ended) return failure(session_ended());
  }
  ended_behind_the_back_ = false;
  journal_.reset();
  transaction_ = std::make_unique<FakeTransaction>(*state_);
  const Lock lock = state_->guard();
  if (server_->ended) return failure(session_ended());
  server_->transaction = transaction_.get();
  return {};
}

Result<Rows> FakeSession::execute(std::string_view sql, std::span<const Parameter> parameters) {
  if (sql == "commit" || sql == "rollback") return end_behind_the_back(sql == "commit");
  std::vector<std::string> values;
  std::transform(parameters.begin(), parameters.end(), std::back_inserter(values), text_of);
  const std::string_view verb = sql.substr(0, sql.find(' '));
  if (static_cast<std::size_t>(std::count(sql.begin(), sql.end(), '?')) != values.size() || values.empty()) {
    return failure(fake_database_error(ErrorCode::statement, "wrong number of parameters"));
  }
  return inside([&](Lock& lock) {
    auto rows = run(lock, verb, values);
    transaction_->note_statement();
    return rows;
  });
}

Result<Rows> FakeSession::run(Lock& lock, std::string_view verb, const std::vector<std::string>& values) {
  const RowKey key = user_key(values[0]);
  if (verb == "get") {
    Rows rows{.columns = {"value"}, .rows = {}};
    if (auto row = transaction_->get(key)) rows.rows.push_back({Value(std::get<std::string>(*row))});
    return rows;
  }
  if (verb == "delete") {
    if (auto locked = acquire(lock, key); !locked) return failure(locked);
    if (!transaction_->get(key)) return Rows{};
    transaction_->set(key, std::nullopt);
    return one_change();
  }
  if ((verb != "put" && verb != "insert") || values.size() != 2) {
    return failure(fake_database_error(ErrorCode::statement, "syntax error at '" + std::string(verb) + "'"));
  }
  if (auto locked = acquire(lock, key); !locked) return failure(locked);
  if (verb == "insert" && transaction_->get(key)) {
    return failure(fake_database_error(ErrorCode::constraint, "there is a row with this key"));
  }
  transaction_->set(key, FakeRow(values[1]));
  return one_change();
}

Result<Rows> FakeSession::end_behind_the_back(bool commits) {
  return inside([&](Lock&) -> Result<Rows> {
    if (commits) {
      transaction_->commit();
    } else {
      transaction_->roll_back();
    }
    ended_behind_the_back_ = true;
    return Rows{};
  });
}

Result<void> FakeSession::savepoint(int depth) {
  return inside([&](Lock&) -> Result<void> {
    if (transaction_->has_savepoint(depth) || (depth > 1 && !transaction_->has_savepoint(depth - 1))) {
      return failure(fake_database_error(ErrorCode::statement, "savepoints out of order"));
    }
    transaction_->savepoint();
    return {};
  });
}

Result<void> FakeSession::rollback_to_savepoint(int depth) {
  return inside([&](Lock&) -> Result<void> {
    if (!transaction_->has_savepoint(depth)) {
      return failure(fake_database_error(ErrorCode::statement, "no such savepoint"));
    }
    transaction_->roll_back_to(depth);
    return {};
  });
}

Result<void> FakeSession::release_savepoint(int depth) {
  return inside([&](Lock&) -> Result<void> {
    if (!transaction_->has_savepoint(depth)) {
      return failure(fake_database_error(ErrorCode::statement, "no such savepoint"));
    }
    transaction_->release(depth);
    return {};
  });
}

Result<std::optional<std::string>> FakeSession::progress(std::string_view source) {
  return inside([&](Lock&) -> Result<std::optional<std::string>> {
    const auto row = transaction_->get(progress_key(source));
    if (!row) return std::nullopt;
    return std::get<std::string>(*row);
  });
}

Result<bool> FakeSession::advance(std::string_view source, std::optional<std::string_view> expected,
                                  std::string_view position) {
  return inside([&](Lock& lock) -> Result<bool> {
    const RowKey key = progress_key(source);
    if (auto locked = acquire(lock, key); !locked) return failure(locked);
    const auto row = transaction_->get(key);
    const bool as_expected = expected ? row && std::get<std::string>(*row) == *expected : !row;
    if (as_expected) transaction_->set(key, FakeRow(std::string(position)));
    return as_expected;
  });
}

void FakeSession::send_journal(const ports::JournalEntry& entry) {
  journal_ = inside([&](Lock& lock) { return insert_journal(lock, entry); });
  // Nothing of ours is in the transaction that the caller ended.
  if (!*journal_ && journal_->error().code == ErrorCode::transaction_ended) journal_->error().effect = Effect::no;
}

Result<ports::JournalReply> FakeSession::insert_journal(Lock& lock, const ports::JournalEntry& entry) {
  if (entry.strict_order) {
    for (const auto& [other, row] : transaction_->scan(Table::journal)) {
      const ports::JournalRow& journal = std::get<FakeJournalRow>(row).row;
      if (other.unit.lane != entry.key.lane || journal.delivered) continue;
      if (journal.label().epoch < entry.key.epoch) return ports::JournalReply::refused_by_order;
    }
  }
  const RowKey key = journal_key(entry.key);
  if (auto locked = acquire(lock, key); !locked) return failure(locked);
  if (transaction_->get(key)) {
    return failure(fake_database_error(ErrorCode::constraint, "the journal has a row with this key"));
  }
  FakeJournalRow row;
  row.row.key = entry.key;
  row.row.payload = std::string(entry.payload);
  transaction_->set(key, FakeRow(std::move(row)));
  return ports::JournalReply::inserted;
}

Result<ports::JournalReply> FakeSession::receive_journal() {
  if (!journal_) return failure(fake_database_error(ErrorCode::internal, "no journal row was sent"));
  return *std::exchange(journal_, std::nullopt);
}

ports::CommitReply FakeSession::commit(ports::Deadline) {
  using State = ports::CommitReply::State;
  ports::CommitReply reply{State::committed, {}};
  {
    const Lock lock = state_->guard();
    if (server_->ended) {
      reply = {State::in_doubt, session_ended()};
      reply.error->effect = Effect::unknown;
    } else if (ended_behind_the_back_ || transaction_ == nullptr) {
      reply = {State::in_doubt, transaction_ended()};
    } else if (!transaction_->is_open()) {
      reply = {State::aborted, fake_database_error(ErrorCode::conflict, "the transaction was rolled back", true)};
    } else {
      transaction_->commit();
    }
  }
  forget_transaction();
  return reply;
}

Result<void> FakeSession::rollback() {
  forget_transaction();
  const Lock lock = state_->guard();
  if (server_->ended) return failure(session_ended());
  return {};
}

}  // namespace write_aside::support
