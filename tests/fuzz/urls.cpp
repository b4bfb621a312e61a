// What names stores and topics on the command line: no message shows a password, however the URL is mangled.
#include <string>

#include "adapters/postgresql/address.hpp"
#include "fuzz/fuzz.hpp"
#include "stores.hpp"
#include "topic_spec.hpp"

namespace {

using namespace write_aside;
using fuzz::require;

constexpr std::string_view password = "PASSWORD";

// What a user gets to see of this URL.
std::string seen(const std::string& url) {
  std::string text;
  const auto dialect = cli::dialect_of(url);
  if (!dialect) {
    fuzz::require_clear(dialect.error());
    text += dialect.error().message;
  }
  // As the program takes the scheme off.
  if (url.starts_with("postgresql:") || url.starts_with("postgres:")) {
    const auto address = postgresql::read_address("postgresql:" + url.substr(url.find(':') + 1));
    if (!address) {
      fuzz::require_clear(address.error());
      text += address.error().message + address.error().driver;
    } else {
      require(address->name.starts_with("postgresql://"), "a database has a name", url);
      text += address->name;
    }
  }
  return text;
}

// Is the word where only a password can be meant: behind `USER:` and before the last `@`, or as `password=`?
bool stands_as_password(std::string_view url) {
  const std::size_t at = url.find(password);
  if (at == std::string_view::npos || at != url.rfind(password)) return false;
  const std::string_view before = url.substr(0, at);
  const std::size_t authority = before.find("://");
  if (before.ends_with("?password=") || before.ends_with("&password=")) return true;
  if (authority == std::string_view::npos) return false;
  const std::string_view user = before.substr(authority + 3);
  const std::size_t colon = user.find(':');
  return colon != std::string_view::npos && user.find_first_of("/@?[]", 0) == std::string_view::npos &&
         url.find('@', at) != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string url(fuzz::text_of(data, size));
  const std::string shown = seen(url);
  if (stands_as_password(url)) {
    require(shown.find(password) == std::string::npos, "a password is not shown", url + "\n" + shown);
  }
  const auto spec = cli::parse_topic_spec(url);
  if (!spec) {
    fuzz::require_clear(spec.error());
  } else {
    const std::string written =
        spec->name + ':' + std::to_string(spec->partitions) + (spec->compacted ? ":compacted" : "");
    const auto again = cli::parse_topic_spec(written);
    require(spec->partitions >= 1 && again && again->name == spec->name && again->partitions == spec->partitions &&
                again->compacted == spec->compacted,
            "a topic that is written out is read as the same", url);
  }
  return 0;
}
