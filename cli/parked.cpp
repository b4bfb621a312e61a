#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>

#include "base64.hpp"
#include "command.hpp"
#include "json_output.hpp"
#include "printable.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside::cli {
namespace {

constexpr std::size_t listed_max = 10'000;

enum class Action { list, retry, drop };

struct ParkedOptions {
  Action action = Action::list;
  std::string consumer;
  std::string topic;
  std::string event;  // TOPIC[PARTITION]@OFFSET
  std::string key;
  bool all = false;
  bool json = false;
};

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// Reads what ReceivedEvent::place() writes.
bool parse_place(std::string_view text, ParkedFilter& filter) {
  const std::size_t at = text.rfind("]@");
  const std::size_t open = text.rfind('[', at);
  if (at == std::string_view::npos || open == std::string_view::npos || open == 0) return false;
  filter.topic = text.substr(0, open);
  filter.partition = number_in<std::int32_t>(text.substr(open + 1, at - open - 1));
  filter.offset = number_in<std::int64_t>(text.substr(at + 2));
  return filter.partition && filter.offset;
}

Result<ParkedFilter> filter_of(const ParkedOptions& options) {
  ParkedFilter filter{.consumer = options.consumer, .topic = options.topic};
  if (!options.key.empty()) filter.key = options.key;
  if (!options.event.empty() && !parse_place(options.event, filter)) {
    return failure(
        usage_error(fmt::format("--event {}: write TOPIC[PARTITION]@OFFSET, as 'parked list' does", options.event)));
  }
  const bool narrow = !options.topic.empty() || !options.key.empty() || !options.event.empty();
  if (options.action != Action::list && narrow == options.all) {
    return failure(
        usage_error(fmt::format("parked {}: say which events, by --event, --key or --topic, or --all of them",
                                options.action == Action::retry ? "retry" : "drop")));
  }
  return filter;
}

Json bytes_json(const std::optional<std::string>& bytes) {
  if (!bytes) return {};
  return simdjson::validate_utf8(*bytes) ? Json(*bytes) : Json{{"base64", to_base64(*bytes)}};
}

std::string json_line(const ParkedEvent& parked) {
  Json object;
  object["event"] = parked.event.place();
  object["state"] = to_text(parked.state);
  object["key"] = bytes_json(parked.event.key);
  object["value"] = bytes_json(parked.event.value);
  object["source"] = parked.event.source;
  object["id"] = parked.event.id;
  object["error"] = parked.error;
  object["parked_at_ms"] = parked.parked_at_ms;
  return to_line(object);
}

std::string text_line(const ParkedEvent& parked) {
  return printable(fmt::format("{}  {}  key {}  {}", parked.event.place(), to_text(parked.state),
                               parked.event.key.value_or("-"), parked.error)) +
         '\n';
}

Result<ExitStatus> run_parked(const Settings& settings, const ParkedOptions& options) {
  const auto filter = filter_of(options);
  if (!filter) return failure(filter);
  const auto database = open_database(settings.database, Missing::refuse);
  if (!database) return failure(database);
  if (options.action == Action::list) {
    const auto events = parked_events(**database, *filter, listed_max);
    if (!events) return failure(events);
    for (const ParkedEvent& parked : *events) {
      // Whoever closed the pipe has read enough; main() tells of anything else.
      if (!print_out(options.json ? json_line(parked) : text_line(parked))) return ExitStatus::committed;
    }
    if (events->size() == listed_max) fmt::print(stderr, "the first {} of them\n", listed_max);
    return ExitStatus::committed;
  }
  const bool retry = options.action == Action::retry;
  const auto count = retry ? retry_parked(**database, *filter) : drop_parked(**database, *filter);
  if (!count) return failure(count);
  if (options.json) {
    fmt::print("{}", to_line(Json{{retry ? "retried" : "dropped", *count}}));
  } else {
    fmt::print("{} {}\n", *count, retry ? "to be tried again by the running consumer" : "dropped");
  }
  return *count > 0 ? ExitStatus::committed : ExitStatus::rejected;
}

}  // namespace

void add_parked(Command program, Invocation& invocation) {
  Command command = program.command("parked", "List, retry or drop events that 'consume' could not apply");
  auto options = std::make_shared<ParkedOptions>();
  command
      .choice("ACTION", options->action, {{"list", Action::list}, {"retry", Action::retry}, {"drop", Action::drop}}, "",
              "list, retry or drop")
      .required();
  command.text("--name", options->consumer, "NAME", "The consumer, as given to consume").required();
  command.text("--topic", options->topic, "TOPIC", "Only events of this topic");
  command.text("--key", options->key, "KEY", "Only events of this key");
  command.text("--event", options->event, "PLACE", "Only this event, TOPIC[PARTITION]@OFFSET");
  command.flag("--all", options->all, "Retry or drop all of them");
  command.flag("--json", options->json, "One JSON object a line");
  command.footer(R"help(
parked   it could not be applied; `retry` and `drop` are for these
waiting  an earlier event of its key is parked; it comes when that one was applied or dropped
retry    the running consumer tries it within a second, or the next one when it starts; it can
         still be dropped

Exit status 1: there is no such event.

Example:
  write-aside parked list --name totals
  write-aside parked retry --name totals --key c17
)help");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] { return run_parked(invocation.settings, *options); };
  });
}

}  // namespace write_aside::cli
