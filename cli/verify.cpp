#include <fmt/format.h>

#include <set>

#include "audit/stream_audit.hpp"
#include "command.hpp"
#include "input/apply_translator.hpp"
#include "input/csv.hpp"
#include "input/record_reader.hpp"
#include "interruption.hpp"
#include "job/dealer.hpp"
#include "job/ingest.hpp"
#include "job/progress.hpp"
#include "json_output.hpp"
#include "printable.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view ledger_prefix = "write-aside-ledger.";
constexpr std::size_t verified_at_once_max = 1'000;
// A reader that makes no progress for so long will not make any: a transaction is open in front of it.
constexpr auto poll_patience = 10s;

enum class InputOf { apply, jsonl, csv };

struct VerifyOptions {
  std::string input;
  std::string source;
  InputOf format = InputOf::apply;
  std::vector<std::string> topics;
  bool allow_duplicates = false;
  bool json = false;
};

class Verify {
 public:
  Verify(const VerifyOptions& options, const Stores& stores, std::string ledger_topic)
      : options_(options),
        stores_(stores),
        ledger_topic_(std::move(ledger_topic)),
        audit_([this](const std::string& source) { return progress(source); }) {}

  Result<ExitStatus> run() {
    // In this order: what is committed now and has nothing undelivered must be visible by the time the stream is read.
    if (!options_.input.empty()) source_ = options_.source.empty() ? absolute_path(options_.input) : options_.source;
    const auto committed = source_.empty() ? std::nullopt : stored_progress(source_);
    // Whose unit it is depends on its ordering key, which is known of inputs of apply alone.
    if (committed && options_.format != InputOf::apply) unfinished_workers_ = committed->planned_workers().value_or(0);
    const auto lanes = stores_.database->lanes();
    if (!lanes) return failure(lanes);
    for (const ports::LaneSummary& lane : *lanes) undelivered_ += lane.undelivered;
    if (auto named = name_topics(); !named) return failure(named);
    if (committed && committed->workers_so_far() > 1) {
      if (auto told = tell_order(committed->furthest_line()); !told) return failure(told);
    }
    if (auto read = read_topics(); !read) return failure(read);
    if (interruption::requested()) return interruption::exit_status();
    audit_.find_orphans();
    if (!source_.empty()) {
      if (!committed) return failure(usage_error(fmt::format("source '{}' has no stored progress of ours", source_)));
      if (auto compared = compare_input(*committed); !compared) return failure(compared);
    }
    if (trouble_) return failure(*trouble_);
    print();
    return violations() > 0 ? ExitStatus::rejected : ExitStatus::committed;
  }

 private:
  // Trouble is kept for later: the audit asks in the middle of its work.
  std::optional<Progress> stored_progress(const std::string& source) {
    auto progress = Progress::read(*stores_.database, source);
    if (progress && progress->is_stored()) return *std::move(progress);
    // Another program's text is no progress of ours.
    if (!progress && progress.error().code != ErrorCode::invalid_argument) trouble_ = progress.error();
    return std::nullopt;
  }

  std::optional<Position> progress(const std::string& source) {
    const auto stored = stored_progress(source);
    if (!stored) return std::nullopt;
    Position position = stored->start();
    position.mark.line = stored->furthest_line();
    position.workers = stored->workers_so_far();
    return position;
  }

  // Which topics to read: those asked for, else those that the input names, else all. An input of load names none, so
  // that it comes with the one that it went to.
  Result<void> name_topics() {
    wanted_.insert(options_.topics.begin(), options_.topics.end());
    incomplete_ = !wanted_.empty() && (source_.empty() || options_.format == InputOf::apply);
    if (source_.empty() || options_.format != InputOf::apply || options_.input == "-") return {};
    auto reader = open_input();
    if (!reader) return failure(reader);
    std::set<std::string, std::less<>> named;
    Block block;
    ApplyTranslator translator;
    do {
      if (auto filled = reader->fill(block); !filled) return filled;
      for (const RawRecord& record : block.records) {
        Arena arena;
        PlannedUnit planned;
        translator.translate(record.text, arena, planned);
        for (const PlannedEvent& event : planned.events) {
          if (!named.contains(event.topic)) named.emplace(event.topic);
        }
      }
    } while (!block.records.empty());
    if (wanted_.empty()) wanted_ = named;
    incomplete_ = !std::includes(wanted_.begin(), wanted_.end(), named.begin(), named.end());
    all_topics_ = false;
    return {};
  }

