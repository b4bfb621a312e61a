// UTF-8 and JSON of the local stream's columns: `headers` is a JSON object that any SQLite tool can read, and
// keys and values that are text are stored as text.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::local_stream {

// True if `bytes` may be stored as TEXT: valid UTF-8 without a zero byte, at which SQL tools would cut it.
[[nodiscard]] bool is_text(std::string_view bytes);

// Appends {"name":"text",…} in the given order. A value that is not UTF-8 becomes {"base64":"…"}.
// False, with `out` as it was, if a name is not UTF-8.
[[nodiscard]] bool append_headers(std::string& out, std::span<const ports::HeaderView> headers);

// The reverse. Order and repeated names survive. `corrupt` if the text is not what append_headers writes.
[[nodiscard]] Result<std::vector<Header>> parse_headers(std::string_view json);

}  // namespace write_aside::local_stream
