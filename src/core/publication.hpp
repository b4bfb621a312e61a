// What a unit publishes: its events with what they need to be produced again by anybody, at any time.
//
// encode() gives the journal payload (docs/format.md): version byte, fields with length prefixes, CRC-32C over all
// before it. decode() refuses what it does not know or what is damaged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/event.hpp"
#include "write_aside/result.hpp"

namespace write_aside::core {

struct Publication {
  std::string source;        // ce_source
  std::int64_t time_ms = 0;  // ce_time and the records' timestamp
  std::vector<Event> events;

  [[nodiscard]] std::size_t bytes() const;  // what the events weigh, for the limits of a batch
};

[[nodiscard]] std::string encode(const Publication& publication);
[[nodiscard]] Result<Publication> decode_publication(std::string_view payload);

}  // namespace write_aside::core
