// How a parked event is kept in its table: the event in the form of a journal payload, and its state as to_text() has it.
#pragma once

#include <string>
#include <string_view>

#include "write_aside/consumer.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::consumer {

[[nodiscard]] std::string encode_parked(const ReceivedEvent& event);
// Refuses what is damaged.
[[nodiscard]] Result<ReceivedEvent> decode_parked(std::string_view record, const ports::TopicPartition& partition,
                                                  std::int64_t offset);

[[nodiscard]] ParkedEvent::State parse_state(std::string_view text);

// What is published to the dead-letter topic: key and value as they were, headers under `original-`, and where the event
// comes from and why it is there under `dead-letter-`.
[[nodiscard]] Event dead_letter(const std::string& topic, const std::string& consumer, const ReceivedEvent& event,
                                const std::string& error);

}  // namespace write_aside::consumer
