#include "core/publication.hpp"

#include "core/bytes.hpp"
#include "core/crc32c.hpp"

namespace write_aside::core {

namespace {

constexpr std::uint8_t payload_version = 1;
constexpr std::size_t checksum_bytes = 4;
// Smallest encoding of an event: eight empty fields. Bounds what a damaged count can make us reserve.
constexpr std::size_t event_bytes_min = 7;

void put_event(ByteWriter& out, const Event& event) {
  out.text(event.topic);
  out.optional_text(event.key);
  out.text(event.type);
  out.optional_text(event.value);
  out.text(event.id);
  out.text(event.content_type);
  out.number(event.headers.size());
  for (const Header& header : event.headers) {
    out.text(header.name);
    out.text(header.value);
  }
}

Event take_event(ByteReader& in) {
  Event event;
  event.topic = in.text();
  event.key = in.optional_text();
  event.type = in.text();
  event.value = in.optional_text();
  event.id = in.text();
  event.content_type = in.text();
  const std::uint64_t headers = in.number();
  for (std::uint64_t i = 0; i < headers && in.ok(); ++i) {
    std::string name = in.text();
    event.headers.push_back({std::move(name), in.text()});
  }
  return event;
}

Error damaged(const char* what) {
  return {.code = ErrorCode::corrupt,
          .side = Side::database,
          .effect = Effect::no,
          .message = std::string("journal payload ") + what +
                     "; the row was not written by this version of write-aside, or the database is damaged"};
}

}  // namespace

std::size_t Publication::bytes() const {
  std::size_t sum = 0;
  for (const Event& event : events) {
    sum += event.topic.size() + event.type.size() + event.id.size() + event.content_type.size();
    sum += (event.key ? event.key->size() : 0) + (event.value ? event.value->size() : 0);
    for (const Header& header : event.headers) sum += header.name.size() + header.value.size();
  }
  return sum;
}

std::string encode(const Publication& publication) {
  ByteWriter out;
  out.reserve(publication.bytes() + publication.events.size() * 24 + publication.source.size() + 32);
  out.byte(payload_version);
  out.text(publication.source);
  out.number(static_cast<std::uint64_t>(publication.time_ms));
  out.number(publication.events.size());
  for (const Event& event : publication.events) put_event(out, event);
  out.fixed32(crc32c(out.bytes()));
  return out.take();
}

Result<Publication> decode_publication(std::string_view payload) {
  if (payload.size() < 1 + checksum_bytes) return failure(damaged("is too short"));
  const std::string_view body = payload.substr(0, payload.size() - checksum_bytes);
  ByteReader checksum(payload.substr(body.size()));
  if (checksum.fixed32() != crc32c(body)) return failure(damaged("does not match its checksum"));

  ByteReader in(body);
  if (in.byte() != payload_version) return failure(damaged("has an unknown version"));
  Publication publication;
  publication.source = in.text();
  publication.time_ms = static_cast<std::int64_t>(in.number());
  const std::uint64_t count = in.number();
  if (count > body.size() / event_bytes_min) return failure(damaged("has an impossible count of events"));
  publication.events.reserve(count);
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) publication.events.push_back(take_event(in));
  if (!in.ok() || !in.at_end()) return failure(damaged("ends in the middle of a field"));
  return publication;
}

}  // namespace write_aside::core