  [[nodiscard]] bool wanted(const ports::TopicInfo& topic) const {
    if (topic.name.starts_with(ledger_prefix) || topic.name == ledger_topic_) return false;
    return (wanted_.empty() && all_topics_) || wanted_.contains(topic.name);
  }

  Result<void> read_topics() {
    const auto topics = stores_.stream->topics();
    if (!topics) return failure(topics);
    const auto deadline = std::chrono::steady_clock::now() + ports::committed_bounds_patience;
    for (const ports::TopicInfo& topic : *topics) {
      if (!wanted(topic)) continue;
      ++topics_;
      for (std::int32_t partition = 0; partition < topic.partitions; ++partition) {
        if (auto read = read_partition(topic, partition, deadline); !read) return read;
      }
    }
    return {};
  }

  Result<void> read_partition(const ports::TopicInfo& topic, std::int32_t partition, ports::Deadline deadline) {
    const auto bounds = ports::committed_bounds(*stores_.stream, topic.name, partition, deadline);
    if (!bounds) return failure(bounds);
    if (topic.compacted || bounds->begin > 0) incomplete_ = true;
    const auto reader =
        stores_.stream->reader({{topic.name, partition, ports::offset_beginning}}, ports::Isolation::read_committed);
    if (!reader) return failure(reader);
    while (!interruption::requested()) {
      const auto position = (*reader)->position(topic.name, partition);
      if (!position) return failure(position);
      if (*position >= bounds->end) return {};
      const auto records = (*reader)->poll(verified_at_once_max, std::chrono::steady_clock::now() + poll_patience);
      if (!records) return failure(records);
      for (const ports::StoredRecord& record : *records) {
        if (record.offset < bounds->end) audit_.see(record);
      }
      const auto after = (*reader)->position(topic.name, partition);
      if (records->empty() && after && *after == *position) {
        return failure(Error{ErrorCode::timeout,
                             Side::stream,
                             Effect::no,
                             true,
                             fmt::format("{} partition {} cannot be read up to offset {}; try again", topic.name,
                                         partition, bounds->end),
                             {}});
      }
    }
    return {};
  }

  Result<RecordReader> open_input() const {
    auto input = InputFile::open(options_.input);
    if (!input) return failure(input);
    std::unique_ptr<RecordSplitter> splitter = std::make_unique<LineSplitter>();
    if (options_.format == InputOf::csv) splitter = std::make_unique<CsvSplitter>();
    RecordReader reader(*std::move(input), std::move(splitter), std::size_t{1} << 30);
    if (options_.format == InputOf::csv) {
      if (auto header = reader.take_first(); !header) return failure(header);
    }
    return reader;
  }

  // Several workers keep the order of each ordering key: which lines have the same one?
  Result<void> tell_order(std::uint64_t furthest_line) {
    if (options_.format != InputOf::apply) {
      audit_.order_by_event_key(source_);
      return {};
    }
    auto reader = open_input();
    if (!reader) return failure(reader);
    std::vector<std::uint64_t> keys;
    Block block;
    ApplyTranslator translator;
    while (reader->mark().line < furthest_line) {
      if (auto filled = reader->fill(block); !filled) return filled;
      if (block.records.empty()) break;
      for (const RawRecord& record : block.records) {
        Arena arena;
        PlannedUnit planned;
        translator.translate(record.text, arena, planned);
        keys.resize(record.line + 1);
        if (!planned.ordering_key.empty()) keys[record.line] = sum_with(Mark{}.sum, planned.ordering_key);
      }
    }
    audit_.order_by_line(source_, std::move(keys));
    return {};
  }

