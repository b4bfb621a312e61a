#include "consumer/received_event.hpp"

#include <algorithm>
#include <utility>

#include "core/crc32c.hpp"

namespace write_aside {

std::optional<std::string_view> ReceivedEvent::header(std::string_view name) const {
  for (const Header& one : headers) {
    if (one.name == name) return one.value;
  }
  return std::nullopt;
}

std::string ReceivedEvent::place() const {
  return topic + '[' + std::to_string(partition) + "]@" + std::to_string(offset);
}

namespace consumer {
namespace {

constexpr std::size_t identity_bytes_max = 400;  // what an index of a database takes, with room to spare
constexpr std::size_t identity_bytes_kept = 200;

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

// FNV-1a of 128 bits. Whoever makes two ids that collide could as well have used one id twice.
std::string hash_of(std::string_view bytes) {
  __extension__ using Wide = unsigned __int128;
  constexpr Wide prime = (Wide{1} << 88) + 0x13b;
  Wide hash = (Wide{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * prime;
  std::string text(16, '\0');
  for (char& c : text) {
    c = static_cast<char>(static_cast<unsigned char>(hash >> 120));
    hash <<= 8;
  }
  return to_hex(text);
}

// An identity is whatever bytes a producer chose; a column takes text of some length. Two that differ stay different.
std::string as_column(std::string_view bytes) {
  const bool plain = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= ' ' && c <= '~'; });
  const bool is_short = bytes.size() <= identity_bytes_max;
  if (plain && is_short && !bytes.starts_with('\\')) return std::string(bytes);
  if (is_short) return "\\x" + to_hex(bytes);
  const std::string_view begin = bytes.substr(0, identity_bytes_kept);
  return "\\#" + hash_of(bytes) + ' ' + (plain ? std::string(begin) : to_hex(begin));
}

}  // namespace

std::string fingerprint_of(std::int64_t timestamp_ms, const std::optional<std::string>& key,
                           const std::optional<std::string>& value) {
  const std::string both = key.value_or("") + '\0' + value.value_or("");
  return std::to_string(timestamp_ms) + '.' + std::to_string(core::crc32c(both));
}

Result<ReceivedEvent> receive(ports::StoredRecord record, const std::string& identity_header,
                              const std::string& topic_id) {
  ReceivedEvent event{.topic = std::move(record.topic),
                      .partition = record.partition,
                      .offset = record.offset,
                      .key = std::move(record.key),
                      .value = std::move(record.value),
                      .headers = std::move(record.headers),
                      .timestamp_ms = record.timestamp_ms,
                      .source = {},
                      .id = {}};
  if (!identity_header.empty()) {
    const auto id = event.header(identity_header);
    if (!id || id->empty()) {
      return failure(Error{.code = ErrorCode::invalid_argument,
                           .side = Side::stream,
                           .effect = Effect::no,
                           .message = event.place() + " has no header '" + identity_header +
                                      "', which is to identify it; choose another identity header, or none"});
    }
    event.source = event.topic;
    event.id = as_column(*id);
    return event;
  }
  const auto source = event.header("ce_source");
  const auto id = event.header("ce_id");
  if (source && id && !id->empty()) {
    event.source = as_column(*source);
    event.id = as_column(*id);
  } else {
    event.source =
        event.topic + '[' + std::to_string(event.partition) + ']' + (topic_id.empty() ? "" : " of " + topic_id);
    event.id = std::to_string(event.offset);
  }
  return event;
}

}  // namespace consumer
}  // namespace write_aside
