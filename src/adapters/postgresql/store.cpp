#include "adapters/postgresql/store.hpp"

#include <algorithm>
#include <utility>

#include "adapters/postgresql/session_setup.hpp"
#include "adapters/postgresql/tables.hpp"

namespace write_aside::postgresql {
namespace {

// A lane's janitor, the sweep, a takeover and a reader at once; more of them queue.
constexpr std::size_t own_connections_max = 4;

}  // namespace

Lease::Lease(std::shared_ptr<Store> store, Purpose purpose, std::unique_ptr<Connection> connection)
    : store_(std::move(store)), purpose_(purpose), connection_(std::move(connection)) {}

Lease::~Lease() {
  if (store_ != nullptr) store_->give_back(purpose_, std::move(connection_));
}

Store::Store(Address address, Options options) : address_(std::move(address)), options_(std::move(options)) {
  pool(Purpose::units).connections_max = std::max<std::size_t>(1, options_.connections_max);
  pool(Purpose::own).connections_max = own_connections_max;
}

Result<Lease> Store::lease(const std::shared_ptr<Store>& store, Purpose purpose, ports::Deadline deadline,
                           bool needs_tables) {
  auto taken = store->take_place(purpose, deadline);
  if (!taken) return failure(std::move(taken));
  Lease lease(store, purpose, std::move(*taken));
  if (lease.connection_ == nullptr) {
    auto connected = store->connect(purpose, deadline);
    if (!connected) return failure(std::move(connected));
    lease.connection_ = std::move(*connected);
  }
  if (!needs_tables || !lease.connection_->table_prefix().empty()) return lease;
  if (auto found = find_tables(*lease.connection_, store->options(), deadline); !found) {
    return failure(std::move(found));
  }
  if (lease.connection_->table_prefix().empty()) return failure(not_initialised(store->name()));
  return lease;
}

// An idle connection that still lives, or the right to make one: then null.
Result<std::unique_ptr<Connection>> Store::take_place(Purpose purpose, ports::Deadline deadline) {
  Pool& from = pool(purpose);
  std::vector<std::unique_ptr<Connection>> dead;  // closed outside the lock
  std::unique_lock lock(mutex_);
  if (!from.returned.wait_until(lock, deadline, [&] { return from.taken < from.connections_max; })) {
    return failure({ErrorCode::busy,
                    Side::database,
                    Effect::no,
                    true,
                    "begin failed on " + name() + ": all " + std::to_string(from.connections_max) +
                        " connections are in use; try again, or raise connections_max",
                    {}});
  }
  ++from.taken;
  // Bounded by the size of the pool.
  while (!from.idle.empty()) {
    std::unique_ptr<Connection> connection = std::move(from.idle.back());
    from.idle.pop_back();
    if (connection->looks_alive()) return connection;
    dead.push_back(std::move(connection));
  }
  lock.unlock();
  return nullptr;
}

void Store::give_back(Purpose purpose, std::unique_ptr<Connection> connection) {
  if (connection != nullptr && (connection->is_broken() || connection->in_transaction())) connection.reset();
  Pool& to = pool(purpose);
  const std::lock_guard lock(mutex_);
  --to.taken;
  if (connection != nullptr) to.idle.push_back(std::move(connection));
  to.returned.notify_one();
}

Result<std::unique_ptr<Connection>> Store::connect(Purpose purpose, ports::Deadline deadline) const {
  const auto patience = std::min(deadline, std::chrono::steady_clock::now() + options_.connect_timeout);
  auto connection = Connection::open(address_, patience);
  if (!connection) return connection;
  if (auto set_up = set_up_session(**connection, options_, purpose, patience); !set_up) {
    return failure(std::move(set_up));
  }
  return connection;
}

}  // namespace write_aside::postgresql
