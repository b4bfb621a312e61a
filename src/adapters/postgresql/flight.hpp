// Commands that travel to the server together: sent at once, answered one by one, in order. After a command that
// fails the server skips the rest of its flight. A pending BEGIN of the connection goes first, and statements that are
// not prepared yet are prepared on the way.
//
// Use: queue, send, take a result for each command that was queued, land. A flight that is dropped in the air
// abandons its connection, because nobody knows what the server has done.
//
//   Flight flight(connection, "read the lane");
//   flight.queue_own(sql, arguments);
//   auto result = flight.run(deadline);
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/postgresql/arguments.hpp"
#include "adapters/postgresql/connection.hpp"

namespace write_aside::postgresql {

// Takes the rows of a result one by one, so that a large one need not be held twice.
class RowSink {
 public:
  RowSink() = default;
  RowSink(const RowSink&) = delete;
  RowSink& operator=(const RowSink&) = delete;
  virtual ~RowSink() = default;
  // `result` holds one row, `row`; the description of the columns comes with each.
  virtual void take(const PGresult* result, int row) = 0;
};

class Flight {
 public:
  // `what` names the flight in errors, and lives as long as it.
  Flight(Connection& connection, std::string_view what);
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  ~Flight();

  // One of our statements; '@' in its text stands for where our tables are. Prepared at its first use, but never on a
  // borrowed handle.
  void queue_own(std::string_view text, const Arguments& arguments = {});
  // One of ours whose result nobody wants: not counted by take(). If it fails, what follows is skipped.
  void queue_prelude(std::string_view text);
  // A statement of the user's, prepared when it comes again.
  void queue_user(std::string_view sql, const Arguments& arguments);
  // Unprepared, as it is.
  void queue_once(const char* sql, const Arguments& arguments = {});

  [[nodiscard]] Result<void> send();
  // The result of the next command that was queued; an error if it failed or was skipped. A command that failed leaves
  // the connection usable, unless `connection().is_broken()`.
  [[nodiscard]] Result<ResultHandle> take(ports::Deadline deadline, RowSink* rows = nullptr);
  // The same, with whatever the server answered: for COMMIT. Fails only if there is no answer.
  [[nodiscard]] Result<ResultHandle> take_answer(ports::Deadline deadline, RowSink* rows = nullptr);
  // All answers are in; the connection can be used for something else.
  [[nodiscard]] Result<void> land(ports::Deadline deadline);

  // send, take the only result, land.
  [[nodiscard]] Result<ResultHandle> run(ports::Deadline deadline, RowSink* rows = nullptr);

  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  struct Step {
    enum class Kind { prelude, prepare, forget, command } kind = Kind::command;
    std::string sql = {};  // as the statement cache has it; empty: not from there
    bool ours = false;
    bool reused = false;    // prepared by an earlier flight
    std::string name = {};  // of what is prepared
  };
  void queue_cached(std::string_view key, std::string_view text, const Arguments& arguments, bool ours);
  void queue_begin();
  void note_queued(int queued, Step step);
  [[nodiscard]] bool prepares(std::string_view name) const;
  [[nodiscard]] Result<ResultHandle> take_step(const Step& step, ports::Deadline deadline, RowSink* rows);
  [[nodiscard]] Error explain(const PGresult* result, const Step& step);
  [[nodiscard]] Error not_ours_to_use(Error error, const Step& step) const;

  Connection& connection_;
  std::string_view what_;
  std::vector<Step> steps_;
  std::size_t taken_ = 0;
  bool queue_failed_ = false;
  enum class State { queueing, sent, landed } state_ = State::queueing;
  ResultHandle failed_step_;  // a prelude or a preparation that failed: why what followed was skipped
};

}  // namespace write_aside::postgresql
