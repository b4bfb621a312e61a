// The tables of a local stream and the identity of its file.
//
//   meta              stream_id
//   topic, partition  a partition has a number of its own (`ref`) and knows the next offset to be given
//   record_0 …        position = ref << 40 | offset: in reading order, without another index (record_tables.hpp)
//   producer          a row per transactional id; its epoch fences
//   open_transaction, open_partition
//                     what is open, and from which offset on a partition is undecided
//   compacted_key     where the newest committed record of a key is, for compacted topics
//   consumer_position positions stored by name
//
// The view `committed_records` is a promise to users; everything else may change with the version.
#pragma once

#include <cstdint>
#include <string>

#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/error.hpp"
#include "write_aside/result.hpp"

namespace write_aside::local_stream {

inline constexpr std::int32_t application_id = 0x77617331;  // "was1", in the file's header
inline constexpr std::int64_t schema_version = 1;

inline constexpr int offset_bits = 40;
inline constexpr std::int64_t offset_max = (std::int64_t{1} << offset_bits) - 1;

inline constexpr std::int64_t refs_max = std::int64_t{1} << 22;  // what is left of a position beside the offset
inline constexpr std::int32_t partitions_max = 10'000;

[[nodiscard]] constexpr bool is_ref(std::int64_t ref) { return ref > 0 && ref < refs_max; }
[[nodiscard]] constexpr bool is_offset(std::int64_t offset) { return offset >= 0 && offset <= offset_max; }
[[nodiscard]] constexpr std::int64_t position_of(std::int64_t ref, std::int64_t offset) {
  return ref << offset_bits | offset;
}
[[nodiscard]] constexpr std::int64_t offset_of(std::int64_t position) { return position & offset_max; }

// A number in a table is none that this library writes there. SQLite keeps no checksums: what is used to find records is
// looked at before it is used.
[[nodiscard]] Error damaged(const std::string& name, const std::string& what);

// Makes sure that the file at `path` is a local stream of a version that this library reads, in WAL mode; makes
// one of a missing or empty file if `options.create`. A file of another kind is refused before anything is
// written to it.
[[nodiscard]] Result<void> prepare_file(const std::string& path, const std::string& name, const Options& options);

}  // namespace write_aside::local_stream
