#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <map>
#include <optional>

#include "base64.hpp"
#include "command.hpp"
#include "interruption.hpp"
#include "json_output.hpp"
#include "printable.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t tailed_at_once_max = 500;
constexpr auto poll_time = 200ms;

struct TailOptions {
  std::string topic;
  std::string from = "beginning";
  std::optional<std::int32_t> partition;
  std::optional<std::uint64_t> count;
  ports::Isolation isolation = ports::Isolation::read_committed;
  bool follow = false;
  bool json = false;
};

bool is_text(const std::string& bytes) { return simdjson::validate_utf8(bytes); }

Json headers_json(const std::vector<Header>& headers) {
  Json object = Json::object();
  for (const Header& header : headers) {
    object[header.name] = is_text(header.value) ? Json(header.value) : Json{{"base64", to_base64(header.value)}};
  }
  return object;
}

std::string json_line(const ports::StoredRecord& record) {
  Json object;
  object["topic"] = record.topic;
  object["partition"] = record.partition;
  object["offset"] = record.offset;
  object["key"] = record.key ? Json(*record.key) : Json();
  if (record.value && !is_text(*record.value)) {
    object["value_base64"] = to_base64(*record.value);
  } else {
    object["value"] = record.value ? Json(*record.value) : Json();
  }
  object["headers"] = headers_json(record.headers);
  object["timestamp_ms"] = record.timestamp_ms;
  return to_line(object);
}

std::string_view header(const ports::StoredRecord& record, std::string_view name) {
  for (const Header& one : record.headers) {
    if (one.name == name) return one.value;
  }
  return "-";
}

std::string time_text(std::int64_t timestamp_ms) {
  const std::time_t seconds = timestamp_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", std::string_view(text, size), timestamp_ms % 1000);
}

// For people: one line an event, whatever bytes it holds.
std::string text_line(const ports::StoredRecord& record) {
  const std::string value = !record.value            ? "(tombstone)"
                            : is_text(*record.value) ? *record.value
                                                     : fmt::format("({} bytes)", record.value->size());
  std::string line =
      fmt::format("{}/{}@{}  {}  {}  key {}  {}", record.topic, record.partition, record.offset,
                  time_text(record.timestamp_ms), header(record, "ce_type"), record.key.value_or("-"), value);
  return printable(std::move(line)) + '\n';
}

Result<std::int64_t> parse_from(const std::string& text) {
  if (text == "beginning") return ports::offset_beginning;
  if (text == "end") return ports::offset_end;
  std::int64_t offset = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (error == std::errc() && end == text.data() + text.size() && offset >= 0) return offset;
  return failure(usage_error(fmt::format("--from {}: write beginning, end, or an offset", text)));
}

class Tail {
 public:
  Tail(const TailOptions& options, ports::EventStream& stream) : options_(options), stream_(stream) {}

  Result<ExitStatus> run() {
    if (auto opened = open(); !opened) return failure(opened);
    while (!interruption::requested()) {
      const auto done = options_.follow ? Result<bool>(false) : passed_all();
      if (!done) return failure(done);
      if (*done || left_ == 0) return ExitStatus::committed;
      auto records = reader_->poll(std::min<std::uint64_t>(tailed_at_once_max, left_),
                                   std::chrono::steady_clock::now() + poll_time);
      if (!records) return failure(records);
      for (const ports::StoredRecord& record : *records) {
        if (left_ == 0 || !shown(record)) continue;
        if (!print_out(options_.json ? json_line(record) : text_line(record))) return output_ended();
        --left_;
      }
      // Whoever reads the pipe wants to see it now.
      if (std::fflush(stdout) != 0) return output_ended();
    }
    return interruption::exit_status();
  }

