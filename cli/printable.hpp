// Text of others on a terminal: a file, an event or a driver must not move the cursor, colour what follows, or begin a line
// that looks like ours.
#pragma once

#include <string>

namespace write_aside::cli {

// With a blank for every control character, those above ASCII (U+0080 to U+009F) included.
[[nodiscard]] inline std::string printable(std::string text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool wide = byte == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
    if (wide) text[at + 1] = ' ';
    if (wide || byte < 0x20 || byte == 0x7F) text[at] = ' ';
  }
  return text;
}

}  // namespace write_aside::cli
