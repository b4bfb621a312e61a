// The properties of a stream's client: from a file of lines NAME=VALUE, from the command line, from the TOML file.
#pragma once

#include <map>
#include <string>

#include "write_aside/result.hpp"

namespace write_aside::cli {

using StreamProperties = std::map<std::string, std::string>;

// Lines NAME=VALUE; blanks around both are no part of them. Empty lines and those that begin with # say nothing.
[[nodiscard]] Result<StreamProperties> read_stream_properties(const std::string& path);
// NAME=VALUE, as written on the command line, which other users of the host can see: secrets are refused there.
[[nodiscard]] Result<void> set_stream_property(StreamProperties& properties, const std::string& text);

}  // namespace write_aside::cli