  // Reads the input again, up to where it is committed, and looks for the events of each unit. Behind the place where
  // several workers began, each of them is done with its own units up to a place of its own.
  Result<void> compare_input(const Progress& committed) {
    auto opened = open_input();
    if (!opened) return failure(opened);
    RecordReader& reader = *opened;
    const Mark& whole = committed.start().mark;
    Dealer dealer(committed.start().units, workers_of(committed));
    Block block;
    ApplyTranslator translator;
    bool same = whole.offset <= reader.mark().offset;
    bool over = false;
    while (!over) {
      over = reader.mark().offset >= whole.offset && dealer.has_caught_up();
      if (over) break;
      if (auto filled = reader.fill(block); !filled) return filled;
      if (block.records.empty()) break;
      for (const RawRecord& record : block.records) {
        Arena arena;
        PlannedUnit planned = planned_of(record, arena, translator);
        if (record.after.offset <= whole.offset) {
          if (record.after.offset == whole.offset) same = record.after.sum == whole.sum;
          compare_unit(planned);
        } else if (over = dealer.has_caught_up(); over) {
          break;
        } else if (!dealer.deal(planned)) {
          compare_unit(planned);
        }
      }
    }
    if (!same || !dealer.has_caught_up() || dealer.changed_line()) {
      return failure(usage_error(fmt::format("{} is not the input that was applied as source '{}' up to line {}",
                                             options_.input, source_, committed.furthest_line())));
    }
    if (undelivered_ == 0 && !incomplete_) audit_.finish_input(source_, committed.rejected());
    return {};
  }

  // A single one has passed everything that counts.
  [[nodiscard]] std::vector<WorkerPosition> workers_of(const Progress& committed) const {
    if (options_.format == InputOf::apply && committed.workers().size() > 1) return committed.workers();
    WorkerPosition single;
    single.units = committed.start().units;
    return {single};
  }

  PlannedUnit planned_of(const RawRecord& record, Arena& arena, ApplyTranslator& translator) const {
    PlannedUnit planned;
    planned.line = record.line;
    planned.text = record.text;
    if (options_.format == InputOf::apply) translator.translate(record.text, arena, planned);
    return planned;
  }

  void compare_unit(const PlannedUnit& planned) {
    if (incomplete_) return;
    StreamAudit::InputUnit unit{planned.line, {}};
    std::size_t index = 0;
    for (const PlannedEvent& event : planned.events) {
      unit.ids.push_back(event.id ? std::string(*event.id) : fmt::format("{}.{}", planned.line, index));
      ++index;
    }
    // Of load each record has an event. A refused one was refused when it was applied, too: the progress counts it among the
    // rejected.
    if (options_.format != InputOf::apply || planned.refusal) unit.ids.push_back(fmt::format("{}.0", planned.line));
    audit_.compare(source_, unit);
  }

  [[nodiscard]] std::uint64_t violations() const {
    std::uint64_t sum = 0;
    for (std::size_t kind = 0; kind < violation_names.size(); ++kind) {
      if (kind == static_cast<std::size_t>(Violation::duplicate) && options_.allow_duplicates) continue;
      sum += audit_.count(static_cast<Violation>(kind));
    }
    return sum;
  }

  [[nodiscard]] std::string note() const {
    if (undelivered_ > 0) {
      return fmt::format("{} undelivered units: lost events are not judged; run 'write-aside recover' and verify again",
                         undelivered_);
    }
    if (incomplete_)
      return "not all records are here to be read (--topic, a compacted topic, or one that dropped its oldest): lost "
             "and torn are not judged";
    if (unfinished_workers_ > 0) {
      return fmt::format(
          "an unfinished load with {} workers: what it has done so far is not judged for lost and torn; "
          "run it to its end and verify again",
          unfinished_workers_);
    }
    if (audit_.order_unknown() > 0) {
      return fmt::format("{} events were applied by several workers: name their input to have their order judged",
                         audit_.order_unknown());
    }
    if (source_.empty()) return "name an input and its --source to have lost and torn judged";
    if (options_.format != InputOf::apply && audit_.count(Violation::lost) > 0) {
      return fmt::format("this is so if {} was loaded into the topics that --topic names, and into no other",
                         options_.input);
    }
    return {};
  }

