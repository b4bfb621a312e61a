// What the sessions and transactions of one opened database share: its connections.
//
// There are two pools. Units wait for each other, at most until their deadline; the library's own transactions have
// connections that units cannot take, since a unit in doubt waits for just these transactions.
//
// Safe from many threads.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/postgresql/connection.hpp"
#include "write_aside/adapters/postgresql.hpp"

namespace write_aside::postgresql {

enum class Purpose { units, own };

class Store;

// A connection taken from its pool. Destroyed, it goes back if it is sound and idle, and is closed otherwise.
class Lease {
 public:
  Lease(std::shared_ptr<Store> store, Purpose purpose, std::unique_ptr<Connection> connection);
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  [[nodiscard]] Connection& connection() const { return *connection_; }

 private:
  friend class Store;
  std::shared_ptr<Store> store_;
  Purpose purpose_;
  std::unique_ptr<Connection> connection_;
};

class Store {
 public:
  Store(Address address, Options options);

  [[nodiscard]] const std::string& name() const { return address_.name; }
  [[nodiscard]] const Options& options() const { return options_; }

  // An idle connection, or a new one. With `needs_tables` it fails with `not_initialised` where they are missing.
  [[nodiscard]] static Result<Lease> lease(const std::shared_ptr<Store>& store, Purpose purpose,
                                           ports::Deadline deadline, bool needs_tables = true);

 private:
  friend class Lease;
  struct Pool {
    std::size_t connections_max = 0;
    std::size_t taken = 0;
    std::vector<std::unique_ptr<Connection>> idle;  // the last one is the warmest
    std::condition_variable returned;
  };
  [[nodiscard]] Pool& pool(Purpose purpose) { return pools_[purpose == Purpose::units ? 0 : 1]; }
  [[nodiscard]] Result<std::unique_ptr<Connection>> take_place(Purpose purpose, ports::Deadline deadline);
  void give_back(Purpose purpose, std::unique_ptr<Connection> connection);
  [[nodiscard]] Result<std::unique_ptr<Connection>> connect(Purpose purpose, ports::Deadline deadline) const;

  Address address_;
  Options options_;
  std::mutex mutex_;
  std::array<Pool, 2> pools_;
};

}  // namespace write_aside::postgresql
