// The input of `apply`: each line says which statements to run and which events to publish.
#pragma once

#include <vector>

#include "input/json_text.hpp"
#include "input/translator.hpp"

namespace write_aside::cli {

class ApplyTranslator final : public Translator {
 public:
  void translate(std::string_view text, Arena& arena, PlannedUnit& unit) override;

 private:
  // Each false: see json_.refusal().
  [[nodiscard]] bool unit(std::string_view text, Arena& arena, PlannedUnit& unit);
  [[nodiscard]] bool statement(json::value value, Arena& arena);
  [[nodiscard]] bool sql(json::value value, Arena& arena, PlannedStatement& statement);
  [[nodiscard]] bool parameters(json::value value, Arena& arena, PlannedStatement& statement);
  [[nodiscard]] bool event(json::value value, Arena& arena);
  [[nodiscard]] bool event_field(std::size_t index, json::value value, Arena& arena, PlannedEvent& event);
  [[nodiscard]] bool event_value(json::value value, PlannedEvent& event);
  [[nodiscard]] bool event_bytes(json::value value, Arena& arena, PlannedEvent& event);
  [[nodiscard]] bool headers(json::value value, Arena& arena, PlannedEvent& event);
  // A string of at least one character.
  [[nodiscard]] std::optional<std::string_view> name_text(json::value value, std::string_view name, Arena& arena);

  JsonText json_;
  // Kept for their memory.
  std::vector<PlannedStatement> statements_;
  std::vector<PlannedEvent> events_;
  std::vector<Parameter> parameters_;
  std::vector<PlannedHeader> headers_;
};

// The first word of a statement that would begin or end the unit's transaction behind its back; empty if there is none.
[[nodiscard]] std::string_view transaction_word(std::string_view sql);

}  // namespace write_aside::cli
