#include "stream_properties.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include "exit_status.hpp"

namespace write_aside::cli {
namespace {

constexpr std::size_t lines_max = 10'000;  // of a file that was taken for another one

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::optional<std::pair<std::string, std::string>> parse_line(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == line.npos) return std::nullopt;
  std::string name(trimmed(line.substr(0, equals)));
  if (name.empty()) return std::nullopt;
  return std::pair(std::move(name), std::string(trimmed(line.substr(equals + 1))));
}

bool is_secret(std::string_view name) {
  constexpr std::array<std::string_view, 4> marks{"password", "secret", "key.pem", "oauthbearer.config"};
  return std::any_of(marks.begin(), marks.end(),
                     [name](std::string_view mark) { return name.find(mark) != name.npos; });
}

}  // namespace

Result<StreamProperties> read_stream_properties(const std::string& path) {
  std::ifstream file(path);
  if (!file) return failure(usage_error(fmt::format("cannot open the stream's properties {}; mend the path", path)));
  StreamProperties properties;
  std::string text;
  for (std::size_t number = 1; std::getline(file, text); ++number) {
    const std::string_view line = trimmed(text);
    if (line.empty() || line.starts_with('#')) continue;
    auto property = parse_line(line);
    // The line is not shown: it may be a secret.
    if (!property || number > lines_max) {
      return failure(usage_error(fmt::format("{}:{}: not a property; write NAME=VALUE", path, number)));
    }
    properties.insert_or_assign(std::move(property->first), std::move(property->second));
  }
  return properties;
}

Result<void> set_stream_property(StreamProperties& properties, const std::string& text) {
  auto property = parse_line(text);
  if (!property) return failure(usage_error("--stream-set: not a property; write NAME=VALUE"));
  if (is_secret(property->first)) {
    return failure(usage_error(fmt::format(
        "--stream-set {}: a secret on the command line can be seen by other users; write it into a file that only you "
        "can read, and name that with --stream-config",
        property->first)));
  }
  properties.insert_or_assign(std::move(property->first), std::move(property->second));
  return {};
}

}  // namespace write_aside::cli
