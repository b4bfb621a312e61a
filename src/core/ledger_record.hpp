// The ledger record S of a batch: which stream transaction was committed last on a lane.
//
// Key `o:<database id>:<lane>`, value a line of text: "1 EPOCH N FIRST-MEMBER CRC". The fence that a new owner writes
// has the key `f:<database id>:<lane>` and a nonce as its value (docs/format.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "write_aside/unit_id.hpp"

namespace write_aside::core {

struct LedgerRecord {
  BatchId batch;
  UnitId first;  // key of the batch's first member
  bool operator==(const LedgerRecord&) const = default;
};

[[nodiscard]] std::string ledger_key(const std::string& database_id, LaneNumber lane);
[[nodiscard]] std::string fence_key(const std::string& database_id, LaneNumber lane);
[[nodiscard]] std::string encode(const LedgerRecord& record);
// None: damaged, or of a version that is not known.
[[nodiscard]] std::optional<LedgerRecord> decode_ledger_record(std::string_view value);

}  // namespace write_aside::core
