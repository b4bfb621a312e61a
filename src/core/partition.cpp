#include "core/partition.hpp"

#include <cstddef>

namespace write_aside::core {
namespace {

constexpr std::uint32_t multiplier = 0x5bd1e995;
constexpr std::uint32_t seed = 0x9747b28c;

std::uint32_t byte_at(std::string_view bytes, std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); }

// Little-endian whatever the machine, as the Java code spells it out.
std::uint32_t word_at(std::string_view bytes, std::size_t index) {
  return byte_at(bytes, index) | byte_at(bytes, index + 1) << 8 | byte_at(bytes, index + 2) << 16 |
         byte_at(bytes, index + 3) << 24;
}

}  // namespace

std::int32_t murmur2(std::string_view bytes) {
  std::uint32_t hash = seed ^ static_cast<std::uint32_t>(bytes.size());
  std::size_t index = 0;
  for (; index + 4 <= bytes.size(); index += 4) {
    std::uint32_t word = word_at(bytes, index) * multiplier;
    word ^= word >> 24;
    hash = hash * multiplier ^ word * multiplier;
  }
  std::uint32_t rest = 0;
  for (std::size_t left = bytes.size(); left > index; --left) rest = rest << 8 | byte_at(bytes, left - 1);
  if (index < bytes.size()) hash = (hash ^ rest) * multiplier;
  hash = (hash ^ hash >> 13) * multiplier;
  hash ^= hash >> 15;
  return static_cast<std::int32_t>(hash);
}

std::int32_t partition_of(std::string_view key, std::int32_t partitions) {
  // Clears the sign, as Kafka's Utils.toPositive; std::abs would differ for negative hashes.
  return (murmur2(key) & 0x7fffffff) % partitions;
}

}  // namespace write_aside::core
