#include <algorithm>
#include <chrono>
#include <thread>

#include "write_aside/ports/event_stream.hpp"

namespace write_aside::ports {

Result<EventStream::Bounds> committed_bounds(EventStream& stream, const std::string& topic, std::int32_t partition,
                                             Deadline deadline) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds pause_max{50};
  const auto all = stream.bounds(topic, partition, Isolation::read_uncommitted);
  if (!all) return failure(all);
  for (std::chrono::milliseconds pause{1};; pause = std::min(2 * pause, pause_max)) {
    const auto committed = stream.bounds(topic, partition, Isolation::read_committed);
    if (!committed || committed->end >= all->end || Clock::now() >= deadline) return committed;
    std::this_thread::sleep_until(std::min(Clock::now() + pause, deadline));
  }
}

}  // namespace write_aside::ports
