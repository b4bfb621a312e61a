// Sessions of the fake database.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/fake_database_state.hpp"

namespace write_aside::support {

class FakeSession final : public ports::Session {
 public:
  FakeSession(std::shared_ptr<FakeDatabaseState> state, ports::Runtime& runtime);
  ~FakeSession() override;

  Result<void> begin(ports::Deadline deadline) override;
  Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters) override;
  Result<void> savepoint(int depth) override;
  Result<void> rollback_to_savepoint(int depth) override;
  Result<void> release_savepoint(int depth) override;
  Result<std::optional<std::string>> progress(std::string_view source) override;
  Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                       std::string_view position) override;
  void send_journal(const ports::JournalEntry& entry) override;
  Result<ports::JournalReply> receive_journal() override;
  ports::CommitReply commit(ports::Deadline deadline) override;
  Result<void> rollback() override;
  std::string identity() const override { return identity_; }

 private:
  // Runs `work` with the state locked, inside the open transaction.
  template <class Work>
  auto inside(Work work) -> decltype(work(std::declval<Lock&>()));
  [[nodiscard]] Result<void> acquire(Lock& lock, const RowKey& key);
  [[nodiscard]] Result<ports::JournalReply> insert_journal(Lock& lock, const ports::JournalEntry& entry);
  [[nodiscard]] Result<Rows> run(Lock& lock, std::string_view verb, const std::vector<std::string>& values);
  [[nodiscard]] Result<Rows> end_behind_the_back(bool commits);
  // Destroys the transaction, without the state's mutex, which its destructor takes.
  void forget_transaction();

  std::shared_ptr<FakeDatabaseState> state_;
  ports::Runtime& runtime_;
  std::string identity_;
  std::shared_ptr<FakeDatabaseState::ServerSession> server_;
  std::unique_ptr<FakeTransaction> transaction_;
  bool ended_behind_the_back_ = false;
  std::optional<Result<ports::JournalReply>> journal_;
};

}  // namespace write_aside::support
