#include "input/csv.hpp"

#include <algorithm>

namespace write_aside::cli {

std::size_t CsvSplitter::find_end(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char byte = bytes[at];
    if (state_ == State::quoted) {
      // Most of a long field is nothing but text.
      at = std::min(bytes.find('"', at), bytes.size());
      if (at < bytes.size()) state_ = State::quote_in_quoted;
    } else if (byte == '\n') {
      state_ = State::field_begin;
      return at + 1;
    } else if (byte == ',') {
      state_ = State::field_begin;
    } else if (byte == '"' && state_ != State::plain) {
      state_ = State::quoted;  // opens, or goes on behind a doubled quote
    } else {
      state_ = State::plain;
    }
  }
  return std::string_view::npos;
}

namespace {

// Reads one record field by field.
class CsvRecord {
 public:
  CsvRecord(std::string_view record, Arena& arena, std::vector<CsvField>& fields)
      : record_(record), arena_(arena), fields_(fields) {}

  std::optional<Refusal> parse() {
    fields_.clear();
    for (;;) {
      const bool quoted = at_ < record_.size() && record_[at_] == '"';
      if (auto refusal = quoted ? quoted_field() : plain_field()) return refusal;
      if (at_ == record_.size()) return std::nullopt;
      ++at_;  // the comma
    }
  }

 private:
  std::optional<Refusal> plain_field() {
    const std::size_t begin = at_;
    at_ = std::min(record_.find(',', begin), record_.size());
    const std::string_view text = record_.substr(begin, at_ - begin);
    if (const std::size_t quote = text.find('"'); quote != std::string_view::npos) {
      return Refusal{begin + quote, "a quote inside an unquoted field; put the field in quotes and double the quote"};
    }
    fields_.push_back({text, false, begin});
    return std::nullopt;
  }

  std::optional<Refusal> quoted_field() {
    const std::size_t begin = at_++;
    text_.clear();
    bool doubled = false;
    for (;;) {
      const std::size_t quote = record_.find('"', at_);
      if (quote == std::string_view::npos) return Refusal{begin, "this quote is never closed"};
      const std::string_view part = record_.substr(at_, quote - at_);
      at_ = quote + 1;
      if (at_ == record_.size() || record_[at_] != '"') {
        if (at_ < record_.size() && record_[at_] != ',') {
          return Refusal{at_, "text behind a closing quote; a comma or the line end must follow"};
        }
        const std::string_view text = doubled ? arena_.keep(text_.append(part)) : part;
        fields_.push_back({text, true, begin});
        return std::nullopt;
      }
      text_.append(part).push_back('"');
      doubled = true;
      ++at_;
    }
  }

  std::string_view record_;
  Arena& arena_;
  std::vector<CsvField>& fields_;
  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<Refusal> parse_csv(std::string_view record, Arena& arena, std::vector<CsvField>& fields) {
  return CsvRecord(record, arena, fields).parse();
}

}  // namespace write_aside::cli
