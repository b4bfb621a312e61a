// The values that an event gives to a statement.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "consume/event_statement.hpp"
#include "input/json_text.hpp"
#include "write_aside/consumer.hpp"
#include "write_aside/value.hpp"

namespace write_aside::cli {

class EventBinder {
 public:
  // Appends one parameter for each part of the statement. They refer to the event and to this binder, until clear().
  // An event that lacks a part, or holds one that cannot be read, is refused.
  [[nodiscard]] Result<void> bind(const EventStatement& statement, const ReceivedEvent& event,
                                  std::vector<Parameter>& parameters);
  void clear() { kept_.clear(); }

 private:
  [[nodiscard]] Result<Parameter> value_of(const EventPart& part, const ReceivedEvent& event);
  [[nodiscard]] static Result<Parameter> header_of(const EventPart& part, const ReceivedEvent& event);
  [[nodiscard]] Result<Parameter> field_of(const EventPart& part, const ReceivedEvent& event);
  [[nodiscard]] Result<Parameter> unreadable(const EventPart& part);
  [[nodiscard]] Result<void> open(const ReceivedEvent& event);

  JsonText json_;
  std::string text_;  // of the event whose value is open, with padding behind
  const ReceivedEvent* opened_ = nullptr;
  std::deque<std::string> kept_;  // what parameters refer to
};

}  // namespace write_aside::cli
