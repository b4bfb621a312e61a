#include "stores.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>
#include <vector>

#include "exit_status.hpp"
#ifdef WRITE_ASIDE_HAS_SQLITE
#include "write_aside/adapters/sqlite.hpp"
#endif
#ifdef WRITE_ASIDE_HAS_POSTGRESQL
#include "write_aside/adapters/postgresql.hpp"
#endif
#ifdef WRITE_ASIDE_HAS_LOCAL_STREAM
#include "write_aside/adapters/local_stream.hpp"
#endif
#ifdef WRITE_ASIDE_HAS_KAFKA
#include "write_aside/adapters/kafka.hpp"
#endif

namespace write_aside::cli {
namespace {

template <class Store, class... More>
struct Scheme {
  std::string_view name;
  std::string_view form;  // empty: another spelling of the scheme before it
  Dialect dialect;
  Result<std::shared_ptr<Store>> (*open)(const std::string& rest, Missing missing, More... more);
};
using DatabaseScheme = Scheme<ports::Database>;
using StreamScheme = Scheme<ports::EventStream, const StreamProperties&>;

// A store that is a file, and must be there.
Result<void> check_file(std::string_view scheme, const std::string& path, Missing missing) {
  struct stat status {};
  if (missing == Missing::create || stat(path.c_str(), &status) == 0 || errno != ENOENT) return {};
  return failure(
      Error{ErrorCode::unreachable,
            Side::caller,
            Effect::no,
            false,
            fmt::format("{}:{} does not exist; make it with 'write-aside init', or mend the path", scheme, path),
            {}});
}

#ifdef WRITE_ASIDE_HAS_POSTGRESQL
constexpr Dialect postgresql_dialect{.numbered_placeholders = true};

// A database of a server is made by the server's own tools, not by `init`.
Result<std::shared_ptr<ports::Database>> open_postgresql(const std::string& rest, Missing) {
  return postgresql::open("postgresql:" + rest);
}
#endif

std::span<const DatabaseScheme> database_schemes() {
  static const std::vector<DatabaseScheme> schemes{
#ifdef WRITE_ASIDE_HAS_SQLITE
      {"sqlite",
       "sqlite:PATH",
       {},
       [](const std::string& path, Missing missing) -> Result<std::shared_ptr<ports::Database>> {
         if (auto there = check_file("sqlite", path, missing); !there) return failure(there);
         sqlite::Options options;
         options.create = missing == Missing::create;
         return sqlite::open(path, options);
       }},
#endif
#ifdef WRITE_ASIDE_HAS_POSTGRESQL
      {"postgresql", "postgresql://USER@HOST/DATABASE", postgresql_dialect, &open_postgresql},
      {"postgres", {}, postgresql_dialect, &open_postgresql},
#endif
  };
  return schemes;
}

#ifdef WRITE_ASIDE_HAS_KAFKA
// The program's own settings stand among librdkafka's, under a name that it would not use.
constexpr std::string_view own_prefix = "write-aside.";

Result<void> set_own(kafka::Options& options, std::string_view name, const std::string& value) {
  if (name == "check.brokers" && (value == "true" || value == "false")) {
    options.check_brokers = value == "true";
    return {};
  }
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.replication_factor);
  const bool is_number = error == std::errc() && end == value.data() + value.size() && options.replication_factor > 0;
  if (name == "replication.factor" && is_number) return {};
  return failure(
      usage_error(fmt::format("the property '{}{}' is not understood; known: write-aside.check.brokers=true|false, "
                              "write-aside.replication.factor=N",
                              own_prefix, name)));
}

Result<std::shared_ptr<ports::EventStream>> open_kafka(const std::string& rest, Missing,
                                                       const StreamProperties& properties) {
  if (!rest.starts_with("//") || rest.size() == 2) {
    return failure(usage_error("the stream URL names no broker; write kafka://HOST:PORT[,HOST:PORT...]"));
  }
  kafka::Properties librdkafka{{"bootstrap.servers", rest.substr(2)}};
  kafka::Options options;
  for (const auto& [name, value] : properties) {
    if (!name.starts_with(own_prefix)) {
      librdkafka.insert_or_assign(name, value);
    } else if (auto set = set_own(options, std::string_view(name).substr(own_prefix.size()), value); !set) {
      return failure(set);
    }
  }
  return kafka::open(librdkafka, options);
}
#endif

#ifdef WRITE_ASIDE_HAS_LOCAL_STREAM
Result<std::shared_ptr<ports::EventStream>> open_local(const std::string& path, Missing missing,
                                                       const StreamProperties& properties) {
  if (!properties.empty()) return failure(usage_error("a local stream takes no properties; they are for kafka://"));
  if (auto there = check_file("local", path, missing); !there) return failure(there);
  local_stream::Options options;
  options.create = missing == Missing::create;
  return local_stream::open(path, options);
}
#endif

std::span<const StreamScheme> stream_schemes() {
  static const std::vector<StreamScheme> schemes{
#ifdef WRITE_ASIDE_HAS_LOCAL_STREAM
      {"local", "local:PATH", {}, &open_local},
#endif
#ifdef WRITE_ASIDE_HAS_KAFKA
      {"kafka", "kafka://HOST:PORT[,HOST:PORT...]", {}, &open_kafka},
#endif
  };
  return schemes;
}

template <class Some>
std::string forms(std::span<const Some> schemes) {
  std::string text;
  for (const auto& scheme : schemes) {
    if (!scheme.form.empty()) text += fmt::format("{}{}", text.empty() ? "" : ", ", scheme.form);
  }
  return text;
}

// Where no scheme is, a colon may stand behind anything, also a password.
bool is_scheme(std::string_view name) {
  constexpr std::size_t letters_max = 20;
  return !name.empty() && name.size() <= letters_max &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

// Finds the scheme; `url` keeps what stands behind it. A message names the scheme alone: the rest may hold a password.
template <class Some>
Result<const Some*> take_scheme(std::string& url, std::span<const Some> schemes, std::string_view what,
                                std::string_view option) {
  if (url.empty()) {
    return failure(usage_error(
        fmt::format("no {0} given; use --{0} URL, {1}, or {0} = \"URL\" in write-aside.toml", what, option)));
  }
  const std::size_t colon = url.find(':');
  if (colon == std::string::npos || !is_scheme(std::string_view(url).substr(0, colon))) {
    return failure(usage_error(fmt::format("the {} URL has no scheme; write {}", what, forms(schemes))));
  }
  const std::string_view name = std::string_view(url).substr(0, colon);
  const auto found =
      std::find_if(schemes.begin(), schemes.end(), [&](const auto& scheme) { return scheme.name == name; });
  if (found == schemes.end()) {
    return failure(usage_error(fmt::format("unknown {} scheme '{}:'; known: {}", what, name, forms(schemes))));
  }
  const Some* scheme = &*found;
  url.erase(0, colon + 1);
  if (url.empty())
    return failure(
        usage_error(fmt::format("the {} URL names nothing behind '{}:'; write {}", what, scheme->name, scheme->form)));
  return scheme;
}

Result<const DatabaseScheme*> take_database_scheme(std::string& url) {
  return take_scheme(url, database_schemes(), "database", "WRITE_ASIDE_DATABASE");
}

}  // namespace

Result<std::shared_ptr<ports::Database>> open_database(const std::string& url, Missing missing) {
  std::string rest = url;
  const auto scheme = take_database_scheme(rest);
  if (!scheme) return failure(scheme);
  return (*scheme)->open(rest, missing);
}

Result<std::shared_ptr<ports::EventStream>> open_stream(const std::string& url, Missing missing,
                                                        const StreamProperties& properties) {
  std::string rest = url;
  const auto scheme = take_scheme(rest, stream_schemes(), "stream", "WRITE_ASIDE_STREAM");
  if (!scheme) return failure(scheme);
  return (*scheme)->open(rest, missing, properties);
}

Result<Dialect> dialect_of(const std::string& database_url) {
  std::string rest = database_url;
  const auto scheme = take_database_scheme(rest);
  if (!scheme) return failure(scheme);
  return (*scheme)->dialect;
}

std::string database_forms() { return forms(database_schemes()); }
std::string stream_forms() { return forms(stream_schemes()); }

}  // namespace write_aside::cli
