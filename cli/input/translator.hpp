// Turns a record of the input into a unit of work: the one thing in which `apply` and `load` differ.
#pragma once

#include "input/record_reader.hpp"
#include "job/planned_unit.hpp"

namespace write_aside::cli {

class Translator {
 public:
  Translator() = default;
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;
  virtual ~Translator() = default;

  // Fills statements, events and ordering key of `unit`, or says in `unit.refusal` why it cannot. The text is followed by
  // Block::padding readable bytes.
  virtual void translate(std::string_view text, Arena& arena, PlannedUnit& unit) = 0;
};

}  // namespace write_aside::cli
