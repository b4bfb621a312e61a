#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "command.hpp"
#include "topic_spec.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {
namespace {

// A process holds one to a few lanes; a lane costs a row and an empty partition.
constexpr std::uint32_t lanes_default = 16;

struct InitOptions {
  std::optional<std::uint32_t> lanes;
  std::vector<std::string> topics;
};

Result<void> make_topic(ports::EventStream& stream, const ports::TopicSpec& spec) {
  const auto made = stream.create_topic(spec, std::chrono::steady_clock::now() + std::chrono::seconds(30));
  if (!made) return failure(made);
  if (*made) {
    fmt::print("topic {}: made with {} partition{}{}\n", spec.name, spec.partitions, spec.partitions == 1 ? "" : "s",
               spec.compacted ? ", compacted" : "");
    return {};
  }
  const auto there = stream.topic(spec.name);
  if (!there) return failure(there);
  const std::int32_t partitions = *there ? (**there).partitions : 0;
  fmt::print("topic {}: was there, with {} partition{}\n", spec.name, partitions, partitions == 1 ? "" : "s");
  if (partitions != spec.partitions) {
    fmt::print(stderr, "write-aside: topic {} keeps its {} partitions; {} were asked for\n", spec.name, partitions,
               spec.partitions);
  }
  return {};
}

std::string ledger_name(const ports::Schema& schema, const std::string& configured) {
  return configured.empty() ? "write-aside-ledger." + schema.database_id : configured;
}

// The ledger works all the same, so this fails nothing.
void warn_of_ledger(ports::EventStream& stream, const std::string& name) {
  const auto ledger = stream.topic(name);
  if (!ledger || !*ledger) return;
  for (const std::string& warning : (**ledger).warnings) {
    fmt::print(stderr, "write-aside: ledger topic {}: {}\n", name, warning);
  }
}

// Lanes that the ledger has no partition for could not be used, and would be in the way: they are refused before they are made.
Result<void> check_ledger(ports::EventStream& stream, const ports::Schema& schema, std::uint32_t lanes,
                          const std::string& configured) {
  const std::string name = ledger_name(schema, configured);
  const auto ledger = stream.topic(name);
  if (!ledger) return failure(ledger);
  if (!*ledger || (**ledger).partitions >= static_cast<std::int32_t>(lanes)) return {};
  return failure(
      usage_error(fmt::format("--lanes {}: the ledger topic {} has {} partitions, one for each lane, and cannot be "
                              "given more yet; stay with {} lanes",
                              lanes, name, (**ledger).partitions, (**ledger).partitions)));
}

Result<ExitStatus> init(const Settings& settings, const InitOptions& options) {
  std::vector<ports::TopicSpec> specs;
  for (const std::string& text : options.topics) {
    auto spec = parse_topic_spec(text);
    if (!spec) return failure(spec);
    specs.push_back(*std::move(spec));
  }
  auto stores = open_stores(settings, Missing::create);
  if (!stores) return failure(stores);
  const auto before = stores->database->schema();
  const std::uint32_t lanes = options.lanes.value_or(before ? before->lanes : lanes_default);
  if (before) {
    if (auto checked = check_ledger(*stores->stream, *before, lanes, settings.ledger_topic); !checked)
      return failure(checked);
  }
  const auto schema = initialise(*stores->database, *stores->stream, lanes, settings.ledger_topic);
  if (!schema) return failure(schema);
  if (before && before->lanes == schema->lanes) {
    fmt::print("{}: was ready, with {} lanes\n", stores->database->name(), schema->lanes);
  } else if (before) {
    fmt::print("{}: {} lanes added, {} now\n", stores->database->name(), schema->lanes - before->lanes, schema->lanes);
  } else {
    fmt::print("{}: tables made, with {} lanes\n", stores->database->name(), schema->lanes);
  }
  fmt::print("{}: ledger is ready\n", stores->stream->name());
  warn_of_ledger(*stores->stream, ledger_name(*schema, settings.ledger_topic));
  for (const ports::TopicSpec& spec : specs) {
    if (auto made = make_topic(*stores->stream, spec); !made) return failure(made);
  }
  return ExitStatus::committed;
}

}  // namespace

Result<ports::TopicSpec> parse_topic_spec(const std::string& text) {
  const auto refused = [&](std::string_view why) {
    return failure(
        usage_error(fmt::format("--topic {}: {}; write NAME:PARTITIONS or NAME:PARTITIONS:compacted", text, why)));
  };
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return refused("the number of partitions is missing");
  ports::TopicSpec spec;
  spec.name = text.substr(0, colon);
  if (spec.name.empty()) return refused("the name is missing");
  std::string_view rest = std::string_view(text).substr(colon + 1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), spec.partitions);
  if (error != std::errc() || spec.partitions < 1)
    return refused("the number of partitions must be a whole number from 1");
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  if (rest.empty()) return spec;
  if (rest != ":compacted") return refused(fmt::format("'{}' is not understood", rest));
  spec.compacted = true;
  return spec;
}

void add_init(Command program, Invocation& invocation) {
  Command command = program.command("init", "Make the tables, the ledger and topics; safe to run again");
  auto options = std::make_shared<InitOptions>();
  command.number("--lanes", options->lanes, {1, 1024}, "N", "How many producers can work at once (default 16)");
  command.texts("--topic", options->topics, "NAME:PARTITIONS[:compacted]", "Make this topic, if it is not there");
  command.footer(R"(
Example:
  write-aside init --database sqlite:shop.db --stream local:shop.events --topic orders:4 --topic stock:2:compacted
)");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] { return init(invocation.settings, *options); };
  });
}

}  // namespace write_aside::cli
