// Finds where records end, as the bytes come in.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace write_aside::cli {

class RecordSplitter {
 public:
  RecordSplitter() = default;
  RecordSplitter(const RecordSplitter&) = delete;
  RecordSplitter& operator=(const RecordSplitter&) = delete;
  virtual ~RecordSplitter() = default;

  // Looks at bytes that follow those of the calls before. The index just past the record's line end, or npos if the
  // record goes on. After an end the next call begins a new record.
  [[nodiscard]] virtual std::size_t find_end(std::string_view bytes) = 0;
  // Forgets the record it is in.
  virtual void reset() = 0;
};

// A record is a line.
class LineSplitter final : public RecordSplitter {
 public:
  [[nodiscard]] std::size_t find_end(std::string_view bytes) override {
    const std::size_t newline = bytes.find('\n');
    return newline == std::string_view::npos ? newline : newline + 1;
  }
  void reset() override {}
};

}  // namespace write_aside::cli
