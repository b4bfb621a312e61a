// A unit of work from begin to outcome, on the thread of its user.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordination/core.hpp"
#include "write_aside/unit_of_work.hpp"

namespace write_aside::coordination {

class Unit {
 public:
  Unit(Core& core, std::unique_ptr<ports::Session> session, const BeginOptions& options);
  ~Unit();
  Unit(const Unit&) = delete;
  Unit& operator=(const Unit&) = delete;

  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters);
  [[nodiscard]] Result<void> execute_all(std::span<const Statement> statements, std::size_t& failed);
  [[nodiscard]] Result<void> publish(Event event);
  [[nodiscard]] Result<void> savepoint();
  [[nodiscard]] Result<void> rollback_to_savepoint();
  [[nodiscard]] Result<void> release_savepoint();
  [[nodiscard]] Result<std::optional<std::string>> progress(std::string_view source);
  [[nodiscard]] Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                                     std::string_view position);
  Outcome commit(Wait wait);
  void rollback() noexcept;

 private:
  // False in a forked child.
  [[nodiscard]] bool is_ours() const { return opened_in_.is_this_one(); }
  [[nodiscard]] std::optional<Error> find_hindrance() const;
  Outcome commit_rows_only();
  Outcome commit_exactly_once(Wait wait);
  [[nodiscard]] Result<void> write_journal(const Core::Place& place, std::string_view payload, TimePoint published_by);
  static Outcome without_journal(Error error);
  static Error proven_aborted(Error error);
  Outcome give_up(const Core::Place& place, Error error);
  Outcome conclude(const Core::Place& place, ports::CommitReply reply, Wait wait);

  Core& core_;
  const core::OpeningProcess opened_in_;
  std::unique_ptr<ports::Session> session_;
  const std::string ordering_key_;
  const std::optional<LaneNumber> lane_;
  std::vector<Event> events_;
  std::vector<std::size_t> savepoints_;  // how many events there were at each
  bool open_ = false;
};

}  // namespace write_aside::coordination