 private:
  Result<void> open() {
    const auto from = parse_from(options_.from);
    if (!from) return failure(from);
    if (*from >= 0 && !options_.partition) return failure(usage_error("--from OFFSET goes with --partition"));
    const auto info = stream_.topic(options_.topic);
    if (!info) return failure(info);
    if (!*info) return failure(unknown_topic());
    const std::int32_t partitions = (**info).partitions;
    if (options_.partition && *options_.partition >= partitions) {
      return failure(usage_error(fmt::format("topic {} has the partitions 0 to {}", options_.topic, partitions - 1)));
    }
    std::vector<ports::ReadFrom> places;
    const auto deadline = std::chrono::steady_clock::now() + ports::committed_bounds_patience;
    for (std::int32_t partition = 0; partition < partitions; ++partition) {
      if (options_.partition && *options_.partition != partition) continue;
      const auto bounds = bounds_of(partition, deadline);
      if (!bounds) return failure(bounds);
      ends_[partition] = bounds->end;
      places.push_back({options_.topic, partition, *from});
    }
    if (options_.count) left_ = *options_.count;
    auto reader = stream_.reader(places, options_.isolation);
    if (!reader) return failure(reader);
    reader_ = *std::move(reader);
    return {};
  }

  [[nodiscard]] Result<ports::EventStream::Bounds> bounds_of(std::int32_t partition, ports::Deadline deadline) const {
    return options_.isolation == ports::Isolation::read_committed && !options_.follow
               ? ports::committed_bounds(stream_, options_.topic, partition, deadline)
               : stream_.bounds(options_.topic, partition, options_.isolation);
  }

  [[nodiscard]] Error unknown_topic() const {
    std::string known;
    if (const auto topics = stream_.topics()) {
      for (const ports::TopicInfo& topic : *topics) {
        if (topic.name.starts_with("write-aside-ledger.")) continue;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", topic.name);
      }
    }
    return {ErrorCode::unknown_topic,
            Side::stream,
            Effect::no,
            false,
            fmt::format("there is no topic '{}' in {}; there are: {}", options_.topic, stream_.name(), known),
            {}};
  }

  // Without --follow the end is where it was at the start.
  [[nodiscard]] bool shown(const ports::StoredRecord& record) const {
    return options_.follow || record.offset < ends_.at(record.partition);
  }

  Result<bool> passed_all() {
    for (const auto& [partition, end] : ends_) {
      const auto position = reader_->position(options_.topic, partition);
      if (!position) return failure(position);
      if (*position < end) return false;
    }
    return true;
  }

  // `tail | head` is no error.
  static Result<ExitStatus> output_ended() {
    if (errno == EPIPE) return ExitStatus::committed;
    return failure(Error{ErrorCode::io, Side::caller, Effect::no, false, "cannot write to standard output", {}});
  }

  const TailOptions& options_;
  ports::EventStream& stream_;
  std::unique_ptr<ports::Reader> reader_;
  std::map<std::int32_t, std::int64_t> ends_;
  std::uint64_t left_ = UINT64_MAX;
};

}  // namespace

void add_tail(Command program, Invocation& invocation) {
  Command command = program.command("tail", "Print the events of a topic");
  auto options = std::make_shared<TailOptions>();
  command.text("TOPIC", options->topic, "", "Topic").required();
  command.text("--from", options->from, "PLACE", "beginning (default), end, or an offset of --partition");
  command.number("--partition", options->partition, {0, INT32_MAX}, "N", "Only this partition");
  command.number("--count", options->count, {0, UINT64_MAX}, "N", "Stop after so many events");
  command.flag("--follow,-f", options->follow, "Wait for more at the end");
  command.choice("--isolation", options->isolation,
                 {{"committed", ports::Isolation::read_committed}, {"uncommitted", ports::Isolation::read_uncommitted}},
                 "committed|uncommitted", "committed (default), or uncommitted: open and aborted events too");
  command.flag("--json", options->json, "One JSON object a line");
  command.footer(R"help(
With --json a line is
  {"topic":…,"partition":…,"offset":…,"key":…,"value":…,"headers":{…},"timestamp_ms":…}
"value" is the value as text, null for a tombstone; a value that is not UTF-8 stands in
"value_base64" instead.

Examples:
  write-aside tail orders --from beginning --count 10
  write-aside tail orders --follow --json | jq -r '.value | fromjson | .id'
)help");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options]() -> Result<ExitStatus> {
      const auto stream =
          open_stream(invocation.settings.stream, Missing::refuse, invocation.settings.stream_properties);
      if (!stream) return failure(stream);
      return Tail(*options, **stream).run();
    };
  });
}

}  // namespace write_aside::cli
