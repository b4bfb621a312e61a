// Goal: where a partition ends for readers of what is committed takes in what was being committed when it was asked.
#include <gtest/gtest.h>

#include <chrono>

#include "support/forwarding_ports.hpp"

namespace write_aside::ports {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Nine records; readers of what is committed see six of them, until they were asked `late` times.
class LateStream final : public support::ForwardingEventStream {
 public:
  explicit LateStream(int late) : ForwardingEventStream(nullptr), late_(late) {}

  Result<Bounds> bounds(const std::string&, std::int32_t, Isolation isolation) override {
    if (isolation == Isolation::read_uncommitted) return Bounds{0, 9};
    return Bounds{0, ++asked > late_ ? 9 : 6};
  }

  int asked = 0;

 private:
  const int late_;
};

TEST(CommittedBounds, IsAskedForOnceWhereNothingIsUnderWay) {
  LateStream stream(0);
  EXPECT_EQ(committed_bounds(stream, "orders", 0, Clock::now() + 30s)->end, 9);
  EXPECT_EQ(stream.asked, 1);
}

TEST(CommittedBounds, WaitsForWhatIsUnderWay) {
  LateStream stream(5);
  EXPECT_EQ(committed_bounds(stream, "orders", 0, Clock::now() + 30s)->end, 9);
}

TEST(CommittedBounds, WaitsNoLongerThanItMay) {
  LateStream stream(1'000'000);
  const auto deadline = Clock::now() + 30ms;
  EXPECT_EQ(committed_bounds(stream, "orders", 0, deadline)->end, 6) << "what is committed for sure";
  EXPECT_GE(Clock::now(), deadline);
}

}  // namespace
}  // namespace write_aside::ports
