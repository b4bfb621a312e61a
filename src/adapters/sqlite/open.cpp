#include <utility>

#include "adapters/sqlite/database.hpp"
#include "write_aside/adapters/sqlite.hpp"

namespace write_aside::sqlite {

Result<std::shared_ptr<ports::Database>> open(const std::string& path, Options options) {
  // Each connection to one of these would be a database of its own.
  if (path.empty() || path == ":memory:") {
    return failure({ErrorCode::invalid_argument,
                    Side::caller,
                    Effect::no,
                    false,
                    "open of sqlite:" + path + ": a file is needed; give its path",
                    {}});
  }
  auto store = std::make_shared<Store>(path, options);
  if (auto opened = store->open(); !opened) return failure(std::move(opened));
  return std::make_shared<Database>(std::move(store));
}

}  // namespace write_aside::sqlite
