#include "coordination/ledger.hpp"

#include "coordination/context.hpp"

namespace write_aside::coordination {

namespace {

constexpr std::size_t records_per_poll = 500;
// Bounds the loop for a runtime whose clock stands still; a poll returns at least one record or waits.
constexpr int poll_count_max = 1'000'000;

}  // namespace

Result<LedgerReading> read_ledger(ports::EventStream& stream, const std::string& topic, const std::string& database_id,
                                  LaneNumber lane, std::int64_t from, std::int64_t fence_offset,
                                  ports::Deadline deadline) {
  const auto partition = static_cast<std::int32_t>(lane);
  auto reader = stream.reader({{topic, partition, from}}, ports::Isolation::read_committed);
  if (!reader) return failure(reader);

  const std::string key = core::ledger_key(database_id, lane);
  LedgerReading reading;
  std::int64_t seen = ports::offset_beginning;
  for (int poll = 0; poll < poll_count_max; ++poll) {
    auto records = (*reader)->poll(records_per_poll, deadline);
    if (!records) return failure(records);
    for (const ports::StoredRecord& record : *records) {
      if (record.key != key || !record.value) continue;
      const auto decoded = core::decode_ledger_record(*record.value);
      if (!decoded) {
        return failure(Error{.code = ErrorCode::corrupt,
                             .side = Side::stream,
                             .effect = Effect::no,
                             .message = "the record at " + topic + '[' + std::to_string(lane) + "]@" +
                                        std::to_string(record.offset) +
                                        " is no ledger record of this version; was it written by hand?"});
      }
      reading = {decoded, record.offset};
    }
    const auto position = (*reader)->position(topic, partition);
    if (!position) return failure(position);
    if (*position > fence_offset) return reading;
    if (records->empty() && *position == seen) break;  // the deadline passed
    seen = *position;
  }
  return failure(Error{.code = ErrorCode::timeout,
                       .side = Side::stream,
                       .effect = Effect::no,
                       .retriable = true,
                       .message = "reading the ledger " + topic + '[' + std::to_string(lane) +
                                  "] did not reach the fence in time; it is tried again"});
}

}  // namespace write_aside::coordination
