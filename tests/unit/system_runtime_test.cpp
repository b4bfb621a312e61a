// Goal: the production runtime judges a process dead only on proof, and its randomness, clock and threads are what
// the coordination takes them for. Method: real processes, forked and killed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <string>

#include "core/process_identity.hpp"
#include "write_aside/ports/runtime.hpp"

namespace write_aside::ports {
namespace {

using namespace std::chrono_literals;

// A child process that waits for its end, and can tell about itself.
class Child {
 public:
  Child() {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string text = to_string(system_runtime().process()) + ' ' + std::to_string(system_runtime().random());
      const bool written = ::write(pipe[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
      ::close(pipe[1]);
      if (written) ::pause();
      ::_exit(1);
    }
    ::close(pipe[1]);
    std::array<char, 1024> buffer{};
    const ssize_t length = ::read(pipe[0], buffer.data(), buffer.size());
    ::close(pipe[0]);
    const std::string text(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    identity_ = parse_process_identity(text.substr(0, text.find(' '))).value_or(ProcessIdentity{});
    random_ = text.substr(text.find(' ') + 1);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill();
    reap();
  }
  void kill() const {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  }
  // Waits until the child has ended, and leaves it a zombie.
  void await_end() const {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  void reap() {
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] const ProcessIdentity& identity() const { return identity_; }
  [[nodiscard]] const std::string& random() const { return random_; }

 private:
  pid_t pid_ = -1;
  ProcessIdentity identity_;
  std::string random_;
};

TEST(SystemRuntime, NamesItsProcess) {
  const ProcessIdentity self = system_runtime().process();
  EXPECT_EQ(self.pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_FALSE(self.host.empty());
  EXPECT_FALSE(self.boot.empty());
  EXPECT_GT(self.start_time, 0u);
  EXPECT_EQ(system_runtime().process(), self);
}

TEST(SystemRuntime, NamesAForkedChildDifferently) {
  Child child;
  EXPECT_EQ(child.identity().host, system_runtime().process().host);
  EXPECT_NE(child.identity().pid, system_runtime().process().pid);
}

TEST(SystemRuntime, TakesItselfAndALiveChildForAlive) {
  Child child;
  ASSERT_GT(child.identity().pid, 0u);
  EXPECT_FALSE(system_runtime().is_dead(system_runtime().process()));
  EXPECT_FALSE(system_runtime().is_dead(child.identity()));
}

TEST(SystemRuntime, TakesAKilledChildForDeadBeforeItIsReaped) {
  Child child;
  child.kill();
  child.await_end();
  EXPECT_TRUE(system_runtime().is_dead(child.identity()));
}

TEST(SystemRuntime, TakesAReapedChildForDead) {
  Child child;
  child.kill();
  child.reap();
  EXPECT_TRUE(system_runtime().is_dead(child.identity()));
}

TEST(SystemRuntime, TakesAnEarlierProcessOfTheSamePidForDead) {
  ProcessIdentity earlier = system_runtime().process();
  earlier.start_time -= 1;
  EXPECT_TRUE(system_runtime().is_dead(earlier));
}

TEST(SystemRuntime, TakesAProcessOfAnEarlierBootForDead) {
  ProcessIdentity earlier = system_runtime().process();
  earlier.boot = "00000000-0000-0000-0000-000000000000";
  EXPECT_TRUE(system_runtime().is_dead(earlier));
}

TEST(SystemRuntime, ProvesNothingAboutAnotherHost) {
  Child child;
  child.kill();
  child.reap();
  ProcessIdentity elsewhere = child.identity();
  elsewhere.host += "x";
  EXPECT_FALSE(system_runtime().is_dead(elsewhere));
  elsewhere.boot = "another";
  EXPECT_FALSE(system_runtime().is_dead(elsewhere));
}

TEST(SystemRuntime, ProvesNothingWithoutABootOrWithAPidThatNamesAGroup) {
  ProcessIdentity identity = system_runtime().process();
  identity.pid = 0;
  EXPECT_FALSE(system_runtime().is_dead(identity));
  identity.pid = ~std::uint64_t{0};
  EXPECT_FALSE(system_runtime().is_dead(identity));
  identity.boot.clear();
  EXPECT_FALSE(system_runtime().is_dead(identity));
}

TEST(SystemRuntime, ReadsTheStartTimeBehindAnyProgramName) {
  const auto stat =
      core::parse_process_stat("7 (a) R 1) (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 3 0 4242 100 200\n");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->threads, 3u);
  EXPECT_EQ(stat->start_time, 4242u);
  EXPECT_FALSE(core::parse_process_stat("7 (a) S 1 2 3").has_value());
  EXPECT_FALSE(core::parse_process_stat("").has_value());
}

TEST(SystemRuntime, GivesAnIdentityBackFromItsText) {
  const ProcessIdentity self = system_runtime().process();
  EXPECT_EQ(parse_process_identity(to_string(self)), self);
  const ProcessIdentity odd{"ho/st name", "boot", 7, 9};
  EXPECT_EQ(parse_process_identity(to_string(odd)), odd);
}

TEST(SystemRuntime, RefusesTextThatIsNoIdentity) {
  for (const char* text : {"", "host", "host/boot/1", "host/boot/x/1", "host/boot/1/", "host/boot/1/2x", "a/b/-1/2"}) {
    EXPECT_FALSE(parse_process_identity(text).has_value()) << text;
  }
}

TEST(SystemRuntime, RepeatsNoRandomNumberNotEvenInAForkedChild) {
  std::set<std::string> numbers;
  for (int i = 0; i < 100; ++i) numbers.insert(std::to_string(system_runtime().random()));
  EXPECT_EQ(numbers.size(), 100u);
  const Child first;
  const Child second;
  EXPECT_NE(first.random(), second.random());
  for (int i = 0; i < 100; ++i) numbers.insert(std::to_string(system_runtime().random()));
  EXPECT_EQ(numbers.size(), 200u);
  EXPECT_EQ(numbers.count(first.random()), 0u);
}

TEST(SystemRuntime, WakesAThreadByItsCondition) {
  Runtime& runtime = system_runtime();
  const auto mutex = runtime.mutex();
  const auto condition = runtime.condition();
  bool asked = false;
  bool answered = false;
  const auto thread = runtime.start_thread("a name longer than the kernel's limit", [&] {
    std::unique_lock lock(*mutex);
    while (!asked) condition->wait_until(lock, runtime.now() + 10s);
    answered = true;
    condition->notify_all();
  });
  std::unique_lock lock(*mutex);
  asked = true;
  condition->notify_all();
  const auto deadline = runtime.now() + 10s;
  while (!answered && runtime.now() < deadline) condition->wait_until(lock, deadline);
  EXPECT_TRUE(answered);
}

TEST(SystemRuntime, EndsAWaitAtItsDeadline) {
  Runtime& runtime = system_runtime();
  const auto mutex = runtime.mutex();
  const auto condition = runtime.condition();
  std::unique_lock lock(*mutex);
  const auto deadline = runtime.now() + 5ms;
  while (runtime.now() < deadline) condition->wait_until(lock, deadline);
  condition->wait_until(lock, std::chrono::steady_clock::time_point::min());
  EXPECT_TRUE(lock.owns_lock());
}

TEST(SystemRuntime, JoinsAThreadWhenItIsDestroyed) {
  int value = 0;
  {
    const auto thread = system_runtime().start_thread("worker", [&] { value = 1; });
  }
  EXPECT_EQ(value, 1);
}

TEST(SystemRuntime, StartsThreadsThatLeaveSignalsToTheApplication) {
  bool blocked = false;
  bool faults_blocked = true;
  {
    const auto thread = system_runtime().start_thread("worker", [&] {
      sigset_t mask;
      pthread_sigmask(SIG_BLOCK, nullptr, &mask);
      blocked = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
      faults_blocked = sigismember(&mask, SIGSEGV) == 1;
    });
  }
  EXPECT_TRUE(blocked);
  EXPECT_FALSE(faults_blocked);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGINT), 0);
}

}  // namespace
}  // namespace write_aside::ports
