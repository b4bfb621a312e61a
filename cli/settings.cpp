#include "settings.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <toml++/toml.h>
#include <CLI/CLI.hpp>
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

}  // namespace

void Settings::add_options(CLI::App& program) {
  program.add_option("-d,--database", database, "Database URL: " + database_forms())
      ->envname("WRITE_ASIDE_DATABASE")
      ->type_name("URL");
  program.add_option("-s,--stream", stream, "Stream URL: " + stream_forms())
      ->envname("WRITE_ASIDE_STREAM")
      ->type_name("URL");
  program.add_option("--config", config, "TOML file with defaults (default: ./write-aside.toml)")->type_name("FILE");
}

Result<void> Settings::read_config() {
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
      const auto where = fmt::format("{}:{}:{}", config, node.source().begin.line, node.source().begin.column);
      const std::string_view name = key.str();
      std::string* target = nullptr;
      for (const auto& [known_name, setting] : known) {
        if (known_name == name) target = setting;
      }
      if (target == nullptr) {
        return failure(usage_error(
            fmt::format("{}: unknown key '{}'; known: database, stream, source, ledger_topic", where, name)));
      }
      const auto text = node.value_exact<std::string>();
      if (!text) return failure(usage_error(fmt::format("{}: the value of '{}' must be a string", where, name)));
      if (target->empty()) *target = *text;
    }
  } catch (const toml::parse_error& error) {
    const auto begin = error.source().begin;
    return failure(usage_error(
        fmt::format("{}:{}:{}: not valid TOML: {}", config, begin.line, begin.column, error.description())));
  }
  return {};
}

Result<Stores> open_stores(const Settings& settings, Missing missing) {
  auto database = open_database(settings.database, missing);
  if (!database) return failure(database);
  auto stream = open_stream(settings.stream, missing);
  if (!stream) return failure(stream);
  return Stores{*std::move(database), *std::move(stream)};
}

}  // namespace write_aside::cli
