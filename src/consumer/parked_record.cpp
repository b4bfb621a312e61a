#include "consumer/parked_record.hpp"

#include <set>
#include <utility>

#include "core/publication.hpp"

namespace write_aside {

std::string_view to_text(ParkedEvent::State state) {
  switch (state) {
    case ParkedEvent::State::waiting:
      return "waiting";
    case ParkedEvent::State::retry:
      return "retry";
    case ParkedEvent::State::parked:
      break;
  }
  return "parked";
}

}  // namespace write_aside

namespace write_aside::consumer {

std::string encode_parked(const ReceivedEvent& event) {
  core::Publication publication{.source = event.source, .time_ms = event.timestamp_ms, .events = {}};
  publication.events.push_back({.topic = event.topic,
                                .key = event.key,
                                .type = {},
                                .value = event.value,
                                .id = event.id,
                                .content_type = {},
                                .headers = event.headers});
  return core::encode(publication);
}

Result<ReceivedEvent> decode_parked(std::string_view record, const ports::TopicPartition& partition,
                                    std::int64_t offset) {
  auto publication = core::decode_publication(record);
  if (!publication || publication->events.size() != 1) {
    return failure(Error{.code = ErrorCode::corrupt,
                         .side = Side::database,
                         .effect = Effect::no,
                         .message = "the parked event of " + partition.topic + '[' +
                                    std::to_string(partition.partition) + "]@" + std::to_string(offset) +
                                    " is damaged; drop it, or restore it from a backup"});
  }
  Event& event = publication->events.front();
  return ReceivedEvent{.topic = partition.topic,
                       .partition = partition.partition,
                       .offset = offset,
                       .key = std::move(event.key),
                       .value = std::move(event.value),
                       .headers = std::move(event.headers),
                       .timestamp_ms = publication->time_ms,
                       .source = std::move(publication->source),
                       .id = std::move(event.id)};
}

ParkedEvent::State parse_state(std::string_view text) {
  if (text == "waiting") return ParkedEvent::State::waiting;
  return text == "retry" ? ParkedEvent::State::retry : ParkedEvent::State::parked;
}

Event dead_letter(const std::string& topic, const std::string& consumer, const ReceivedEvent& event,
                  const std::string& error) {
  Event letter{.topic = topic, .key = event.key, .type = "dead-letter", .value = event.value};
  if (const auto type = event.header("ce_type")) letter.type = *type;
  if (const auto type = event.header("content-type")) letter.content_type = *type;
  letter.headers = {{"dead-letter-consumer", consumer},
                    {"dead-letter-topic", event.topic},
                    {"dead-letter-partition", std::to_string(event.partition)},
                    {"dead-letter-offset", std::to_string(event.offset)},
                    {"dead-letter-error", error}};
  // Names must be unique here; elsewhere they need not be.
  std::set<std::string_view> seen;
  for (const Header& header : event.headers) {
    if (seen.insert(header.name).second) letter.headers.push_back({"original-" + header.name, header.value});
  }
  return letter;
}

}  // namespace write_aside::consumer
