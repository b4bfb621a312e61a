#include "adapters/local_stream/producers.hpp"

#include <algorithm>
#include <utility>

#include "adapters/local_stream/schema.hpp"

namespace write_aside::local_stream {
namespace {

constexpr std::int64_t epoch_max = std::int64_t{1} << 62;  // far from where adding one would not make another

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

Result<void> LocalTransactionalProducer::check_epoch(Writing& writing) {
  auto read = writing.connection().prepare("SELECT epoch FROM producer WHERE id = ?", "check the epoch");
  if (!read) return failure(std::move(read));
  auto row = read->bind_all(id_).step();
  if (!row) return failure(std::move(row));
  if (*row && read->integer(0) == epoch_) return {};
  state_ = State::fenced;
  return failure(fenced());
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
  auto first_offset = stage(records);
  if (!first_offset) return failure(std::move(first_offset));
  deliveries_.delivered(token, *first_offset);
  return {};
}

Result<std::int64_t> LocalTransactionalProducer::stage(std::span<const ports::RecordView> records) {
  if (auto checked = appender_.check(records); !checked) return failure(std::move(checked));
  auto writing = store_->write(Durability::staged, "produce");
  if (!writing) return failure(std::move(writing));
  if (auto checked = check_epoch(*writing); !checked) return failure(std::move(checked));
  auto first_offset = appender_.append(*writing, records, id_);
  if (!first_offset) return first_offset;
  std::vector<Touched> added;
  if (auto marked = mark_open(*writing, added); !marked) return failure(std::move(marked));
  if (auto committed = writing->commit(false); !committed) return failure(std::move(committed));
  touched_.insert(touched_.end(), added.begin(), added.end());
  return first_offset;
}

Result<void> LocalTransactionalProducer::mark_open(Writing& writing, std::vector<Touched>& added) {
  for (const Appender::Target& target : appender_.targets()) {
    const bool known = std::any_of(touched_.begin(), touched_.end(),
                                   [&](const Touched& touched) { return touched.ref == target.ref; });
    if (known) continue;
    auto mark = writing.connection().prepare(
        "INSERT INTO open_partition (ref, producer, first_offset) VALUES (?, ?, ?)", "produce");
    if (!mark) return failure(std::move(mark));
    if (auto row = mark->bind_all(target.ref, id_, target.first_offset).step(); !row) return failure(std::move(row));
    added.push_back({target.ref, target.compacted});
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
  state_ = State::ready;
  return {.clean = true, .error = {}};
}

Result<void> LocalTransactionalProducer::end_transaction(ports::Ending ending, ports::Deadline deadline) {
  const bool commit = ending == ports::Ending::commit;
  // An abort need not be durable: without it the transaction is open after a power cut, and then aborted.
  auto writing = store_->write(commit ? Durability::durable : Durability::staged, "end a transaction", deadline);
  if (!writing) return failure(std::move(writing));
  if (auto checked = check_epoch(*writing); !checked) return checked;
  if (touched_.empty()) return {};
  auto closed = commit ? close_transaction(*writing, id_) : discard_transaction(*writing, id_);
  if (!closed) return closed;
  for (const Touched& touched : touched_) {
    if (!touched.compacted) continue;
    if (auto compacted = compact(*writing, touched.ref); !compacted) return compacted;
  }
  return writing->commit(true);
}

Result<void> LocalProducer::produce(std::span<const ports::RecordView> records, std::uint64_t token) {
  auto first_offset = append(records);
  if (!first_offset) return failure(std::move(first_offset));
  deliveries_.delivered(token, *first_offset);
  return {};
}

Result<std::int64_t> LocalProducer::append(std::span<const ports::RecordView> records) {
  if (auto checked = appender_.check(records); !checked) return failure(std::move(checked));
  auto writing = store_->write(Durability::durable, "produce");
  if (!writing) return failure(std::move(writing));
  auto first_offset = appender_.append(*writing, records, std::nullopt);
  if (!first_offset) return first_offset;
  for (const Appender::Target& target : appender_.targets()) {
    if (!target.compacted) continue;
    if (auto compacted = compact(*writing, target.ref); !compacted) return failure(std::move(compacted));
  }
  if (auto committed = writing->commit(true); !committed) return failure(std::move(committed));
  return first_offset;
}

}  // namespace write_aside::local_stream
