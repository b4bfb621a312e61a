// libpq's handles, each freed by its owner.
#pragma once

#include <libpq-fe.h>

#include <memory>

namespace write_aside::postgresql {

struct CloseConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
struct FreeSettings {
  void operator()(PQconninfoOption* settings) const noexcept { PQconninfoFree(settings); }
};
struct FreeText {
  void operator()(char* text) const noexcept { PQfreemem(text); }
};

using ConnectionHandle = std::unique_ptr<PGconn, CloseConnection>;
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;
using SettingsHandle = std::unique_ptr<PQconninfoOption, FreeSettings>;
using TextHandle = std::unique_ptr<char, FreeText>;

}  // namespace write_aside::postgresql
