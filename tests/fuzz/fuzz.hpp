// What the fuzzers share. Each file of this folder is one: libFuzzer calls LLVMFuzzerTestOneInput with inputs that it
// makes of the seeds; a require() that does not hold, a sanitizer's finding, or a call that takes too long ends it.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "write_aside/error.hpp"

namespace write_aside::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void require(bool holds, std::string_view claim, std::string_view seen = {}) {
  if (holds) return;
  std::fprintf(stderr, "not true: %.*s\n%.*s\n", static_cast<int>(claim.size()), claim.data(),
               static_cast<int>(seen.size()), seen.data());
  std::abort();
}

// An error that a person or a program can act on: one line that is not empty, and a code.
inline void require_clear(const Error& error) {
  require(!error.message.empty(), "an error says what failed");
  require(error.code != ErrorCode::unknown && error.code != ErrorCode::internal, "an error has its code",
          error.message);
}

// Bytes as a file, in memory.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes)
      : descriptor_(memfd_create("input", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(descriptor_)) {
    require(descriptor_ >= 0, "a file in memory can be made");
    require(write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "it takes the bytes");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(descriptor_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace write_aside::fuzz
