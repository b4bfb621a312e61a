// Which databases and streams there are: a URL's scheme names one. A new store is a new row in the tables of stores.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "stream_properties.hpp"
#include "write_aside/ports/database.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::cli {

// How a database writes what `load` needs.
struct Dialect {
  char quote = '"';                    // around names
  bool numbered_placeholders = false;  // $1 instead of ?
  bool on_duplicate_key = false;       // ON DUPLICATE KEY UPDATE instead of ON CONFLICT
};

// May a store that is not there be made? Only `init` does.
enum class Missing { refuse, create };

[[nodiscard]] Result<std::shared_ptr<ports::Database>> open_database(const std::string& url, Missing missing);
// `properties`: of the stream's client, for a scheme that takes them.
[[nodiscard]] Result<std::shared_ptr<ports::EventStream>> open_stream(const std::string& url, Missing missing,
                                                                      const StreamProperties& properties = {});
[[nodiscard]] Result<Dialect> dialect_of(const std::string& database_url);

// "sqlite:PATH", for help texts.
[[nodiscard]] std::string database_forms();
[[nodiscard]] std::string stream_forms();

}  // namespace write_aside::cli
