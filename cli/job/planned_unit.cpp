#include "job/planned_unit.hpp"

#include <algorithm>

namespace write_aside::cli {

Place place_of(const PlannedUnit& unit, std::size_t at) {
  Place place{unit.line, 1};
  for (const char byte : unit.text.substr(0, std::min(at, unit.text.size()))) {
    if (byte == '\n') {
      place = {place.line + 1, 1};
    } else if ((static_cast<unsigned char>(byte) & 0xC0) != 0x80) {
      // Bytes that continue a UTF-8 character are not columns of their own.
      ++place.column;
    }
  }
  return place;
}

}  // namespace write_aside::cli
