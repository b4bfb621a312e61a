// A unit of work: rows and events that commit together.
//
// It runs on one database session. Events stay in memory until commit; the stream sees nothing earlier.
//
// On success of commit(): see Outcome. After a failed execute() the unit can go on where the database allows
// it, or be rolled back. A unit destroyed without commit() is rolled back.
//
// Threads: one at a time. Lifetime: not longer than its Coordinator; a borrowed handle outlives the unit and
// comes back usable, outside any transaction.
//
//   auto unit = coordinator->begin().value();
//   if (auto done = unit.execute("update orders set state = ? where id = ?", {"paid", 17}); !done) return failure(done);
//   if (auto done = unit.publish({.topic = "orders", .key = "17", .type = "order.paid", .value = json}); !done) return done;
//   Outcome outcome = unit.commit();
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "write_aside/event.hpp"
#include "write_aside/outcome.hpp"
#include "write_aside/result.hpp"
#include "write_aside/value.hpp"

namespace write_aside {

namespace coordination {
class Unit;
}

// When commit() returns: after the decision, or when the events can be read in the stream as well. Kafka says so some
// milliseconds before its readers see them; who then stops at an end asks ports::committed_bounds for it.
enum class Wait { decided, visible };

class UnitOfWork {
 public:
  explicit UnitOfWork(std::unique_ptr<coordination::Unit> unit);
  UnitOfWork(UnitOfWork&&) noexcept;
  UnitOfWork& operator=(UnitOfWork&&) noexcept;
  ~UnitOfWork();

  // One SQL statement; placeholders are the database's own.
  [[nodiscard]] Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters);
  [[nodiscard]] Result<Rows> execute(std::string_view sql, std::initializer_list<Parameter> parameters = {});
  // Several, in order, in as few round trips as the database allows; rows that they give are dropped. At the first one
  // that fails the rest is not run, and `failed` is its index.
  [[nodiscard]] Result<void> execute_all(std::span<const Statement> statements, std::size_t& failed);

  // Adds an event. Checked at once for what can be checked locally (C1): topic, size, header names. A refused
  // event is not part of the unit.
  [[nodiscard]] Result<void> publish(Event event);

  // Nested scopes: what happened since savepoint(), rows and events, is undone by rollback_to_savepoint() and
  // kept by release_savepoint(). Both close the innermost open scope.
  [[nodiscard]] Result<void> savepoint();
  [[nodiscard]] Result<void> rollback_to_savepoint();
  [[nodiscard]] Result<void> release_savepoint();

  // Progress of a named input, stored with the unit. advance() is a compare-and-set: false when the stored
  // position is not `expected`, which means that somebody else moved it; then roll the unit back.
  [[nodiscard]] Result<std::optional<std::string>> progress(std::string_view source);
  [[nodiscard]] Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                                     std::string_view position);

  // Decides. The unit is over afterwards, whatever the outcome.
  Outcome commit(Wait wait = Wait::decided);
  // Undoes everything; also what the destructor does. The unit is over afterwards.
  void rollback() noexcept;

 private:
  std::unique_ptr<coordination::Unit> unit_;
};

}  // namespace write_aside
