// The production runtime: the machine's clocks, threads and randomness.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "core/forks.hpp"
#include "core/process_identity.hpp"
#include "write_aside/ports/runtime.hpp"

namespace write_aside::ports {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

class SystemMutex final : public Mutex {
 public:
  void lock() override { mutex_.lock(); }
  void unlock() override { mutex_.unlock(); }
  [[nodiscard]] std::mutex& native() { return mutex_; }

 private:
  std::mutex mutex_;
};

class SystemCondition final : public Condition {
 public:
  void wait_until(std::unique_lock<Mutex>& lock, SteadyTime deadline) override {
    // Every mutex that meets this condition came from this runtime.
    auto& mutex = static_cast<SystemMutex&>(*lock.mutex());
    std::unique_lock<std::mutex> native(mutex.native(), std::adopt_lock);
    // The kernel refuses times before its epoch.
    condition_.wait_until(native, std::max(deadline, SteadyTime{}));
    native.release();  // `lock` still owns it
  }
  void notify_all() override { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

// Keeps the application's signals away from a thread that is started meanwhile: a handler, or an interrupted system
// call, belongs to the threads that the application knows of.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    sigfillset(&blocked);
    // These are raised by the thread itself, or meant for every thread.
    for (const int kept : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
      sigdelset(&blocked, kept);
    pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

class SystemThread final : public Thread {
 public:
  SystemThread(std::string name, std::function<void()> body) {
    constexpr std::size_t name_bytes_max = 15;  // of the kernel
    name.resize(std::min(name.size(), name_bytes_max));
    const SignalsBlocked blocked;
    thread_ = std::thread([name = std::move(name), body = std::move(body)] {
      pthread_setname_np(pthread_self(), name.c_str());
      body();
    });
  }
  SystemThread(const SystemThread&) = delete;
  SystemThread& operator=(const SystemThread&) = delete;
  ~SystemThread() override { thread_.join(); }

 private:
  std::thread thread_;
};

// The kernel's random numbers, fetched some at a time. A forked child starts with none of its parent's.
class RandomNumbers {
 public:
  std::uint64_t next() {
    const std::uint64_t forks = core::fork_count();
    if (used_ == numbers_.size() || forks != forks_) {
      fill();
      forks_ = forks;
    }
    // What was given out is forgotten, so that it cannot be found in memory later.
    return std::exchange(numbers_[used_++], 0);
  }

 private:
  void fill() {
    used_ = 0;
    static_assert(sizeof(numbers_) <= 256, "getentropy gives no more at once");
    if (::getentropy(numbers_.data(), sizeof(numbers_)) == 0) return;
    std::random_device device;  // throws if there is no randomness at all, and then ids would not be unique
    for (std::uint64_t& number : numbers_) number = (std::uint64_t{device()} << 32) | device();
  }

  std::array<std::uint64_t, 32> numbers_{};
  std::size_t used_ = numbers_.size();
  std::uint64_t forks_ = 0;
};

class SystemRuntime final : public Runtime {
 public:
  SteadyTime now() override { return std::chrono::steady_clock::now(); }
  std::chrono::system_clock::time_point wall_clock() override { return std::chrono::system_clock::now(); }
  std::uint64_t random() override {
    thread_local RandomNumbers numbers;
    return numbers.next();
  }
  std::unique_ptr<Mutex> mutex() override { return std::make_unique<SystemMutex>(); }
  std::unique_ptr<Condition> condition() override { return std::make_unique<SystemCondition>(); }
  std::unique_ptr<Thread> start_thread(std::string name, std::function<void()> body) override {
    return std::make_unique<SystemThread>(std::move(name), std::move(body));
  }
  ProcessIdentity process() override { return core::this_process(); }
  bool is_dead(const ProcessIdentity& identity) override { return core::is_proven_dead(identity); }
};

}  // namespace

Runtime& system_runtime() {
  static SystemRuntime runtime;
  return runtime;
}

}  // namespace write_aside::ports
