// The INSERT that `load` runs for a set of columns.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "stores.hpp"

namespace write_aside::cli {

// `upsert_key`: the column by which a row that is there already is replaced; empty: such a row is an error.
[[nodiscard]] std::string insert_text(const Dialect& dialect, std::string_view table,
                                      std::span<const std::string_view> columns, std::string_view upsert_key);

}  // namespace write_aside::cli
