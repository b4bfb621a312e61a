// Which partition a key belongs to: murmur2, exactly as Kafka's Java client computes it, so that every client of
// every language that uses the Java client's partitioner agrees.
#pragma once

#include <cstdint>
#include <string_view>

namespace write_aside::core {

// Kafka's variant of MurmurHash2 with its fixed seed; signed, as Java's int.
[[nodiscard]] std::int32_t murmur2(std::string_view bytes);

// `partitions` is at least 1; the result is in [0, partitions).
[[nodiscard]] std::int32_t partition_of(std::string_view key, std::int32_t partitions);

}  // namespace write_aside::core
