#include "adapters/postgresql/flight.hpp"

#include <algorithm>
#include <utility>

namespace write_aside::postgresql {
namespace {

using Prepare = StatementCache::Prepare;

// Far more than any of ours has; bounds what a confused server could make us read.
constexpr int extra_results_max = 1'000;

bool is_failure(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_SINGLE_TUPLE &&
         status != PGRES_EMPTY_QUERY;
}

bool is_skipped(const PGresult* result) { return PQresultStatus(result) == PGRES_PIPELINE_ABORTED; }

// The table that one of our texts names first, for the GRANT that a role lacks.
std::string first_table(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) return {};
  const std::size_t end = text.find_first_of(" (,", at);
  return std::string(text.substr(at + 1, end == std::string_view::npos ? end : end - at - 1));
}

std::string_view privileges_on(std::string_view table) {
  if (table == "journal" || table == "inbox" || table == "parked") return "SELECT, INSERT, UPDATE, DELETE";
  if (table == "progress" || table == "position" || table == "latest") return "SELECT, INSERT, UPDATE";
  if (table == "lane") return "SELECT, UPDATE";
  return "SELECT";
}

}  // namespace

Flight::Flight(Connection& connection, std::string_view what) : connection_(connection), what_(what) {
  connection_.enter_flight();
}

Flight::~Flight() {
  if (state_ == State::landed) return;
  if (state_ == State::sent || !steps_.empty()) connection_.abandon();
  connection_.leave_flight();
}

void Flight::note_queued(int queued, Step step) {
  if (queued == 0) queue_failed_ = true;
  steps_.push_back(std::move(step));
}

void Flight::queue_begin() {
  const std::string_view text = connection_.pending_begin();
  if (text.empty()) return;
  connection_.forget_pending_begin();
  queue_prelude(text);
}

void Flight::queue_prelude(std::string_view text) {
  queue_own(text);
  steps_.back().kind = Step::Kind::prelude;
}

void Flight::queue_own(std::string_view text, const Arguments& arguments) {
  queue_begin();
  if (!connection_.is_borrowed()) return queue_cached(text, text, arguments, true);
  queue_once(connection_.qualified(text).c_str(), arguments);
  steps_.back().sql = text;
  steps_.back().ours = true;
}

void Flight::queue_user(std::string_view sql, const Arguments& arguments) {
  queue_begin();
  queue_cached(sql, sql, arguments, false);
}

void Flight::queue_cached(std::string_view key, std::string_view text, const Arguments& arguments, bool ours) {
  StatementCache& cache = connection_.statements();
  StatementCache::Entry* entry =
      connection_.is_borrowed() ? nullptr : cache.find(key, ours ? Prepare::at_once : Prepare::when_repeated);
  if (entry == nullptr) return queue_once(std::string(text).c_str(), arguments);
  if (const std::string evicted = cache.take_evicted(); !evicted.empty()) {
    queue_once(("DEALLOCATE " + evicted).c_str());
    steps_.back().kind = Step::Kind::forget;
  }
  if (!entry->prepared && !prepares(entry->name)) {
    const std::string sql = ours ? connection_.qualified(text) : std::string(text);
    note_queued(PQsendPrepare(connection_.raw(), entry->name.c_str(), sql.c_str(), 0, nullptr),
                {Step::Kind::prepare, entry->sql, ours, false, entry->name});
  }
  const Arguments::Arrays arrays = arguments.arrays();
  note_queued(PQsendQueryPrepared(connection_.raw(), entry->name.c_str(), arguments.count(), arrays.values.data(),
                                  arrays.lengths.data(), arrays.formats.data(), 0),
              {Step::Kind::command, entry->sql, ours, entry->prepared});
}

// Earlier in this flight.
bool Flight::prepares(std::string_view name) const {
  return std::any_of(steps_.begin(), steps_.end(), [name](const Step& step) { return step.name == name; });
}

void Flight::queue_once(const char* sql, const Arguments& arguments) {
  queue_begin();
  const Arguments::Arrays arrays = arguments.arrays();
  note_queued(PQsendQueryParams(connection_.raw(), sql, arguments.count(), nullptr, arrays.values.data(),
                                arrays.lengths.data(), arrays.formats.data(), 0),
              {});
}

Result<void> Flight::send() {
  state_ = State::sent;
  if (queue_failed_ || PQpipelineSync(connection_.raw()) == 0) return failure(connection_.lost(what_));
  return connection_.flush(what_);
}

Result<ResultHandle> Flight::take(ports::Deadline deadline, RowSink* rows) {
  auto result = take_answer(deadline, rows);
  if (!result || !is_failure(result->get())) return result;
  return failure(explain(result->get(), steps_[taken_ - 1]));
}