  void print() const {
    if (options_.json) {
      fmt::print("{}", to_line(to_json()));
      return;
    }
    for (const std::string& text : audit_.texts()) fmt::print("{}\n", printable(text));
    fmt::print("{} events in {} topics:", audit_.events(), topics_);
    for (std::size_t kind = 0; kind < violation_names.size(); ++kind) {
      fmt::print("{} {} {}", kind == 0 ? "" : ",", audit_.count(static_cast<Violation>(kind)), violation_names[kind]);
    }
    fmt::print("\n");
    if (const std::string text = note(); !text.empty()) fmt::print("note: {}\n", text);
  }

  [[nodiscard]] Json to_json() const {
    Json object;
    object["ok"] = violations() == 0;
    object["topics"] = topics_;
    object["events"] = audit_.events();
    object["foreign"] = audit_.foreign();
    object["undelivered"] = undelivered_;
    for (std::size_t kind = 0; kind < violation_names.size(); ++kind) {
      object[std::string(violation_names[kind])] = audit_.count(static_cast<Violation>(kind));
    }
    object["sources"] = audit_.sources();
    object["violations"] = audit_.texts();
    object["note"] = note();
    return object;
  }

  const VerifyOptions& options_;
  const Stores& stores_;
  std::string ledger_topic_;
  StreamAudit audit_;
  std::string source_;
  std::optional<Error> trouble_;
  std::uint64_t undelivered_ = 0;
  std::size_t topics_ = 0;
  std::uint32_t unfinished_workers_ = 0;
  std::set<std::string, std::less<>> wanted_;
  bool all_topics_ = true;
  bool incomplete_ = false;
};

}  // namespace

void add_verify(Command program, Invocation& invocation) {
  Command command = program.command("verify", "Audit the stream against the database and, if given, an input");
  auto options = std::make_shared<VerifyOptions>();
  command.text("FILE", options->input, "", "Input that was applied or loaded, to look for the events of each unit");
  command.text("--source", options->source, "NAME", "Its name; default: the file's absolute path");
  command.choice("--format", options->format,
                 {{"apply", InputOf::apply}, {"jsonl", InputOf::jsonl}, {"csv", InputOf::csv}}, "apply|jsonl|csv",
                 "Input of apply (default), or of load: jsonl or csv");
  command.texts("--topic", options->topics, "TOPIC",
                "Only this topic; may be given several times (default: those of FILE, else all; an input of "
                "load needs it)");
  command.flag("--allow-duplicates", options->allow_duplicates, "Repeated ids are no violation (at_least_once)");
  command.flag("--json", options->json, "One JSON object");
  command.footer(R"help(
  lost          a committed unit has no event (needs FILE)
  torn          a unit has some of its events (needs FILE)
  orphan        an event of a unit that the database never committed
  duplicate     two events with the same ce_source and ce_id
  out_of_order  events of one input stand in another order in a partition; where several
                workers applied it, events with the same ordering key (needs FILE)
Reads the topics that FILE names, else every topic of the stream: of a shared cluster choose
with --topic. An input of load does not name its topic: give the --topic that load was given.
Each is read once, as a read_committed consumer; keeps about 40 bytes an event.
Exit status 1 if there is a violation.

Examples:
  write-aside verify orders.jsonl
  write-aside verify customers.csv --format csv --topic customers
)help");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options]() -> Result<ExitStatus> {
      const auto stores = open_stores(invocation.settings);
      if (!stores) return failure(stores);
      if (!options->source.empty() && options->input.empty()) return failure(usage_error("--source goes with FILE"));
      if (!options->input.empty() && options->format != InputOf::apply && options->topics.empty()) {
        return failure(
            usage_error("an input of load does not name its topic; give verify the --topic that load was given"));
      }
      return Verify(*options, *stores, invocation.settings.ledger_topic).run();
    };
  });
}

}  // namespace write_aside::cli
