// Base64 as in RFC 4648, section 4, with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace write_aside::cli {

[[nodiscard]] std::string to_base64(std::string_view bytes);
// None if the text is not base64: a foreign character, missing padding, or stray bits at the end.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace write_aside::cli
