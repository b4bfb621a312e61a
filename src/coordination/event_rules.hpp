// C1: what can be said of an event without asking the stream. Pure.
#pragma once

#include "write_aside/event.hpp"
#include "write_aside/result.hpp"

namespace write_aside::coordination {

[[nodiscard]] Result<void> check_event(const Event& event, std::size_t record_bytes_max);

}  // namespace write_aside::coordination
