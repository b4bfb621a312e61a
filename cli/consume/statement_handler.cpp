#include "consume/statement_handler.hpp"

namespace write_aside::cli {

Result<void> StatementHandler::operator()(UnitOfWork& unit, std::span<const ReceivedEvent> events) {
  binder_.clear();
  run_.clear();
  std::size_t count = 0;
  for (const ReceivedEvent& event : events) {
    const bool tombstone = !event.value && !statements_.tombstone.empty();
    for (const EventStatement& statement : tombstone ? statements_.tombstone : statements_.each) {
      if (count == parameters_.size()) parameters_.emplace_back();
      std::vector<Parameter>& parameters = parameters_[count++];
      parameters.clear();
      if (auto bound = binder_.bind(statement, event, parameters); !bound) return bound;
      run_.push_back({statement.sql, {}});
    }
  }
  // Only now do the parameters stand still.
  for (std::size_t index = 0; index < count; ++index) run_[index].parameters = parameters_[index];
  std::size_t failed = 0;
  return unit.execute_all(run_, failed);
}

}  // namespace write_aside::cli
