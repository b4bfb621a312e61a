#include "settings.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <utility>

#include "exit_status.hpp"

namespace write_aside::cli {
namespace {

constexpr const char* default_config = "write-aside.toml";

bool exists(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0;
}

std::string place_of(const std::string& file, const toml::node& node) {
  return fmt::format("{}:{}:{}", file, node.source().begin.line, node.source().begin.column);
}

// `security.protocol = "ssl"` is a table in a table to TOML; a property's name has the dots in it.
Result<void> flatten(const std::string& file, const std::string& prefix, const toml::table& table,
                     StreamProperties& properties) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* const inner = node.as_table(); inner != nullptr) {
      if (auto read = flatten(file, name + '.', *inner, properties); !read) return read;
    } else if (const auto text = node.value_exact<std::string>()) {
      properties.emplace(name, *text);
    } else if (const auto number = node.value_exact<std::int64_t>()) {
      properties.emplace(name, std::to_string(*number));
    } else if (const auto truth = node.value_exact<bool>()) {
      properties.emplace(name, *truth ? "true" : "false");
    } else {
      return failure(usage_error(fmt::format("{}: the value of '{}' must be a string, a whole number, true or false",
                                             place_of(file, node), name)));
    }
  }
  return {};
}

// What the parser says, without the letters that it met there: they may be a part of a secret.
std::string_view reason(std::string_view said) { return said.substr(0, said.find(", saw '")); }

bool holds_password(std::string_view argument) {
  const std::size_t begin = argument.find("://");
  if (begin == std::string_view::npos) return false;
  const std::string_view rest = argument.substr(begin + 3);
  const std::string_view user = rest.substr(0, rest.find('@'));
  const bool behind_user = user.size() < rest.size() && user.find(':') != std::string_view::npos;
  return behind_user || rest.find("password=") != std::string_view::npos;
}

}  // namespace

Result<void> refuse_visible_secrets(std::span<const char* const> arguments) {
  if (std::none_of(arguments.begin(), arguments.end(), holds_password)) return {};
  return failure(
      usage_error("a password on the command line can be seen by other users; give the URL in WRITE_ASIDE_DATABASE or "
                  "write-aside.toml, or the password in PGPASSWORD or ~/.pgpass"));
}

void Settings::add_options(Command program) {
  program.text("-d,--database", database, "URL", "Database URL: " + database_forms())
      .environment("WRITE_ASIDE_DATABASE");
  program.text("-s,--stream", stream, "URL", "Stream URL: " + stream_forms()).environment("WRITE_ASIDE_STREAM");
  program
      .text("--stream-config", stream_config, "FILE",
            "Properties of the stream's client, a line NAME=VALUE each: for kafka://, librdkafka's own")
      .environment("WRITE_ASIDE_STREAM_CONFIG");
  program.texts("--stream-set", stream_property_options, "NAME=VALUE", "One such property; wins over the file");
  program.text("--config", config, "FILE", "TOML file with defaults (default: ./write-aside.toml)");
}

Result<void> Settings::read_stream_properties_and_options() {
  if (!stream_config.empty()) {
    auto read = read_stream_properties(stream_config);
    if (!read) return failure(read);
    stream_properties = *std::move(read);
  }
  for (const std::string& text : stream_property_options) {
    if (auto set = set_stream_property(stream_properties, text); !set) return set;
  }
  return {};
}

Result<void> Settings::read_config() {
  if (auto read = read_stream_properties_and_options(); !read) return read;
  if (config.empty()) {
    if (!exists(default_config)) return {};
    config = default_config;
  }
  if (!exists(config))
    return failure(usage_error(fmt::format("cannot open the configuration {}: no such file", config)));
  const std::array<std::pair<std::string_view, std::string*>, 4> known{
      {{"database", &database}, {"stream", &stream}, {"source", &source}, {"ledger_topic", &ledger_topic}}};
  try {
    const toml::table table = toml::parse_file(config);
    for (const auto& [key, node] : table) {
      const std::string where = place_of(config, node);
      const std::string_view name = key.str();
      if (const toml::table* const inner = node.as_table(); inner != nullptr && name == "stream_config") {
        if (auto read = flatten(config, "", *inner, stream_properties); !read) return read;
        continue;
      }
      std::string* target = nullptr;
      for (const auto& [known_name, setting] : known) {
        if (known_name == name) target = setting;
      }
      if (target == nullptr) {
        return failure(usage_error(fmt::format(
            "{}: unknown key '{}'; known: database, stream, source, ledger_topic, [stream_config]", where, name)));
      }
      const auto text = node.value_exact<std::string>();
      if (!text) return failure(usage_error(fmt::format("{}: the value of '{}' must be a string", where, name)));
      if (target->empty()) *target = *text;
    }
  } catch (const toml::parse_error& error) {
    const auto begin = error.source().begin;
    return failure(usage_error(
        fmt::format("{}:{}:{}: not valid TOML: {}", config, begin.line, begin.column, reason(error.description()))));
  }
  return {};
}

Result<Stores> open_stores(const Settings& settings, Missing missing) {
  auto database = open_database(settings.database, missing);
  if (!database) return failure(database);
  auto stream = open_stream(settings.stream, missing, settings.stream_properties);
  if (!stream) return failure(stream);
  return Stores{*std::move(database), *std::move(stream)};
}

}  // namespace write_aside::cli
