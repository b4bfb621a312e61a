#include "core/forks.hpp"

#include <pthread.h>

#include <atomic>

namespace write_aside::core {
namespace {

std::atomic<std::uint64_t> forks{0};
// Before main(): whatever is opened later sees each fork.
[[maybe_unused]] const int registered =
    pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

std::uint64_t fork_count() noexcept { return forks.load(std::memory_order_relaxed); }

}  // namespace write_aside::core
