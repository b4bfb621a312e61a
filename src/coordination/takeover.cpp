#include "coordination/takeover.hpp"

#include "coordination/takeover_rules.hpp"

namespace write_aside::coordination {

namespace {

// What one owner can leave undelivered is a few batches; this only bounds a damaged journal.
constexpr std::size_t adopted_rows_max = 10'000'000;

std::string random_owner(ports::Runtime& runtime) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (int word = 0; word < 2; ++word) {
    for (std::uint64_t bits = runtime.random(), i = 0; i < 16; ++i, bits >>= 4) text += digits[bits & 0xF];
  }
  return text;
}

Result<bool> first_member_exists(ports::OwnTransaction& transaction, const LedgerReading& ledger) {
  if (!ledger.last) return false;
  const auto row = transaction.row(ledger.last->first);
  if (!row) return failure(row);
  return row->has_value() && !(*row)->tombstone;
}

Result<std::vector<ports::JournalRow>> labelled_rows(const Context& context, const Ownership& mine,
                                                     ports::Deadline deadline) {
  auto transaction = context.database->own_transaction(deadline);
  if (!transaction) return failure(transaction);
  return (*transaction)->undelivered_labelled(mine.lane, {mine.epoch, 1}, adopted_rows_max);
}

}  // namespace

bool owner_is_dead(ports::Runtime& runtime, const ports::LaneRow& row) {
  const auto process = ports::parse_process_identity(row.owner_process);
  return process && runtime.is_dead(*process);
}

Result<std::optional<Ownership>> take_lane(const Context& context, LaneNumber lane, std::string& attempt,
                                           ports::Deadline deadline) {
  auto transaction = context.database->own_transaction(deadline);
  if (!transaction) return failure(transaction);
  auto locked = (*transaction)->lock_lane(lane);
  if (!locked) return failure(locked);
  if (!*locked) return std::nullopt;
  ports::LaneRow row = **locked;
  const bool attempted = !attempt.empty() && row.owner == attempt;
  if (!may_take(row, context.options.lease, attempted || owner_is_dead(context.runtime, row))) return std::nullopt;

  row.epoch += 1;
  row.owner = attempt = random_owner(context.runtime);
  row.owner_process = context.process;
  if (auto written = (*transaction)->write_lane(row, true); !written) return failure(written);
  const ports::CommitReply reply = (*transaction)->commit();
  // T1: no reply: it is done again, with a fresh owner; an epoch that this one may have written is nobody's.
  if (reply.state != CommitState::committed) return failure(*reply.error);
  attempt.clear();
  return Ownership{lane, row.epoch, row.owner};
}

Result<MemberPointer> adopted_member(const ports::JournalRow& row) {
  auto publication = core::decode_publication(row.payload);
  if (!publication) {
    Error error = publication.error();
    error.message = "unit " + to_string(row.key) + ": " + error.message;
    return failure(std::move(error));
  }
  auto member = std::make_shared<Member>();
  member->key = row.key;
  member->bytes = publication->bytes();
  member->publication = std::make_shared<const core::Publication>(std::move(*publication));
  member->state = Member::State::committed;
  member->adopted = true;
  return member;
}

Result<Adoption> adopt_lane(const Context& context, const Ownership& mine, const LedgerReading& ledger,
                            ports::Deadline deadline) {
  Adoption result;
  {
    auto transaction = context.database->own_transaction(deadline);
    if (!transaction) return failure(transaction);
    auto locked = (*transaction)->lock_lane(mine.lane);
    if (!locked) return failure(locked);
    if (!*locked || !mine.holds(**locked)) return Adoption{Adoption::State::lost};
    ports::LaneRow row = **locked;

    const auto exists = first_member_exists(**transaction, ledger);
    if (!exists) return failure(exists);
    const TakeoverEvidence evidence{row, ledger.last, *exists, context.stream_id, context.ledger_id};
    if (auto reason = reason_to_halt(evidence)) return Adoption{Adoption::State::halted, *reason};

    if (ledger.last) {
      // What S covers is in the stream; the rows of that epoch with a label up to it are delivered.
      auto covered = (*transaction)->deliver_covered(mine.lane, ledger.last->batch);
      if (!covered) return failure(covered);
      row.settled = ledger.last->batch;
      row.ledger_offset = ledger.offset;
    }
    auto adopted = (*transaction)->adopt_all(mine.lane, {mine.epoch, 1});
    if (!adopted) return failure(adopted);
    row.stream_id = context.stream_id;
    if (!context.ledger_id.empty()) row.ledger_id = context.ledger_id;  // else what another process knew stays
    if (auto written = (*transaction)->write_lane(row, true); !written) return failure(written);
    const ports::CommitReply reply = (*transaction)->commit();
    if (reply.state == CommitState::in_doubt) return Adoption{Adoption::State::in_doubt};
    if (reply.state == CommitState::aborted) return failure(*reply.error);
    result.settled = row.settled;
    result.ledger_offset = row.ledger_offset;
  }
  const auto rows = labelled_rows(context, mine, deadline);
  if (!rows) return failure(rows);
  for (const ports::JournalRow& row : *rows) {
    auto member = adopted_member(row);
    // A row that is damaged stays so: whoever takes the lane after us would get no further, and nobody would know why.
    if (!member) return Adoption{Adoption::State::halted, member.error().message};
    result.members.push_back(std::move(*member));
  }
  return result;
}

}  // namespace write_aside::coordination
