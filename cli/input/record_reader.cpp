#include "input/record_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "exit_status.hpp"
#include "interruption.hpp"

namespace write_aside::cli {
namespace {

constexpr std::size_t read_bytes = 256 << 10;
constexpr std::size_t room_bytes_min = 4 << 10;
// A block that had to grow for a long record gives the memory back.
constexpr std::size_t kept_bytes_max = 1 << 20;
// What is kept of a record that is too long, for the message and the rejects file.
constexpr std::size_t excerpt_bytes = 256;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::string_view without_line_end(std::string_view record) {
  if (!record.ends_with('\n')) return record;
  record.remove_suffix(1);
  if (record.ends_with('\r')) record.remove_suffix(1);
  return record;
}

}  // namespace

Error changed_input(const std::string& name, std::uint64_t line, std::string_view how) {
  return usage_error(
      fmt::format("{}: {} since an earlier run applied it up to line {}; restore it, or give the new input a name of "
                  "its own with --source",
                  name, how, line));
}

void Block::clear() {
  records.clear();
  used_ = 0;
  if (capacity_ > kept_bytes_max) {
    memory_.reset();
    capacity_ = 0;
  }
}

void Block::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  auto memory = std::make_unique_for_overwrite<char[]>(capacity + padding);
  std::copy_n(memory_.get(), used_, memory.get());
  memory_ = std::move(memory);
  capacity_ = capacity;
}

void Block::append(std::string_view bytes) {
  if (used_ + bytes.size() > capacity_) reserve(std::max(used_ + bytes.size(), capacity_ * 2));
  bytes.copy(memory_.get() + used_, bytes.size());
  used_ += bytes.size();
}

char* Block::room(std::size_t wanted) {
  if (capacity_ - used_ < room_bytes_min) reserve(std::max(used_ + wanted, capacity_ * 2));
  return memory_.get() + used_;
}

RecordReader::RecordReader(InputFile input, std::unique_ptr<RecordSplitter> splitter, std::size_t record_bytes_max)
    : input_(std::move(input)), splitter_(std::move(splitter)), record_bytes_max_(record_bytes_max) {}

Result<bool> RecordReader::read_more(Block& block, std::size_t wanted) {
  if (ended_) return false;
  char* room = block.room(wanted);
  const auto got = input_.read(room, block.room_size());
  if (!got) return failure(got);
  ended_ = *got == 0;
  block.grown_by(*got);
  return !ended_;
}

void RecordReader::add_record(Block& block, std::size_t begin, std::size_t end) {
  const std::string_view record = block.bytes().substr(begin, end - begin);
  std::string_view text = without_line_end(record);
  const bool too_long = text.size() > record_bytes_max_;
  if (mark_.offset == 0 && text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  const std::uint64_t line = mark_.line + 1;
  mark_.pass(record);
  if (!record.ends_with('\n')) ++mark_.line;
  block.records.push_back({line, too_long ? text.substr(0, excerpt_bytes) : text, mark_, too_long});
}

Result<void> RecordReader::fill(Block& block) {
  block.clear();
  block.append(rest_);
  rest_.clear();
  std::size_t begin = 0;
  std::size_t scanned = std::exchange(rest_scanned_, 0);
  for (;;) {
    for (;;) {
      const std::size_t length = splitter_->find_end(block.bytes().substr(scanned));
      if (length == std::string_view::npos) break;
      scanned += length;
      add_record(block, begin, scanned);
      begin = scanned;
    }
    scanned = block.bytes().size();
    if (!block.records.empty()) break;
    if (scanned > record_bytes_max_) return add_too_long(block);
    const auto more = read_more(block, read_bytes);
    if (!more) return failure(more);
    if (*more) continue;
    // What a signal cut off is no record; the next run reads it again.
    if (scanned > 0 && !interruption::requested()) add_record(block, 0, scanned);
    return {};
  }
  rest_ = block.bytes().substr(begin);
  rest_scanned_ = rest_.size();
  block.shrink_to(begin);
  return {};
}

// Keeps the beginning of the record and passes over the rest of it, block by block.
Result<void> RecordReader::add_too_long(Block& block) {
  RawRecord record{mark_.line + 1, {}, {}, true};
  mark_.pass(block.bytes());
  Block rest;
  for (;;) {
    rest.clear();
    const auto more = read_more(rest, read_bytes);
    if (!more) return failure(more);
    if (interruption::requested()) return {};
    const std::size_t length = *more ? splitter_->find_end(rest.bytes()) : 0;
    mark_.pass(rest.bytes().substr(0, length));
    if (length == std::string_view::npos) continue;
    rest_ = rest.bytes().substr(length);
    break;
  }
  if (ended_) ++mark_.line;
  record.text = block.bytes().substr(0, excerpt_bytes);
  record.after = mark_;
  block.records.push_back(record);
  return {};
}

Result<std::optional<std::string>> RecordReader::take_first() {
  Block block;
  if (auto filled = fill(block); !filled) return failure(filled);
  if (block.records.empty()) return std::nullopt;
  const RawRecord& first = block.records.front();
  if (first.too_long) {
    return failure(
        usage_error(fmt::format("{}:1:1: the header is longer than {} bytes", input_.name(), record_bytes_max_)));
  }
  // Everything behind the first record goes back, unscanned.
  const std::string read = std::string(block.bytes()) + rest_;
  rest_ = read.substr(first.after.offset);
  rest_scanned_ = 0;
  splitter_->reset();
  mark_ = first.after;
  return std::string(first.text);
}

Result<void> RecordReader::skip_to(const Mark& mark) {
  if (mark.offset < mark_.offset) return failure(changed_input(input_.name(), mark.line, "the header has changed"));
  Block block;
  block.append(rest_);
  rest_.clear();
  rest_scanned_ = 0;
  bool ends_line = true;
  while (mark_.offset < mark.offset) {
    if (block.bytes().empty()) {
      const auto more = read_more(block, read_bytes);
      if (!more) return failure(more);
      if (interruption::requested()) return {};
      if (!*more) return failure(changed_input(input_.name(), mark.line, "the input has become shorter"));
    }
    const std::string_view passed = block.bytes().substr(0, mark.offset - mark_.offset);
    mark_.pass(passed);
    ends_line = passed.ends_with('\n');
    rest_ = block.bytes().substr(passed.size());
    block.clear();
  }
  if (rest_.empty()) rest_ = block.bytes();
  if (mark_.sum != mark.sum) return failure(changed_input(input_.name(), mark.line, "the input has changed"));
  mark_.line = mark.line;
  return ends_line ? Result<void>{} : skip_line_end();
}

// The last line that was applied had no line end then. If the input has grown, the line must have got one and nothing else.
Result<void> RecordReader::skip_line_end() {
  Block block;
  block.append(rest_);
  rest_.clear();
  while (block.bytes().size() < 2) {
    const auto more = read_more(block, read_bytes);
    if (!more) return failure(more);
    if (!*more) break;
  }
  const std::string_view bytes = block.bytes();
  if (bytes.empty()) return {};
  const std::size_t line_end = bytes.starts_with("\r\n") ? 2 : bytes.starts_with('\n') ? 1 : 0;
  if (line_end == 0) return failure(changed_input(input_.name(), mark_.line, "the last line has grown"));
  const std::uint64_t line = mark_.line;  // which counts this line already
  mark_.pass(bytes.substr(0, line_end));
  mark_.line = line;
  rest_ = bytes.substr(line_end);
  return {};
}

}  // namespace write_aside::cli
