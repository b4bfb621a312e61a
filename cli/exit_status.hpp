// What the program answers to the shell; documented in `write-aside --help`.
#pragma once

#include "write_aside/error.hpp"

namespace write_aside::cli {

enum class ExitStatus : int {
  committed = 0,
  rejected = 1,
  usage = 2,
  in_doubt = 3,
  unreachable = 4,
  interrupted = 130,  // 128 + SIGINT
  terminated = 143,   // 128 + SIGTERM
};

// The status for a command that failed as a whole.
[[nodiscard]] inline ExitStatus exit_status_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::unknown_topic:
    case ErrorCode::not_initialised:
    case ErrorCode::newer_version:
      return ExitStatus::usage;
    case ErrorCode::event_too_large:
    case ErrorCode::constraint:
    case ErrorCode::statement:
    case ErrorCode::conflict:
    case ErrorCode::transaction_ended:
      return ExitStatus::rejected;
    case ErrorCode::halted:
      return ExitStatus::in_doubt;
    case ErrorCode::busy:
    case ErrorCode::timeout:
    case ErrorCode::unreachable:
    case ErrorCode::not_authorised:
    case ErrorCode::read_only:
    case ErrorCode::storage_full:
    case ErrorCode::io:
    case ErrorCode::corrupt:
    case ErrorCode::gone:
    case ErrorCode::fenced:
    case ErrorCode::lane_unavailable:
    case ErrorCode::closed:
    case ErrorCode::internal:
    case ErrorCode::unknown:
      return ExitStatus::unreachable;
  }
  return ExitStatus::unreachable;
}

// An error in what the caller gave: arguments, configuration, input.
[[nodiscard]] inline Error usage_error(std::string message) {
  return {ErrorCode::invalid_argument, Side::caller, Effect::no, false, std::move(message), {}};
}

}  // namespace write_aside::cli
