// JSON as the program prints it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace write_aside::cli {

using Json = nlohmann::ordered_json;

// On one line. Text that is not UTF-8 is shown with replacement characters.
[[nodiscard]] std::string to_line(const Json& json);

// False when standard output takes no more: a closed pipe, a full disk.
[[nodiscard]] bool print_out(const std::string& text);

}  // namespace write_aside::cli
