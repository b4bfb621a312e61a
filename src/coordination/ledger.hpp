// T3, fence and read: what the stream knows of a lane, read behind a fence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/ledger_record.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::coordination {

struct LedgerReading {
  std::optional<core::LedgerRecord> last;  // S: the last committed ledger record of the lane
  std::int64_t offset = 0;                 // where it stands
};

// Reads the lane's partition read_committed from `from` until the reading position passes `fence_offset`: everything
// that was committed before the fence has then been seen.
[[nodiscard]] Result<LedgerReading> read_ledger(ports::EventStream& stream, const std::string& topic,
                                                const std::string& database_id, LaneNumber lane, std::int64_t from,
                                                std::int64_t fence_offset, ports::Deadline deadline);

}  // namespace write_aside::coordination
