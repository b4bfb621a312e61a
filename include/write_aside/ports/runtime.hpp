// Time, randomness, threads and waiting, as the coordination sees them.
//
// The production runtime (`system_runtime()`) is the machine's. A test gives the coordination another one, with
// a simulated clock and threads that run one at a time under a seed, so that a run can be replayed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace write_aside::ports {

// Who runs: enough to tell, on the same host, that a process is dead, even if its pid was given out again.
struct ProcessIdentity {
  std::string host;
  std::string boot;
  std::uint64_t pid = 0;
  std::uint64_t start_time = 0;  // in the kernel's clock ticks since boot
  bool operator==(const ProcessIdentity&) const = default;
};
[[nodiscard]] std::string to_string(const ProcessIdentity& identity);
[[nodiscard]] std::optional<ProcessIdentity> parse_process_identity(std::string_view text);

// A mutex that the runtime knows of. Meets BasicLockable, so std::unique_lock works on it.
class Mutex {
 public:
  virtual ~Mutex() = default;
  virtual void lock() = 0;
  virtual void unlock() = 0;
};

class Condition {
 public:
  virtual ~Condition() = default;
  // Returns when notified or when `deadline` passes; spurious returns are allowed.
  virtual void wait_until(std::unique_lock<Mutex>& lock, std::chrono::steady_clock::time_point deadline) = 0;
  virtual void notify_all() = 0;
};

// Joined when destroyed.
class Thread {
 public:
  virtual ~Thread() = default;
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  [[nodiscard]] virtual std::chrono::steady_clock::time_point now() = 0;
  [[nodiscard]] virtual std::chrono::system_clock::time_point wall_clock() = 0;
  [[nodiscard]] virtual std::uint64_t random() = 0;
  [[nodiscard]] virtual std::unique_ptr<Mutex> mutex() = 0;
  [[nodiscard]] virtual std::unique_ptr<Condition> condition() = 0;
  [[nodiscard]] virtual std::unique_ptr<Thread> start_thread(std::string name, std::function<void()> body) = 0;
  [[nodiscard]] virtual ProcessIdentity process() = 0;
  // True only on proof: same host, and its boot is over, or no such process, or another one under that pid.
  [[nodiscard]] virtual bool is_dead(const ProcessIdentity& identity) = 0;
};

// The machine's clock, threads and randomness. Lives as long as the program.
[[nodiscard]] Runtime& system_runtime();

}  // namespace write_aside::ports
