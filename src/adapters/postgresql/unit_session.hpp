// What the sessions on own and on borrowed connections have in common: the unit's statements, the journal INSERT that
// is sent now and answered later, and remembering what made the transaction fail.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "adapters/postgresql/connection.hpp"
#include "adapters/postgresql/flight.hpp"
#include "adapters/postgresql/transaction_end.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::postgresql {

class UnitSession : public ports::Session {
 public:
  Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters) override;
  Result<void> execute_all(std::span<const Statement> statements, std::size_t& failed) override;
  Result<void> savepoint(int depth) override;
  Result<void> rollback_to_savepoint(int depth) override;
  Result<void> release_savepoint(int depth) override;
  Result<std::optional<std::string>> progress(std::string_view source) override;
  Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                       std::string_view position) override;
  void send_journal(const ports::JournalEntry& entry) override;
  Result<ports::JournalReply> receive_journal() override;

 protected:
  explicit UnitSession(std::chrono::milliseconds statement_timeout) : statement_timeout_(statement_timeout) {}

  // The connection while a transaction is open on it, else null.
  [[nodiscard]] virtual Connection* open_connection() = 0;
  // Travels before the journal INSERT and before COMMIT, and fails if the transaction is not the unit's any more.
  [[nodiscard]] virtual const Guard* guard() const { return nullptr; }
  // The transaction is in failed state through a statement that did not come from us: whose transaction it is.
  [[nodiscard]] virtual Error explain_failed_transaction() = 0;

  // The transaction is open, as far as libpq knows, and has not failed.
  [[nodiscard]] Result<void> may_go_on();
  // COMMIT, with what is known about an earlier failure.
  [[nodiscard]] ports::CommitReply commit_on(Connection& connection, ports::Deadline deadline);
  [[nodiscard]] ports::Deadline reply_deadline() const { return std::chrono::steady_clock::now() + statement_timeout_; }
  void start_afresh();

 private:
  // Runs `work` on the connection; looks afterwards whether the transaction can go on.
  template <class Work>
  [[nodiscard]] auto inside(Work work) -> decltype(work(std::declval<Connection&>()));
  void note_failure(const Connection& connection, Error& error);
  [[nodiscard]] Result<void> take_guard(Flight& flight);

  std::chrono::milliseconds statement_timeout_;
  std::optional<Error> failed_;                           // PostgreSQL runs nothing more in this transaction
  std::unique_ptr<Flight> journal_;                       // sent, not answered yet
  std::optional<Result<ports::JournalReply>> no_flight_;  // the answer, where nothing was sent
};

// The unit has no transaction to run in.
[[nodiscard]] Error transaction_missing();
// The transaction ended behind our back.
[[nodiscard]] Error transaction_ended(const std::string& name, Effect effect);

}  // namespace write_aside::postgresql
