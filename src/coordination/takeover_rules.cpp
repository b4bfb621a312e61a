#include "coordination/takeover_rules.hpp"

namespace write_aside::coordination {

namespace {

std::string text(const BatchId& batch) { return std::to_string(batch.epoch) + '.' + std::to_string(batch.n); }

}  // namespace

std::optional<std::string> reason_to_halt(const TakeoverEvidence& evidence) {
  const ports::LaneRow& row = evidence.row;
  if (!row.stream_id.empty() && row.stream_id != evidence.stream_id) {
    return "this is another stream than the one the lane was last used with (identity " + evidence.stream_id +
           ", expected " + row.stream_id + ")";
  }
  // A stream that cannot tell one incarnation of a topic from the next gives no id. A ledger that was made anew is then
  // noticed by what is missing in it.
  const bool ids_are_known = !row.ledger_id.empty() && !evidence.ledger_id.empty();
  if (ids_are_known && row.ledger_id != evidence.ledger_id) {
    return "the ledger topic was deleted and made anew (identity " + evidence.ledger_id + ", expected " +
           row.ledger_id + ")";
  }
  if (!evidence.ledger) {
    if (!row.settled) return std::nullopt;
    return "the ledger holds nothing of this lane though batch " + text(*row.settled) +
           " was settled: the stream lost data";
  }
  const BatchId ledger = evidence.ledger->batch;
  if (ledger.epoch >= row.epoch) {
    return "the ledger knows batch " + text(ledger) + " while the database had only reached epoch " +
           std::to_string(row.epoch - 1) + ": the database was restored from a backup";
  }
  if (row.settled && ledger < *row.settled) {
    return "the ledger ends at batch " + text(ledger) + " though batch " + text(*row.settled) +
           " was settled: the stream lost data";
  }
  const bool above = !row.settled || ledger > *row.settled;
  if (above && !evidence.first_member_exists) {
    return "the stream holds batch " + text(ledger) + " but the journal row of its first unit " +
           to_string(evidence.ledger->first) + " is missing: the database lost data";
  }
  return std::nullopt;
}

}  // namespace write_aside::coordination
