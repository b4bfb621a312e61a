// Translates one record in memory, as the feed would.
#pragma once

#include <string>
#include <utility>

#include "input/translator.hpp"

namespace write_aside::cli {

// A unit together with what it refers to.
struct Translated {
  std::string text;
  Arena arena;
  PlannedUnit unit;

  Translated(Translator& translator, std::string record) : text(std::move(record)) {
    const std::size_t size = text.size();
    text.resize(size + Block::padding);
    unit.line = 7;
    unit.text = std::string_view(text).substr(0, size);
    translator.translate(unit.text, arena, unit);
  }

  // "LINE:COLUMN: message", empty if the record was taken.
  [[nodiscard]] std::string refusal() const {
    if (!unit.refusal) return {};
    const auto [line, column] = place_of(unit, unit.refusal->at);
    return std::to_string(line) + ":" + std::to_string(column) + ": " + unit.refusal->message;
  }
};

}  // namespace write_aside::cli
