// What the sessions on own and on borrowed connections have in common: the unit's statements, and noticing when
// SQLite ended the transaction by itself.
#pragma once

#include <optional>
#include <string>

#include "adapters/sqlite_handles/connection.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::sqlite {

class UnitSession : public ports::Session {
 public:
  Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters) override;
  Result<void> savepoint(int depth) override;
  Result<void> rollback_to_savepoint(int depth) override;
  Result<void> release_savepoint(int depth) override;
  Result<std::optional<std::string>> progress(std::string_view source) override;
  Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                       std::string_view position) override;
  void send_journal(const ports::JournalEntry& entry) override;
  Result<ports::JournalReply> receive_journal() override;

 protected:
  // The connection while a transaction is open on it, else null.
  [[nodiscard]] virtual sqlite_handles::Connection* open_connection() = 0;
  // Proves that the unit's transaction is still the one that begin() opened. `transaction_ended` if not.
  [[nodiscard]] virtual Result<void> confirm_transaction() = 0;

  // Set when SQLite rolled the transaction back by itself while one of the unit's statements ran.
  [[nodiscard]] const std::optional<Error>& rolled_back() const { return rolled_back_; }
  void start_afresh() {
    rolled_back_.reset();
    journal_.reset();
  }

 private:
  // Runs `work` on the connection; looks afterwards whether the transaction survived it.
  template <class Work>
  [[nodiscard]] auto inside(Work work) -> decltype(work(std::declval<sqlite_handles::Connection&>()));

  std::optional<Error> rolled_back_;
  std::optional<Result<ports::JournalReply>> journal_;  // until it is received
};

// The unit has no transaction to run in.
[[nodiscard]] Error transaction_missing(const std::string& name);
// The transaction ended behind our back.
[[nodiscard]] Error transaction_ended(const std::string& name, Effect effect);

}  // namespace write_aside::sqlite