Result<ResultHandle> Flight::take_answer(ports::Deadline deadline, RowSink* rows) {
  while (taken_ < steps_.size()) {
    const Step& step = steps_[taken_++];
    const bool is_command = step.kind == Step::Kind::command;
    auto result = take_step(step, deadline, is_command ? rows : nullptr);
    if (!result) return result;
    if (is_command) {
      if (is_skipped(result->get()) && failed_step_ != nullptr) return failure(explain(failed_step_.get(), step));
      return result;
    }
    if (is_failure(result->get()) && failed_step_ == nullptr && !is_skipped(result->get())) {
      failed_step_ = std::move(*result);
    }
  }
  return failure({ErrorCode::internal, Side::database, Effect::no, false, "no more answers are expected", {}});
}

// Every result of one command, up to the null that ends it; the last one counts.
Result<ResultHandle> Flight::take_step(const Step& step, ports::Deadline deadline, RowSink* rows) {
  if (rows != nullptr) PQsetSingleRowMode(connection_.raw());
  ResultHandle last;
  for (int others = 0;;) {
    auto result = connection_.receive(deadline, what_);
    if (!result) return failure(std::move(result));
    if (*result == nullptr) break;
    if (PQresultStatus(result->get()) == PGRES_SINGLE_TUPLE) {
      if (rows != nullptr) rows->take(result->get(), 0);
      continue;
    }
    const ExecStatusType status = PQresultStatus(result->get());
    // What the server said last before it closed the connection tells more than that it is closed.
    if (last == nullptr || !is_failure(last.get())) last = std::move(*result);
    const bool is_copy = status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
    if (connection_.is_broken() || is_copy || ++others > extra_results_max) {
      // Nothing more comes, or nothing that belongs to a unit.
      connection_.abandon();
      break;
    }
  }
  if (last == nullptr) return failure(connection_.lost(what_));
  if (step.kind == Step::Kind::prepare && !is_failure(last.get())) {
    if (auto* entry = connection_.statements().find(step.sql, Prepare::at_once)) entry->prepared = true;
  }
  return last;
}

Error Flight::explain(const PGresult* result, const Step& step) {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
    return {ErrorCode::invalid_argument,
            Side::caller,
            Effect::no,
            false,
            std::string(what_) + " refused on " + connection_.name() + ": COPY is not for units",
            {}};
  }
  if (is_skipped(result)) {
    return {ErrorCode::statement,
            Side::database,
            Effect::no,
            false,
            std::string(what_) + " was not run on " + connection_.name() + ": what came before it failed",
            {}};
  }
  Error error = statement_error(complaint_of(result), connection_.name(), what_);
  if (step.ours) return not_ours_to_use(std::move(error), step);
  // The columns of a table changed, or somebody deallocated what we had prepared: it has to be prepared again.
  if (step.reused && (error.driver == "0A000" || error.driver == "26000")) {
    connection_.statements().forget(step.sql, error.driver == "0A000");
    error.retriable = true;
  }
  return error;
}

// One of our own statements failed: what the operator has to do.
Error Flight::not_ours_to_use(Error error, const Step& step) const {
  if (error.driver == "42P01" || error.driver == "3F000") {
    error.code = ErrorCode::not_initialised;
    error.message = connection_.name() + " has no write-aside tables; run 'write-aside init'";
  }
  if (error.driver == "42501") {
    const std::string table = first_table(step.sql);
    const char* user = PQuser(connection_.raw());
    error.message += "; run: GRANT " + std::string(privileges_on(table)) + " ON " + connection_.table_prefix() + table +
                     " TO \"" + (user != nullptr ? user : "") + "\", and USAGE on its schema";
  }
  return error;
}

Result<void> Flight::land(ports::Deadline deadline) {
  // What nobody asked for is taken, too, so that the next flight finds the line free.
  while (taken_ < steps_.size()) {
    auto result = take_step(steps_[taken_++], deadline, nullptr);
    if (!result) return failure(std::move(result));
  }
  auto end = connection_.is_broken() ? failure(connection_.lost(what_)) : connection_.receive(deadline, what_);
  if (!end) return failure(std::move(end));
  if (*end == nullptr || PQresultStatus(end->get()) != PGRES_PIPELINE_SYNC) return failure(connection_.lost(what_));
  connection_.leave_flight();
  state_ = State::landed;
  return {};
}

Result<ResultHandle> Flight::run(ports::Deadline deadline, RowSink* rows) {
  if (auto sent = send(); !sent) return failure(std::move(sent));
  auto result = take(deadline, rows);
  // A connection that broke has said in the result why.
  if (!result && connection_.is_broken()) return result;
  if (auto landed = land(deadline); !landed) return failure(std::move(landed));
  return result;
}

}  // namespace write_aside::postgresql
