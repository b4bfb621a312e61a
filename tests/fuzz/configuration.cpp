// The TOML configuration and a file of stream properties: refused with the place, or read as what it says: written out
// anew, it is read as the same.
#include <cstdio>

#include "fuzz/fuzz.hpp"
#include "settings.hpp"
#include "stream_properties.hpp"

namespace {

using namespace write_aside;
using fuzz::require;

// As a TOML string with everything escaped that could be.
std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char letter : text) {
    char escaped[16];
    const auto byte = static_cast<unsigned char>(letter);
    if (byte >= 0x80) {
      quoted += letter;
      continue;
    }
    std::snprintf(escaped, sizeof escaped, "\\u%04X", byte);
    quoted += escaped;
  }
  return quoted + '"';
}

std::string toml_of(const cli::Settings& settings) {
  std::string toml = "database = " + toml_string(settings.database) + "\nstream = " + toml_string(settings.stream) +
                     "\nsource = " + toml_string(settings.source) +
                     "\nledger_topic = " + toml_string(settings.ledger_topic) + "\n[stream_config]\n";
  for (const auto& [name, value] : settings.stream_properties) {
    toml += toml_string(name) + " = " + toml_string(value) + '\n';
  }
  return toml;
}

void read_configuration(std::string_view bytes) {
  const fuzz::MemoryFile file(bytes);
  cli::Settings settings;
  settings.config = file.path();
  if (const auto read = settings.read_config(); !read) {
    fuzz::require_clear(read.error());
    require(read.error().message.starts_with(file.path() + ':'), "the file is named", read.error().message);
    return;
  }
  const std::string toml = toml_of(settings);
  const fuzz::MemoryFile again_file(toml);
  cli::Settings again;
  again.config = again_file.path();
  require(again.read_config().has_value(), "settings that are written out are read again", toml);
  require(again.database == settings.database && again.stream == settings.stream && again.source == settings.source &&
              again.ledger_topic == settings.ledger_topic && again.stream_properties == settings.stream_properties,
          "as the same", toml);
}

void read_properties(std::string_view bytes) {
  const fuzz::MemoryFile file(bytes);
  const auto properties = cli::read_stream_properties(file.path());
  if (!properties) return fuzz::require_clear(properties.error());
  std::string lines;
  for (const auto& [name, value] : *properties) {
    require(!name.empty() && name.find('=') == std::string::npos, "a property has a name");
    lines += name + " = " + value + "\r\n";
  }
  const fuzz::MemoryFile again_file(lines);
  const auto again = cli::read_stream_properties(again_file.path());
  require(again && *again == *properties, "properties that are written out are read as the same", lines);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  read_configuration(bytes);
  read_properties(bytes);
  return 0;
}
