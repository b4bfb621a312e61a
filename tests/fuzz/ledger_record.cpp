// A record of the ledger, a unit's id, and the texts of progress: refused, or read as exactly what was written. Ledger
// records are read as they are, and with a checksum that fits.
#include "core/ledger_record.hpp"
#include "core/crc32c.hpp"
#include "fuzz/fuzz.hpp"
#include "job/position.hpp"
#include "job/worker_position.hpp"

namespace {

using namespace write_aside;
using fuzz::require;

void read_record(std::string_view value) {
  const auto record = core::decode_ledger_record(value);
  if (record) require(core::decode_ledger_record(core::encode(*record)) == record, "a record is read again", value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::text_of(data, size));
  read_record(text);
  read_record(text + ' ' + std::to_string(core::crc32c(text)));
  if (const auto unit = parse_unit_id(text))
    require(parse_unit_id(to_string(*unit)) == unit, "a unit's id is read again");
  if (const auto position = cli::parse_position(text)) {
    require(cli::parse_position(to_text(*position)) == position, "a position is read again", text);
  }
  if (const auto plan = cli::parse_plan(text)) {
    require(cli::parse_plan(to_text(*plan)) == plan, "a plan is read again", text);
  }
  if (const auto position = cli::parse_worker_position(text)) {
    require(cli::parse_worker_position(to_text(*position)) == position, "a worker's position is read again", text);
  }
  return 0;
}
