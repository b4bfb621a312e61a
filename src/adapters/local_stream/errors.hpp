// What the local stream says when it was asked for what it cannot do.
#pragma once

#include <string>
#include <utility>

#include "write_aside/error.hpp"

namespace write_aside::local_stream {

// Nothing was done.
[[nodiscard]] inline Error refused(ErrorCode code, std::string message) {
  return {.code = code, .side = Side::caller, .effect = Effect::no, .message = std::move(message), .driver = {}};
}

}  // namespace write_aside::local_stream
