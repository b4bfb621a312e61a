#include <utility>

#include "adapters/postgresql/database.hpp"
#include "write_aside/adapters/postgresql.hpp"

namespace write_aside::postgresql {

Result<std::shared_ptr<ports::Database>> open(const std::string& url, Options options) {
  auto address = read_address(url);
  if (!address) return failure(std::move(address));
  auto store = std::make_shared<Store>(std::move(*address), std::move(options));
  const auto deadline = std::chrono::steady_clock::now() + store->options().connect_timeout;
  // Checks the server; the connection stays in the pool.
  if (auto lease = Store::lease(store, Purpose::own, deadline, false); !lease) return failure(std::move(lease));
  return std::make_shared<Database>(std::move(store));
}

}  // namespace write_aside::postgresql
