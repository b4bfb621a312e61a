#include "coordination/event_rules.hpp"

#include <algorithm>

namespace write_aside::coordination {

namespace {

// Room for the headers that the library adds: ids, times and their names.
constexpr std::size_t envelope_bytes = 400;

tl::unexpected<Error> refuse(ErrorCode code, std::string message) {
  return failure(
      {.code = code, .side = Side::caller, .effect = Effect::no, .retriable = false, .message = std::move(message)});
}

}  // namespace

Result<void> check_event(const Event& event, std::size_t record_bytes_max) {
  if (event.topic.empty()) return refuse(ErrorCode::invalid_argument, "an event needs a topic");
  if (event.type.empty()) {
    return refuse(ErrorCode::invalid_argument,
                  "event for topic '" + event.topic + "': a type is needed, such as \"order.paid\"");
  }
  std::size_t bytes = envelope_bytes + event.id.size() + event.type.size() + event.content_type.size();
  bytes += (event.key ? event.key->size() : 0) + (event.value ? event.value->size() : 0);
  for (auto header = event.headers.begin(); header != event.headers.end(); ++header) {
    bytes += header->name.size() + header->value.size();
    const std::string& name = header->name;
    if (name.empty() || name.starts_with("ce_") || name.starts_with("wa-") || name == "content-type") {
      return refuse(ErrorCode::invalid_argument,
                    "header '" + name + "' of an event for topic '" + event.topic +
                        "': names are not empty, not `content-type`, and do not begin with `ce_` or `wa-`");
    }
    const bool twice =
        std::any_of(event.headers.begin(), header, [&](const Header& other) { return other.name == name; });
    if (twice) {
      return refuse(ErrorCode::invalid_argument,
                    "header '" + name + "' of an event for topic '" + event.topic + "' stands twice; names are unique");
    }
  }
  if (bytes > record_bytes_max) {
    return refuse(ErrorCode::event_too_large, "event for topic '" + event.topic + "' takes " + std::to_string(bytes) +
                                                  " bytes with its headers, the stream allows " +
                                                  std::to_string(record_bytes_max) +
                                                  "; make it smaller, or store the value and publish its address");
  }
  return {};
}

}  // namespace write_aside::coordination
