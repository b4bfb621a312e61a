// CSV as in RFC 4180: commas, quotes doubled inside quotes, line ends of either kind, also inside quotes.
//
// libcsv (Debian's libcsv-dev) was looked at: it trims blanks that RFC 4180 keeps, and tells neither where a record ends
// nor where a mistake is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "input/record_splitter.hpp"
#include "job/planned_unit.hpp"

namespace write_aside::cli {

// A record ends at a line end outside quotes.
class CsvSplitter final : public RecordSplitter {
 public:
  [[nodiscard]] std::size_t find_end(std::string_view bytes) override;
  void reset() override { state_ = State::field_begin; }

 private:
  enum class State { field_begin, plain, quoted, quote_in_quoted };
  State state_ = State::field_begin;
};

struct CsvField {
  std::string_view text;
  bool quoted = false;
  std::size_t at = 0;  // in the record, in bytes
};

// Takes one record apart, without its line end. Unquoted text refers to `record`, the rest to the arena.
// The reason and the place, if it is not CSV.
[[nodiscard]] std::optional<Refusal> parse_csv(std::string_view record, Arena& arena, std::vector<CsvField>& fields);

}  // namespace write_aside::cli
