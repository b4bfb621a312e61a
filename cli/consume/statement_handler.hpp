// The handler of `consume`: runs the statements of the command line for each event.
#pragma once

#include <span>
#include <vector>

#include "consume/event_binder.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside::cli {

struct EventStatements {
  std::vector<EventStatement> each;       // for an event with a value; without `tombstone`, for every event
  std::vector<EventStatement> tombstone;  // for an event without a value
};

// Belongs to one thread.
class StatementHandler {
 public:
  // `statements` outlives the handler.
  explicit StatementHandler(const EventStatements& statements) : statements_(statements) {}

  [[nodiscard]] Result<void> operator()(UnitOfWork& unit, std::span<const ReceivedEvent> events);

 private:
  const EventStatements& statements_;
  EventBinder binder_;
  // Kept for their memory.
  std::vector<std::vector<Parameter>> parameters_;
  std::vector<Statement> run_;
};

}  // namespace write_aside::cli
