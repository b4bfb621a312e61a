// Faults at the ports of one process: every call that it makes to a database or a stream is a step with a number and a
// name, and a test says what goes wrong at which.
//
// A test runs once without faults, reads how many steps there were, and then runs again for every step and every way
// to go wrong there:
//
//   FaultyProcess worker(world.process("worker"));
//   worker.plan(k, {.kind = Fault::Kind::crash_after});
//   auto database = worker.decorate(real_database);   // hand these to the code under test
//   auto stream = worker.decorate(real_stream);
//
// A killed process makes no call any more: each one is refused with an error, and the sessions, transactions,
// producers and readers that it had are gone at once, as when the kernel closes a dead process's sockets.
//
// In a World every call lets other fibers run before and after it, waiting for a lock that another fiber holds takes
// simulated time (open real adapters with busy_timeout 0), and so does waiting for records. Without a World (real
// threads and real time) there are only the faults. A FaultyProcess outlives what it decorated.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/deterministic_runtime.hpp"
#include "write_aside/ports/database.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::support {

struct Fault {
  enum class Kind {
    crash_before,  // the call is not made, and the process is killed
    crash_after,   // the call is made, and the process is killed
    fail,          // the call is not made and answers with `error`; a COMMIT is then proven to be rolled back
    lose_reply,  // the call is made, and its reply is lost: in doubt, not clean, or an error; a session is lost with it
    delay,       // the call is made after `delay`
    late_reply,  // the call is made, and its reply comes after `delay`
  };
  static constexpr std::size_t kind_count = 6;
  Kind kind = Kind::crash_before;
  Error error = {.code = ErrorCode::unreachable, .effect = Effect::no, .message = "a planned fault"};
  // Of crash_after and lose_reply at "session.commit", "own.commit", "producer.initialise" and "producer.end", in a
  // World: the request is under way and takes effect that much later, unless the other side prevents it.
  std::chrono::nanoseconds delay{0};
};

[[nodiscard]] std::string_view to_string(Fault::Kind kind);

// Something at the other side of a connection that a process holds.
class Connected {
 public:
  Connected() = default;
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;
  virtual ~Connected() = default;
  // The process is dead.
  virtual void drop() = 0;
};

class FaultyProcess {
 public:
  explicit FaultyProcess(SimulatedProcess& process);
  // Without a world: on real threads.
  explicit FaultyProcess(std::string name);
  FaultyProcess(const FaultyProcess&) = delete;
  FaultyProcess& operator=(const FaultyProcess&) = delete;
  ~FaultyProcess();

  // At step number `step`, from 0.
  void plan(std::size_t step, Fault fault);
  // At the next step of that name after `passed` others of it.
  void plan_next(std::string name, Fault fault, std::size_t passed = 0);
  // How many planned faults did not come to pass.
  [[nodiscard]] std::size_t planned() const;
  // Hears of every step, and of what is planned to go wrong at it, which it may change.
  using Watcher = std::function<void(std::string_view step, std::optional<Fault>& fault)>;
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }
  // The names of the steps made so far. The refused calls of a killed process are not among them.
  [[nodiscard]] std::vector<std::string> steps() const;

  void kill();
  // How the process dies when a fault kills it, for instance by a real signal. Without a World only.
  void set_death(std::function<void()> death) { death_ = std::move(death); }
  [[nodiscard]] bool killed() const;
  // When the process is killed or a connection lost, the other side notices that much later; until then its locks
  // stay. In a World only.
  void set_linger(std::chrono::nanoseconds linger) { linger_ = linger; }

  [[nodiscard]] std::shared_ptr<ports::Database> decorate(std::shared_ptr<ports::Database> database);
  [[nodiscard]] std::shared_ptr<ports::EventStream> decorate(std::shared_ptr<ports::EventStream> stream);

  // For the decorators.
  [[nodiscard]] World* world() const { return process_ != nullptr ? &process_->world() : nullptr; }
  void yield() const;
  void sleep(std::chrono::nanoseconds span) const;
  // Counts a step and says what goes wrong at it. The name is a literal.
  [[nodiscard]] std::optional<Fault> next_step(std::string_view name);
  // Runs `action` after `delay`, whatever becomes of the process. In a World only.
  void later(std::chrono::nanoseconds delay, std::function<void()> action);
  void connected(Connected& connection);
  void disconnected(Connected& connection);
  [[nodiscard]] std::chrono::nanoseconds linger() const { return linger_; }
  [[nodiscard]] Error death() const;

 private:
  struct NamedFault {
    std::string name;
    Fault fault;
    std::size_t passed;
  };
  void drop_connections();

  std::string name_;
  SimulatedProcess* process_ = nullptr;
  std::shared_ptr<bool> exists_ = std::make_shared<bool>(true);  // the process may be killed after this object is gone
  mutable std::mutex mutex_;                                     // never held while a fiber may give way
  bool killed_ = false;
  std::vector<std::string_view> steps_;
  Watcher watcher_;
  std::function<void()> death_;
  std::map<std::size_t, Fault> faults_;
  std::vector<NamedFault> named_faults_;
  std::vector<Connected*> connections_;
  std::chrono::nanoseconds linger_{0};
  std::vector<std::unique_ptr<ports::Thread>> under_way_;
};

}  // namespace write_aside::support
