// One connection to a server: bounded sending and receiving, and what is prepared on it. What travels on it is put
// together by Flight (flight.hpp).
//
// One thread at a time. A borrowed handle has its own blocking mode and notice receiver again after every flight. A
// receiver of its owner's own stays where it is, and then no lost replication wait is noticed.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/postgresql/address.hpp"
#include "adapters/postgresql/errors.hpp"
#include "adapters/postgresql/handles.hpp"
#include "adapters/postgresql/statement_cache.hpp"
#include "write_aside/ports/database.hpp"
#include "write_aside/result.hpp"

namespace write_aside::postgresql {

class Connection {
 public:
  // Connects, and waits for that until the deadline. Looking up the host's name is not bounded: libpq leaves it to
  // the system.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const Address& address, ports::Deadline deadline);
  [[nodiscard]] static std::unique_ptr<Connection> borrow(PGconn* handle, std::string name);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  [[nodiscard]] PGconn* raw() const { return raw_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is_borrowed() const { return own_ == nullptr; }

  // "pid:start" of the server's session, where it is known.
  [[nodiscard]] const std::string& identity() const { return identity_; }
  void set_identity(std::string identity) { identity_ = std::move(identity); }

  // Where our tables are, as the start of a qualified name; empty: not found yet. '@' stands for it in our texts.
  [[nodiscard]] const std::string& table_prefix() const { return table_prefix_; }
  void set_table_prefix(std::string prefix) { table_prefix_ = std::move(prefix); }
  [[nodiscard]] std::string qualified(std::string_view text) const;

  // BEGIN goes out with the next flight.
  void begin_with_next(std::string_view text) { pending_begin_ = text; }
  [[nodiscard]] std::string_view pending_begin() const { return pending_begin_; }
  void forget_pending_begin() { pending_begin_ = {}; }

  // libpq's view, outside a flight. A pending BEGIN counts as an open transaction.
  [[nodiscard]] bool in_transaction() const;
  [[nodiscard]] bool transaction_failed() const;
  // Unusable for good: lost, or given up in the middle of something.
  [[nodiscard]] bool is_broken() const { return broken_ || PQstatus(raw_) != CONNECTION_OK; }
  // For an idle connection. What the server says unasked is nearly always that it closes it; a connection that was told
  // of a changed setting instead is no loss.
  [[nodiscard]] bool looks_alive() const;
  // Makes the connection unusable at once; a borrowed handle's owner finds it lost.
  void abandon();

  [[nodiscard]] StatementCache& statements() { return statements_; }

  // A warning of the server's that a wait for synchronous replication was given up, since the last call.
  [[nodiscard]] std::optional<Complaint> take_lost_replication_wait();

  // For flights.
  void enter_flight();
  void leave_flight();
  [[nodiscard]] Result<void> flush(std::string_view what);
  // The next result of libpq's, null where it separates commands. Waits until the deadline.
  [[nodiscard]] Result<ResultHandle> receive(ports::Deadline deadline, std::string_view what);
  [[nodiscard]] Error lost(std::string_view what);

 private:
  Connection(ConnectionHandle own, PGconn* raw, std::string name);
  [[nodiscard]] Result<void> finish_connecting(ports::Deadline deadline);
  // Waits for one of `events` on the socket; false: the deadline passed.
  [[nodiscard]] bool wait(short events, ports::Deadline deadline) const;
  static void receive_notice(void* connection, const PGresult* notice);

  static constexpr std::size_t statements_max = 256;

  ConnectionHandle own_;  // empty for a borrowed one
  PGconn* raw_;
  std::string name_;
  std::string identity_;
  std::string table_prefix_;
  std::string_view pending_begin_;
  bool broken_ = false;
  bool encrypted_ = false;
  bool was_nonblocking_ = false;
  bool replaces_receiver_ = false;
  std::optional<Complaint> lost_replication_wait_;
  StatementCache statements_{statements_max};
};

}  // namespace write_aside::postgresql
