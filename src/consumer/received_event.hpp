// A record of the stream as an event with an identity.
#pragma once

#include <string>

#include "write_aside/consumer.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::consumer {

// `identity_header`: see ConsumerOptions. `topic_id`: of this incarnation of the topic, part of an identity by place.
// Fails if the header that should identify the event is missing.
[[nodiscard]] Result<ReceivedEvent> receive(ports::StoredRecord record, const std::string& identity_header,
                                            const std::string& topic_id);

// Tells one record at a place from another one, with luck of one in four thousand millions for those of the same moment.
[[nodiscard]] std::string fingerprint_of(std::int64_t timestamp_ms, const std::optional<std::string>& key,
                                         const std::optional<std::string>& value);

}  // namespace write_aside::consumer
