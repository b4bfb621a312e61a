// An input of `apply` or `load` as the program reads it: record by record, from a file, with each record translated.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "fuzz/fuzz.hpp"
#include "input/record_reader.hpp"
#include "input/translator.hpp"

namespace write_aside::fuzz {

inline constexpr std::size_t record_bytes_max = 4096;

template <class T>
bool holds(const Parameter& parameter, const T& value) {
  const T* held = std::get_if<T>(&parameter.storage());
  return held != nullptr && *held == value;
}

// Reads all of `bytes`; `see` gets each record that is not too long.
inline void read_records(std::string_view bytes, std::unique_ptr<cli::RecordSplitter> splitter, bool has_header,
                         const std::function<void(const std::string& header)>& see_header,
                         const std::function<void(const cli::RawRecord&)>& see) {
  const MemoryFile file(bytes);
  auto input = cli::InputFile::open(file.path());
  require(input.has_value(), "a file can be opened");
  cli::RecordReader reader(*std::move(input), std::move(splitter), record_bytes_max);
  if (has_header) {
    const auto header = reader.take_first();
    if (!header) return require_clear(header.error());
    if (!*header) return;
    see_header(**header);
  }
  cli::Block block;
  std::uint64_t line = 0;
  do {
    const std::uint64_t begin = reader.mark().offset;
    require(reader.fill(block).has_value(), "a file can be read");
    std::uint64_t before = begin;
    for (const cli::RawRecord& record : block.records) {
      require(record.line > line && record.after.line >= record.line, "records stand on lines that follow each other");
      require(record.after.offset > before && record.after.offset <= bytes.size(), "records follow each other");
      const std::string_view whole = bytes.substr(before, record.after.offset - before);
      require(whole.find(record.text) != std::string_view::npos, "a record is a part of the input");
      before = record.after.offset;
      line = record.line;
      if (!record.too_long) see(record);
    }
  } while (!block.records.empty());
  require(reader.mark().offset == bytes.size(), "the whole input is read");
  cli::Mark whole;
  whole.pass(bytes);
  require(reader.mark().sum == whole.sum, "the sum is that of the bytes");
}

// Translates a record. A refusal names a place inside it, and says why.
inline void translate(cli::Translator& translator, const cli::RawRecord& record,
                      const std::function<void(const cli::PlannedUnit&)>& see) {
  cli::Arena arena;
  cli::PlannedUnit unit;
  unit.line = record.line;
  unit.text = record.text;
  translator.translate(unit.text, arena, unit);
  if (!unit.refusal) return see(unit);
  require(unit.statements.empty() && unit.events.empty(), "a refused record has nothing to be run", unit.text);
  require(!unit.refusal->message.empty(), "a refusal says why", unit.text);
  require(unit.refusal->at <= unit.text.size(), "a refusal names a place in the record", unit.text);
  const cli::Place place = cli::place_of(unit, unit.refusal->at);
  require(place.line >= record.line && place.column >= 1 && place.column <= unit.text.size() + 1,
          "a refusal has line and column", unit.text);
}

}  // namespace write_aside::fuzz
