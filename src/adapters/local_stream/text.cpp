#include "adapters/local_stream/text.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

namespace write_aside::local_stream {
namespace {

constexpr std::string_view base64_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint8_t byte_at(std::string_view bytes, std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); }

// Length of the well-formed multi-byte sequence at `index`, 0 if there is none (overlong forms, surrogates and
// numbers above U+10FFFF are not well-formed).
std::size_t sequence_length(std::string_view bytes, std::size_t index) {
  const std::uint8_t lead = byte_at(bytes, index);
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() - index < length) return 0;
  for (std::size_t next = 1; next < length; ++next) {
    if ((byte_at(bytes, index + next) & 0xc0) != 0x80) return 0;
  }
  const std::uint8_t second = byte_at(bytes, index + 1);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
  if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
  return length;
}

// How many bytes from `index` on are plain ASCII that JSON takes as it is. Eight at a time: events carry many
// headers, and nearly all of their bytes are plain.
std::size_t plain_length(std::string_view bytes, std::size_t index) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t highs = 0x8080808080808080;
  const std::size_t start = index;
  while (bytes.size() - index >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + index, 8);
    const std::uint64_t quote = word ^ (ones * '"');
    const std::uint64_t backslash = word ^ (ones * '\\');
    // The high bit of a byte of `special` is set at the first special byte, perhaps also at ones behind it.
    const std::uint64_t special = word | (word - ones * 0x20) | (quote - ones) | (backslash - ones);
    if ((special & highs) != 0) break;
    index += 8;
  }
  while (index < bytes.size()) {
    const std::uint8_t byte = byte_at(bytes, index);
    if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') break;
    ++index;
  }
  return index - start;
}

void append_escaped(std::string& out, char special) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (special) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  out += "\\u00";
  out += digits[static_cast<std::uint8_t>(special) >> 4];
  out += digits[static_cast<std::uint8_t>(special) & 15];
}

// Appends a quoted JSON string; false, with `out` as it was, if `bytes` are not UTF-8.
bool append_string(std::string& out, std::string_view bytes) {
  const std::size_t before = out.size();
  out += '"';
  for (std::size_t index = 0; index < bytes.size();) {
    const std::size_t plain = plain_length(bytes, index);
    out.append(bytes, index, plain);
    index += plain;
    if (index == bytes.size()) break;
    if (byte_at(bytes, index) < 0x80) {
      append_escaped(out, bytes[index++]);
      continue;
    }
    const std::size_t length = sequence_length(bytes, index);
    if (length == 0) {
      out.resize(before);
      return false;
    }
    out.append(bytes, index, length);
    index += length;
  }
  out += '"';
  return true;
}

void append_base64(std::string& out, std::string_view bytes) {
  for (std::size_t index = 0; index < bytes.size(); index += 3) {
    const std::size_t left = bytes.size() - index;
    std::uint32_t group = std::uint32_t{byte_at(bytes, index)} << 16;
    if (left > 1) group |= std::uint32_t{byte_at(bytes, index + 1)} << 8;
    if (left > 2) group |= byte_at(bytes, index + 2);
    out += base64_letters[group >> 18];
    out += base64_letters[group >> 12 & 63];
    out += left > 1 ? base64_letters[group >> 6 & 63] : '=';
    out += left > 2 ? base64_letters[group & 63] : '=';
  }
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::uint32_t group = 0;
  std::size_t bits = 0;
  for (const char letter : text) {
    const std::size_t digit = base64_letters.find(letter);
    if (digit == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xff);
  }
  return bytes;
}

// Takes {"name":"text","name":{"base64":"…"}} and refuses everything else. Events, because a JSON document
// would lose the order and repeated names.
class HeaderReader {
 public:
  std::vector<Header> headers;

  bool start_object(std::size_t /*elements*/) { return ++depth_ <= 2; }
  bool end_object() {
    --depth_;
    return true;
  }
  bool key(std::string& name) {
    if (depth_ == 2) return name == "base64";
    headers.push_back({std::move(name), {}});
    return true;
  }
  bool string(std::string& text) {
    if (headers.empty() || depth_ == 0) return false;
    if (depth_ == 1) {
      headers.back().value = std::move(text);
      return true;
    }
    std::optional<std::string> bytes = decode_base64(text);
    if (!bytes) return false;
    headers.back().value = std::move(*bytes);
    return true;
  }
  bool null() { return false; }
  bool boolean(bool /*value*/) { return false; }
  bool number_integer(std::int64_t /*value*/) { return false; }
  bool number_unsigned(std::uint64_t /*value*/) { return false; }
  bool number_float(double /*value*/, const std::string& /*text*/) { return false; }
  bool binary(nlohmann::json::binary_t& /*value*/) { return false; }
  bool start_array(std::size_t /*elements*/) { return false; }
  bool end_array() { return false; }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const nlohmann::json::exception& /*why*/) {
    return false;
  }

 private:
  int depth_ = 0;
};

}  // namespace

bool is_text(std::string_view bytes) {
  for (std::size_t index = 0; index < bytes.size();) {
    index += plain_length(bytes, index);
    if (index == bytes.size()) break;
    const std::uint8_t byte = byte_at(bytes, index);
    const std::size_t length = byte == 0 ? 0 : byte < 0x80 ? 1 : sequence_length(bytes, index);
    if (length == 0) return false;
    index += length;
  }
  return true;
}

bool append_headers(std::string& out, std::span<const ports::HeaderView> headers) {
  const std::size_t before = out.size();
  char separator = '{';
  for (const ports::HeaderView& header : headers) {
    out += separator;
    separator = ',';
    if (!append_string(out, header.name)) {
      out.resize(before);
      return false;
    }
    out += ':';
    if (append_string(out, header.value)) continue;
    out += "{\"base64\":\"";
    append_base64(out, header.value);
    out += "\"}";
  }
  if (headers.empty()) out += '{';
  out += '}';
  return true;
}

Result<std::vector<Header>> parse_headers(std::string_view json) {
  HeaderReader reader;
  if (nlohmann::json::sax_parse(json, &reader)) return std::move(reader.headers);
  return failure({.code = ErrorCode::corrupt,
                  .side = Side::stream,
                  .effect = Effect::no,
                  .message = "the headers of a record are not the JSON that this stream writes; restore the "
                             "stream file from a backup"});
}

}  // namespace write_aside::local_stream
