// Reads an input record by record in constant memory: a block of bytes that grows to the longest record and no further
// than `record_bytes_max`.
//
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "input/input_file.hpp"
#include "input/record_splitter.hpp"
#include "job/position.hpp"
#include "write_aside/result.hpp"

namespace write_aside::cli {

struct RawRecord {
  std::uint64_t line = 0;  // where it begins, from 1
  std::string_view text;   // without the line end
  Mark after;
  bool too_long = false;  // `text` is only its beginning
};

// Whole records and the memory they stand in, followed by at least `padding` readable bytes, as simdjson wants it.
class Block {
 public:
  static constexpr std::size_t padding = 64;

  std::vector<RawRecord> records;

  [[nodiscard]] std::string_view bytes() const { return {memory_.get(), used_}; }
  void clear();
  void append(std::string_view bytes);
  // Room for more bytes behind those there are, at least one.
  [[nodiscard]] char* room(std::size_t wanted);
  [[nodiscard]] std::size_t room_size() const { return capacity_ - used_; }
  void grown_by(std::size_t count) { used_ += count; }
  void shrink_to(std::size_t count) { used_ = count; }

 private:
  void reserve(std::size_t capacity);

  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

// The input is not the one that an earlier run applied up to this line: `how` it differs.
[[nodiscard]] Error changed_input(const std::string& name, std::uint64_t line, std::string_view how);

class RecordReader {
 public:
  RecordReader(InputFile input, std::unique_ptr<RecordSplitter> splitter, std::size_t record_bytes_max);

  // Takes the first record out of the input, for the header of a CSV file. None: the input is empty.
  [[nodiscard]] Result<std::optional<std::string>> take_first();
  // Passes over what an earlier run applied. Refuses an input that is no longer the same up to there.
  [[nodiscard]] Result<void> skip_to(const Mark& mark);
  // Fills the block with the next records, at least one. No record: the input is over, or interrupted.
  [[nodiscard]] Result<void> fill(Block& block);

  [[nodiscard]] const InputFile& input() const { return input_; }
  [[nodiscard]] const Mark& mark() const { return mark_; }

 private:
  // Reads more into the block; false at the end of the input.
  [[nodiscard]] Result<bool> read_more(Block& block, std::size_t wanted);
  void add_record(Block& block, std::size_t begin, std::size_t end);
  [[nodiscard]] Result<void> add_too_long(Block& block);
  [[nodiscard]] Result<void> skip_line_end();

  InputFile input_;
  std::unique_ptr<RecordSplitter> splitter_;
  std::size_t record_bytes_max_;
  Mark mark_;
  std::string rest_;              // read, but not handed out yet
  std::size_t rest_scanned_ = 0;  // bytes of it that the splitter has seen
  bool ended_ = false;
};

}  // namespace write_aside::cli
