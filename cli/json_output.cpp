#include "json_output.hpp"

#include <cstdio>

namespace write_aside::cli {

std::string to_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

bool print_out(const std::string& text) { return std::fwrite(text.data(), 1, text.size(), stdout) == text.size(); }

}  // namespace write_aside::cli
