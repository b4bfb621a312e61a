#include "adapters/local_stream/producers.hpp"

#include <algorithm>
#include <utility>

#include "adapters/local_stream/schema.hpp"

namespace write_aside::local_stream {
namespace {

constexpr std::int64_t epoch_max = std::int64_t{1} << 62;  // far from where adding one would not make another
constexpr std::size_t held_bytes_max = 4u << 20;           // of one producer; more is written before the end

// Those of the partitions that are compacted.
Result<void> compact_all(Writing& writing, const std::vector<Target>& partitions) {
  for (const Target& partition : partitions) {
    if (!partition.compacted) continue;
    if (auto compacted = compact(writing, partition.ref); !compacted) return compacted;
  }
  return {};
}

}  // namespace

Error LocalTransactionalProducer::misused(std::string_view what) const {
  return {.code = ErrorCode::invalid_argument,
          .side = Side::caller,
          .effect = Effect::no,
          .message = std::string(what) + " (transactional id '" + transactional_id_ + "', " + store_->name() + ")",
          .driver = {}};
}

Error LocalTransactionalProducer::fenced() const {
  return {.code = ErrorCode::fenced,
          .side = Side::stream,
          .effect = Effect::no,
          .message = "transactional id '" + transactional_id_ + "' of " + store_->name() +
                     " was taken by another producer, or its transaction timed out; initialise a new instance",
          .driver = {}};
}

Result<void> LocalTransactionalProducer::initialise(ports::Deadline deadline) {
  auto writing = store_->write(Durability::durable, "initialise a producer", deadline);
  if (!writing) return failure(std::move(writing));
  if (auto taken = take_epoch(*writing); !taken) return taken;
  if (auto discarded = discard_transaction(*writing, id_); !discarded) return discarded;
  if (auto expired = abort_expired(*writing, wall_clock_ms()); !expired) return failure(std::move(expired));
  if (auto committed = writing->commit(true); !committed) return committed;
  touched_.clear();
  held_.clear();
  state_ = State::ready;
  return {};
}

Result<void> LocalTransactionalProducer::take_epoch(Writing& writing) {
  auto take = writing.connection().prepare(
      "INSERT INTO producer (transactional_id, epoch) VALUES (?, 1) ON CONFLICT DO UPDATE SET epoch = epoch + 1 "
      "RETURNING id, epoch",
      "initialise a producer");
  if (!take) return failure(std::move(take));
  auto row = take->bind(1, std::string_view(transactional_id_)).step();
  if (!row) return failure(std::move(row));
  id_ = take->integer(0);
  epoch_ = take->integer(1);
  if (epoch_ < 1 || epoch_ > epoch_max) {
    return failure(damaged(store_->name(), "the epoch of '" + transactional_id_ + "' is none"));
  }
  return {};
}

Result<void> LocalTransactionalProducer::check_epoch(sqlite_handles::Connection& connection) {
  auto read = connection.prepare("SELECT epoch FROM producer WHERE id = ?", "check the epoch");
  if (!read) return failure(std::move(read));
  auto row = read->bind_all(id_).step();
  if (!row) return failure(std::move(row));
  if (*row && read->integer(0) == epoch_) return {};
  state_ = State::fenced;
  return failure(fenced());
}

// Without a turn at the file: the end of another lane, which has it, takes as long as a sync.
Result<void> LocalTransactionalProducer::check_epoch_aside() {
  if (!reading_) {
    auto opened = store_->reading_connection();
    if (!opened) return failure(std::move(opened));
    reading_.emplace(std::move(*opened));
  }
  return check_epoch(*reading_);
}

Result<void> LocalTransactionalProducer::begin() {
  if (state_ == State::fenced) return failure(fenced());
  if (state_ == State::fresh) return failure(misused("begin before initialise; initialise the producer first"));
  if (state_ == State::open) return failure(misused("begin inside a transaction; end it first"));
  state_ = State::open;
  return {};
}

Result<void> LocalTransactionalProducer::produce(std::span<const ports::RecordView> records, std::uint64_t token) {
  if (state_ == State::fenced) return failure(fenced());
  if (state_ != State::open) return failure(misused("produce outside a transaction; begin one first"));
  auto first_offset = take_in(records);
  if (!first_offset) return failure(std::move(first_offset));
  deliveries_.delivered(token, *first_offset);
  return {};
}

// The first offset, or a number that is not above it.
Result<std::int64_t> LocalTransactionalProducer::take_in(std::span<const ports::RecordView> records) {
  const std::size_t before = held_.size();
  if (auto planned = planner_.plan(records, held_); !planned) return failure(std::move(planned));
  if (held_.size() == before) return 0;
  auto first_offset = holds_back() ? hold(before) : stage_held(before);
  if (!first_offset) held_.cut(before);  // what was accepted earlier stays so
  return first_offset;
}

Result<std::int64_t> LocalTransactionalProducer::hold(std::size_t first) {
  if (auto checked = check_epoch_aside(); !checked) return failure(std::move(checked));
  // The offset is given at the end. Others may have gone on from where our own last record was, nobody goes back.
  const auto known = std::find_if(appended_.begin(), appended_.end(),
                                  [&](const Target& target) { return target.ref == held_[first].ref; });
  return known == appended_.end() ? 0 : known->next_offset;
}

// After an end that could not be written the next records show at once whether they can be.
bool LocalTransactionalProducer::holds_back() const {
  return may_hold_back_ && held_.bytes() <= held_bytes_max && !store_->end_failed();
}

Result<std::int64_t> LocalTransactionalProducer::stage_held(std::size_t asked_for) {
  auto writing = store_->write(Durability::staged, "produce");
  if (!writing) return failure(std::move(writing));
  if (auto checked = check_epoch(writing->connection()); !checked) return failure(std::move(checked));
  auto appended = append(*writing, held_, id_, asked_for);
  if (!appended) return failure(std::move(appended));
  std::vector<Target> added;
  if (auto marked = mark_open(*writing, appended->targets, added); !marked) return failure(std::move(marked));
  if (auto committed = writing->commit(false); !committed) return failure(std::move(committed));
  touched_.insert(touched_.end(), added.begin(), added.end());
  appended_ = std::move(appended->targets);
  held_.clear();
  return appended->offset;
}

Result<void> LocalTransactionalProducer::mark_open(Writing& writing, const std::vector<Target>& targets,
                                                   std::vector<Target>& added) {
  for (const Target& target : targets) {
    const bool known =
        std::any_of(touched_.begin(), touched_.end(), [&](const Target& touched) { return touched.ref == target.ref; });
    if (known) continue;
    auto mark = writing.connection().prepare(
        "INSERT INTO open_partition (ref, producer, first_offset) VALUES (?, ?, ?)", "produce");
    if (!mark) return failure(std::move(mark));
    if (auto row = mark->bind_all(target.ref, id_, target.first_offset).step(); !row) return failure(std::move(row));
    added.push_back(target);
  }
  if (!touched_.empty() || added.empty()) return {};
  auto open = writing.connection().prepare(
      "INSERT INTO open_transaction (producer, started_ms, deadline_ms) VALUES (?, ?, ?)", "produce");
  if (!open) return failure(std::move(open));
  const std::int64_t now = wall_clock_ms();
  auto row = open->bind_all(id_, now, now + transaction_timeout_.count()).step();
  if (!row) return failure(std::move(row));
  return {};
}

ports::EndReport LocalTransactionalProducer::end(ports::Ending ending, ports::Deadline deadline) {
  if (state_ == State::fenced) return {.clean = false, .error = fenced()};
  if (state_ != State::open) return {.clean = false, .error = misused("end outside a transaction; begin one first")};
  if (auto ended = end_transaction(ending, deadline); !ended) return {.clean = false, .error = ended.error()};
  touched_.clear();
  held_.clear();
  state_ = State::ready;
  return {.clean = true, .error = {}};
}

Result<void> LocalTransactionalProducer::end_transaction(ports::Ending ending, ports::Deadline deadline) {
  if (ending == ports::Ending::abort) return abort_transaction(deadline);
  auto committed = commit_transaction(deadline);
  if (may_hold_back_ && state_ != State::fenced) store_->note_end(committed.has_value());
  return committed;
}

Result<void> LocalTransactionalProducer::commit_transaction(ports::Deadline deadline) {
  auto writing = store_->write(Durability::durable, "end a transaction", deadline);
  if (!writing) return failure(std::move(writing));
  if (auto checked = check_epoch(writing->connection()); !checked) return checked;
  if (touched_.empty() && held_.empty()) return {};
  auto appended = append(*writing, held_, id_, 0);
  if (!appended) return failure(std::move(appended));
  if (!touched_.empty()) {
    if (auto closed = close_transaction(*writing, id_); !closed) return closed;
  }
  if (auto compacted = compact_all(*writing, touched_); !compacted) return compacted;
  if (auto compacted = compact_all(*writing, appended->targets); !compacted) return compacted;
  if (auto committed = writing->commit(true); !committed) return committed;
  if (!held_.empty()) appended_ = std::move(appended->targets);
  return {};
}

Result<void> LocalTransactionalProducer::abort_transaction(ports::Deadline deadline) {
  if (touched_.empty() && !held_.empty()) return {};  // the file does not know of it
  // An abort need not be durable: without it the transaction is open after a power cut, and then aborted.
  auto writing = store_->write(Durability::staged, "end a transaction", deadline);
  if (!writing) return failure(std::move(writing));
  if (auto checked = check_epoch(writing->connection()); !checked) return checked;
  if (touched_.empty()) return {};
  if (auto discarded = discard_transaction(*writing, id_); !discarded) return discarded;
  if (auto compacted = compact_all(*writing, touched_); !compacted) return compacted;
  return writing->commit(true);
}

Result<void> LocalProducer::produce(std::span<const ports::RecordView> records, std::uint64_t token) {
  auto first_offset = append_all(records);
  if (!first_offset) return failure(std::move(first_offset));
  deliveries_.delivered(token, *first_offset);
  return {};
}

Result<std::int64_t> LocalProducer::append_all(std::span<const ports::RecordView> records) {
  PlannedRecords planned;
  {
    const std::lock_guard lock(mutex_);
    if (auto done = planner_.plan(records, planned); !done) return failure(std::move(done));
  }
  auto writing = store_->write(Durability::durable, "produce");
  if (!writing) return failure(std::move(writing));
  auto appended = append(*writing, planned, std::nullopt, 0);
  if (!appended) return failure(std::move(appended));
  if (auto compacted = compact_all(*writing, appended->targets); !compacted) return failure(std::move(compacted));
  if (auto committed = writing->commit(true); !committed) return failure(std::move(committed));
  return appended->offset;
}

}  // namespace write_aside::local_stream
