// Where the database is: the user's URL, read once, in libpq's own syntax.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "write_aside/result.hpp"

namespace write_aside::postgresql {

struct Address {
  std::string name;  // for messages: "postgresql://host:port/database", without user and password
  std::vector<std::pair<std::string, std::string>> settings;  // libpq's connection parameters
};

// A URL, or a string of `keyword=value` pairs. What it leaves out comes from libpq's environment variables.
[[nodiscard]] Result<Address> read_address(const std::string& url);

}  // namespace write_aside::postgresql
