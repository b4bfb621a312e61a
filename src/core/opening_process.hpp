// The process in which something was opened. After a fork() the child has a copy of it: without the threads that serve
// it, and on connections and file locks that are the parent's. So a copy is neither used nor closed.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "core/forks.hpp"
#include "write_aside/error.hpp"

namespace write_aside::core {

class OpeningProcess {
 public:
  [[nodiscard]] bool is_this_one() const { return fork_count() == forks_; }
  // `what`: "the coordinator".
  [[nodiscard]] Error forked_error(const std::string& what) const {
    return {.code = ErrorCode::invalid_argument,
            .side = Side::caller,
            .effect = Effect::no,
            .message = what + " belongs to process " + std::to_string(pid_) +
                       ", of which this one was forked; open stores and a coordinator after the fork, in each process"};
  }

 private:
  std::uint64_t forks_ = fork_count();
  pid_t pid_ = ::getpid();
};

}  // namespace write_aside::core
