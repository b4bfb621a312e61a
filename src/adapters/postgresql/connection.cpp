#include "adapters/postgresql/connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace write_aside::postgresql {

using std::chrono::steady_clock;

namespace {

// TLS may have taken bytes off the socket that libpq has not read yet, so poll() must not be the only thing waited for.
constexpr std::chrono::milliseconds encrypted_wait_max{50};

// The server names the function that warns, and does not translate it.
bool tells_lost_replication_wait(const PGresult* notice) {
  const char* function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
  if (function != nullptr && std::strcmp(function, "SyncRepWaitForLSN") == 0) return true;
  const Complaint complaint = complaint_of(notice);
  return complaint.sqlstate == "01000" && complaint.text.find("synchronous replication") != std::string::npos;
}

// libpq's own notice receiver, which passes on to the notice processor. libpq does not tell the argument that belongs
// to a receiver, so this is the only one that can be put back; it takes none. The handle here never connects.
PQnoticeReceiver default_receiver() {
  static const PQnoticeReceiver receiver = [] {
    const ConnectionHandle handle(PQconnectStart("no_such_setting=1"));
    return PQsetNoticeReceiver(handle.get(), nullptr, nullptr);
  }();
  return receiver;
}

}  // namespace

Connection::Connection(ConnectionHandle own, PGconn* raw, std::string name)
    : own_(std::move(own)), raw_(raw), name_(std::move(name)) {}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const Address& address, ports::Deadline deadline) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : address.settings) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  ConnectionHandle handle(PQconnectStartParams(keywords.data(), values.data(), 0));
  if (handle == nullptr) return failure(connection_error(address.name, "connect", "out of memory"));
  PGconn* raw = handle.get();
  std::unique_ptr<Connection> connection(new Connection(std::move(handle), raw, address.name));
  if (auto connected = connection->finish_connecting(deadline); !connected) return failure(std::move(connected));
  connection->encrypted_ = PQsslInUse(raw) != 0 || PQgssEncInUse(raw) != 0;
  PQsetNoticeReceiver(raw, &Connection::receive_notice, connection.get());
  PQsetnonblocking(raw, 1);
  return connection;
}

Result<void> Connection::finish_connecting(ports::Deadline deadline) {
  PostgresPollingStatusType state = PQstatus(raw_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  // Bounded by the deadline, and by the number of addresses and messages of one attempt.
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    if (!wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
      Error error = timeout_error(name_, "connect");
      error.code = ErrorCode::unreachable;
      return failure(std::move(error));
    }
    state = PQconnectPoll(raw_);
  }
  if (state == PGRES_POLLING_OK) return {};
  Error error = connection_error(name_, "connect", first_line(PQerrorMessage(raw_)));
  error.message = "connect failed on " + name_ + ": " + first_line(PQerrorMessage(raw_)) +
                  "; check that the server runs, and host, port, database, user and password";
  return failure(std::move(error));
}

std::unique_ptr<Connection> Connection::borrow(PGconn* handle, std::string name) {
  std::unique_ptr<Connection> connection(new Connection(nullptr, handle, std::move(name)));
  connection->encrypted_ = PQsslInUse(handle) != 0 || PQgssEncInUse(handle) != 0;
  return connection;
}

std::string Connection::qualified(std::string_view text) const {
  std::string result;
  result.reserve(text.size() + 2 * table_prefix_.size());
  for (const char letter : text) {
    if (letter == '@') {
      result += table_prefix_;
    } else {
      result += letter;
    }
  }
  return result;
}

bool Connection::in_transaction() const {
  if (!pending_begin_.empty()) return true;
  const PGTransactionStatusType status = PQtransactionStatus(raw_);
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

bool Connection::transaction_failed() const { return PQtransactionStatus(raw_) == PQTRANS_INERROR; }

bool Connection::looks_alive() const {
  if (is_broken()) return false;
  pollfd socket{PQsocket(raw_), POLLIN, 0};
  return poll(&socket, 1, 0) == 0;
}

void Connection::abandon() {
  broken_ = true;
  pending_begin_ = {};
  if (own_ != nullptr || PQstatus(raw_) != CONNECTION_OK) return;
  // The handle is its owner's to free. Without its socket it is lost to him, and the server rolls back.
  shutdown(PQsocket(raw_), SHUT_RDWR);
  PQconsumeInput(raw_);
}

std::optional<Complaint> Connection::take_lost_replication_wait() {
  return std::exchange(lost_replication_wait_, std::nullopt);
}

void Connection::receive_notice(void* connection, const PGresult* notice) {
  auto& self = *static_cast<Connection*>(connection);
  if (tells_lost_replication_wait(notice)) self.lost_replication_wait_ = complaint_of(notice);
  if (self.is_borrowed()) default_receiver()(nullptr, notice);
}

void Connection::enter_flight() {
  if (is_borrowed()) {
    was_nonblocking_ = PQisnonblocking(raw_) != 0;
    PQsetnonblocking(raw_, 1);
    replaces_receiver_ = PQsetNoticeReceiver(raw_, nullptr, nullptr) == default_receiver();
    if (replaces_receiver_) PQsetNoticeReceiver(raw_, &Connection::receive_notice, this);
  }
  PQenterPipelineMode(raw_);
}

void Connection::leave_flight() {
  if (!is_broken()) PQexitPipelineMode(raw_);
  if (!is_borrowed()) return;
  if (replaces_receiver_) PQsetNoticeReceiver(raw_, default_receiver(), nullptr);
  if (!was_nonblocking_ && !is_broken()) PQsetnonblocking(raw_, 0);
}

Result<void> Connection::flush(std::string_view what) {
  if (PQflush(raw_) >= 0) return {};
  return failure(lost(what));
}

bool Connection::wait(short events, ports::Deadline deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    const auto bounded = std::clamp<std::int64_t>(left.count(), 0, 3'600'000);
    pollfd socket{PQsocket(raw_), events, 0};
    const int ready = poll(&socket, 1, static_cast<int>(bounded));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // the next call of libpq's says what is wrong
    if (steady_clock::now() >= deadline) return false;
  }
}

Result<ResultHandle> Connection::receive(ports::Deadline deadline, std::string_view what) {
  while (PQisBusy(raw_) != 0) {
    // What the socket did not take at once goes out while we wait.
    const int unsent = PQflush(raw_);
    if (unsent < 0) break;
    const auto slice = encrypted_ ? std::min(deadline, steady_clock::now() + encrypted_wait_max) : deadline;
    const bool ready = wait(static_cast<short>(unsent == 1 ? POLLIN | POLLOUT : POLLIN), slice);
    if (!ready && steady_clock::now() >= deadline) {
      abandon();
      return failure(timeout_error(name_, what));
    }
    if (PQconsumeInput(raw_) == 0) break;
  }
  // On a lost connection this is what the server said last, or libpq's own complaint; it does not wait.
  ResultHandle result(PQgetResult(raw_));
  if (PQstatus(raw_) != CONNECTION_OK) broken_ = true;
  return result;
}

Error Connection::lost(std::string_view what) {
  const std::string said = first_line(PQerrorMessage(raw_));
  abandon();
  return connection_error(name_, what, said);
}

}  // namespace write_aside::postgresql
