#include "adapters/postgresql/address.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "adapters/postgresql/handles.hpp"

namespace write_aside::postgresql {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

std::string find(const Settings& settings, std::string_view keyword) {
  const auto found =
      std::find_if(settings.begin(), settings.end(), [&](const auto& setting) { return setting.first == keyword; });
  return found != settings.end() ? found->second : std::string();
}

// What libpq takes for a keyword that the URL leaves out: environment, service file, its own default.
std::string find_default(std::string_view keyword) {
  const SettingsHandle defaults(PQconndefaults());
  for (const PQconninfoOption* option = defaults.get(); option != nullptr && option->keyword != nullptr; ++option) {
    if (option->keyword == keyword) return option->val != nullptr ? option->val : "";
  }
  return {};
}

std::string either(const Settings& settings, std::string_view keyword) {
  std::string value = find(settings, keyword);
  return !value.empty() ? value : find_default(keyword);
}

// A folder with a socket is written as in a URL.
std::string escaped_host(const std::string& host) {
  std::string text;
  for (const char letter : host) {
    if (letter == '/') {
      text += "%2F";
    } else {
      text += letter;
    }
  }
  return text;
}

std::string name_of(const Settings& settings) {
  std::string host = either(settings, "host");
  if (host.empty()) host = find(settings, "hostaddr");
  std::string database = either(settings, "dbname");
  if (database.empty()) database = either(settings, "user");
  return "postgresql://" + escaped_host(host) + ":" + either(settings, "port") + "/" + database;
}

// A '/', '?' or '@' in a password that is not percent-encoded makes libpq take parts of it for the host, the port or the
// database, which messages show; so does a parameter behind a '&' where no '?' stands. So an '@' is refused wherever it
// does not end user and password.
bool holds_misplaced_password(const std::string& url, const Settings& settings) {
  const std::string port = find(settings, "port");
  if (port.find_first_not_of("0123456789,") != std::string::npos) return true;
  if (find(settings, "host").find('@', 1) != std::string::npos) return true;
  for (const std::string_view shown : {"host", "hostaddr", "dbname", "user"}) {
    if (find(settings, shown).find("password=") != std::string::npos) return true;
  }
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return false;
  const std::size_t authority_end = url.find_first_of("/?", scheme + 3);
  return authority_end != std::string::npos && url.find('@', authority_end) != std::string::npos;
}

Error invalid_url() {
  // What libpq says may quote a part of the password that it took for something else.
  return {ErrorCode::invalid_argument,
          Side::caller,
          Effect::no,
          false,
          "the URL of the PostgreSQL database is not valid; write postgresql://USER@HOST:PORT/DATABASE, with special "
          "characters percent-encoded",
          {}};
}

void set_default(Settings& settings, const std::string& keyword, const std::string& value) {
  if (find(settings, keyword).empty()) settings.emplace_back(keyword, value);
}

}  // namespace

Result<Address> read_address(const std::string& url) {
  // Where libpq stops reading: behind it may stand the '@' by which a password is told from a host.
  if (url.find('\0') != std::string::npos) return failure(invalid_url());
  char* said = nullptr;
  const SettingsHandle parsed(PQconninfoParse(url.c_str(), &said));
  const TextHandle complaint(said);
  if (parsed == nullptr) return failure(invalid_url());
  Address address;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) address.settings.emplace_back(option->keyword, option->val);
  }
  if (holds_misplaced_password(url, address.settings)) return failure(invalid_url());
  address.name = name_of(address.settings);
  set_default(address.settings, "fallback_application_name", "write-aside");
  set_default(address.settings, "client_encoding", "UTF8");
  // A server that is silently gone is noticed also by a connection that nobody waits for.
  set_default(address.settings, "keepalives_idle", "30");
  set_default(address.settings, "keepalives_interval", "10");
  set_default(address.settings, "keepalives_count", "3");
  return address;
}

}  // namespace write_aside::postgresql
