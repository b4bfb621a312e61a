// How a process finds out that it is a forked copy: by a number that each fork() raises in the child.
#pragma once

#include <cstdint>

namespace write_aside::core {

// Cheap enough for every call. Not raised by clone() or vfork() without the C library's fork handlers.
[[nodiscard]] std::uint64_t fork_count() noexcept;

}  // namespace write_aside::core
