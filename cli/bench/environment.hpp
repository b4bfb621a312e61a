// What the figures depend on: the machine, the stores, and whether they were durable.
#pragma once

#include <map>
#include <string>

#include "settings.hpp"

namespace write_aside::cli::bench {

struct Environment {
  std::string machine;     // "2 x Some Processor"
  std::string database;    // name and version
  std::string stream;      // name
  std::string durability;  // the database's settings
  std::string unsafe;      // which of them may lose what was committed; empty: none
};

[[nodiscard]] Result<Environment> examine(const Settings& settings, const Stores& stores);

// Pure. Of PostgreSQL's settings, those that may lose a commit that was answered.
[[nodiscard]] std::string unsafe_of_postgresql(const std::map<std::string, std::string>& settings);

}  // namespace write_aside::cli::bench
