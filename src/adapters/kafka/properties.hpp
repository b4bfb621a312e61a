// librdkafka's properties: the user's, our defaults beneath them, and what the guarantee demands above them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/kafka/handles.hpp"
#include "write_aside/adapters/kafka.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::kafka {

// Refuses, by name, what would break the guarantee, and properties that belong to the library.
[[nodiscard]] Result<void> check_properties(const Properties& properties);

// Of the client that asks questions, and of readers.
[[nodiscard]] Properties reader_properties(const Properties& user, ports::Isolation isolation);
// Of the client that only takes part in a group and never fetches.
[[nodiscard]] Properties group_properties(const Properties& user, const ports::GroupSpec& spec);
[[nodiscard]] Properties producer_properties(const Properties& user);
[[nodiscard]] Properties transactional_properties(const Properties& user, const std::string& transactional_id,
                                                  std::chrono::milliseconds transaction_timeout);

// The property's value as librdkafka understands it, also a default.
[[nodiscard]] std::int64_t number_of(const rd_kafka_conf_t& conf, const char* name);

[[nodiscard]] Result<ConfHandle> make_conf(const Properties& properties);

}  // namespace write_aside::kafka
