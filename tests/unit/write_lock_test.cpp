#include "adapters/sqlite/write_lock.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace write_aside::sqlite {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(10);

// True once that many threads wait; false if it takes too long.
bool become_waiting(WriteLock& lock, std::size_t count) {
  const auto deadline = Clock::now() + patience;
  while (lock.waiting() != count) {
    if (Clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(WriteLock, IsTakenByOneAtATime) {
  WriteLock lock;
  auto turn = lock.take(Clock::now(), true);
  ASSERT_TRUE(turn.has_value());
  EXPECT_FALSE(lock.take(Clock::now(), true).has_value());
  EXPECT_FALSE(lock.take(Clock::now() + std::chrono::hours(1), false).has_value()) << "without waiting";
  turn.reset();
  EXPECT_TRUE(lock.take(Clock::now(), true).has_value());
}

TEST(WriteLock, ForgetsThoseWhoGaveUp) {
  WriteLock lock;
  auto turn = lock.take(Clock::now(), true);
  EXPECT_FALSE(lock.take(Clock::now() + std::chrono::milliseconds(1), true).has_value());
  EXPECT_EQ(lock.waiting(), 0u);
  turn.reset();
  EXPECT_TRUE(lock.take(Clock::now(), true).has_value());
}

TEST(WriteLock, GoesToThoseWhoWaitInTheOrderOfTheirArrival) {
  WriteLock lock;
  auto turn = lock.take(Clock::now(), true);
  std::vector<int> order;  // guarded by the lock under test
  std::vector<std::thread> threads;
  for (int number = 1; number <= 4; ++number) {
    threads.emplace_back([&, number] {
      auto mine = lock.take(Clock::now() + patience, true);
      if (mine) order.push_back(number);
    });
    EXPECT_TRUE(become_waiting(lock, static_cast<std::size_t>(number)));
  }
  turn.reset();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

TEST(WriteLock, LetsNoNewcomerOvertake) {
  WriteLock lock;
  auto turn = lock.take(Clock::now(), true);
  std::optional<WriteLock::Turn> theirs;  // kept until the end of the test
  std::thread waiting([&] {
    if (auto turn_of_theirs = lock.take(Clock::now() + patience, true)) theirs.emplace(std::move(*turn_of_theirs));
  });
  EXPECT_TRUE(become_waiting(lock, 1));
  turn.reset();
  EXPECT_FALSE(lock.take(Clock::now(), false).has_value());
  waiting.join();
  EXPECT_TRUE(theirs.has_value());
}

}  // namespace
}  // namespace write_aside::sqlite
