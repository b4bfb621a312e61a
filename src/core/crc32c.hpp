// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a time. Guards journal payloads and ledger records
// against torn or foreign bytes; it is no defence against an adversary.
#pragma once

#include <cstdint>
#include <string_view>

namespace write_aside::core {

[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

}  // namespace write_aside::core
