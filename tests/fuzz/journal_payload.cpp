// A journal payload that the database gives back: refused as corrupt, or read as exactly what was written.
//
// As hardly any input has a right checksum, each is read twice: as it is, and with a checksum that fits.
#include "core/bytes.hpp"
#include "core/crc32c.hpp"
#include "core/envelope.hpp"
#include "core/publication.hpp"
#include "fuzz/fuzz.hpp"

namespace {

using namespace write_aside;
using fuzz::require;

bool same(const Event& a, const Event& b) {
  return a.topic == b.topic && a.key == b.key && a.type == b.type && a.value == b.value && a.id == b.id &&
         a.content_type == b.content_type && a.headers == b.headers;
}

bool same(const core::Publication& a, const core::Publication& b) {
  if (a.source != b.source || a.time_ms != b.time_ms || a.events.size() != b.events.size()) return false;
  for (std::size_t index = 0; index < a.events.size(); ++index) {
    if (!same(a.events[index], b.events[index])) return false;
  }
  return true;
}

void read(std::string_view payload) {
  const auto publication = core::decode_publication(payload);
  if (!publication) {
    fuzz::require_clear(publication.error());
    require(publication.error().code == ErrorCode::corrupt, "a payload that is refused is called corrupt");
    return;
  }
  require(publication->bytes() <= payload.size(), "a publication is no larger than its payload");
  const auto again = core::decode_publication(core::encode(*publication));
  require(again && same(*again, *publication), "what was read can be written and read again");
  core::Envelope envelope;
  const UnitId unit{1, 2, 3, 4};
  envelope.add(*publication, &unit);
  require(envelope.records().size() == publication->events.size(), "each event becomes a record");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  read(bytes);
  core::ByteWriter sealed;
  for (const char byte : bytes) sealed.byte(static_cast<std::uint8_t>(byte));
  sealed.fixed32(core::crc32c(bytes));
  read(sealed.bytes());
  return 0;
}
