// Where the program finds its stores, and defaults: options win over the environment, the environment over the TOML file.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "stores.hpp"
#include "write_aside/result.hpp"

namespace write_aside::cli {

struct Settings {
  std::string database;  // URL
  std::string stream;    // URL
  std::string config;    // path of the TOML file
  std::string source;    // default of --source
  std::string ledger_topic;
  std::string stream_config;                         // path of a file of properties
  std::vector<std::string> stream_property_options;  // NAME=VALUE each
  StreamProperties stream_properties;                // what comes of the two, and of the TOML file

  // Adds --database, --stream and --config, --stream-config and --stream-set.
  void add_options(Command program);
  // Fills what options and environment left open. Refuses a file with a mistake or an unknown key.
  [[nodiscard]] Result<void> read_config();

 private:
  [[nodiscard]] Result<void> read_stream_properties_and_options();
};

// Other users of the host see the command line: an argument with a URL that holds a password is refused.
[[nodiscard]] Result<void> refuse_visible_secrets(std::span<const char* const> arguments);

struct Stores {
  std::shared_ptr<ports::Database> database;
  std::shared_ptr<ports::EventStream> stream;
};

[[nodiscard]] Result<Stores> open_stores(const Settings& settings, Missing missing = Missing::refuse);

}  // namespace write_aside::cli
