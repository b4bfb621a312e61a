// JSON as the program prints it.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace write_aside::cli {

using Json = nlohmann::ordered_json;

// On one line. Text that is not UTF-8 is shown with replacement characters.
[[nodiscard]] inline std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// False when standard output takes no more: a closed pipe, a full disk.
[[nodiscard]] inline bool print_out(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
}

}  // namespace write_aside::cli
