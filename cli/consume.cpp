#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "command.hpp"
#include "consume/statement_handler.hpp"
#include "interruption.hpp"
#include "job/report.hpp"
#include "json_output.hpp"
#include "open_coordinator.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct ConsumeOptions {
  ConsumerOptions consumer;
  std::vector<std::string> statements;
  std::vector<std::string> tombstone_statements;
  std::uint32_t workers = 1;
  bool until_end = false;
  bool json = false;
  bool quiet = false;
};

ConsumerProgress operator+(ConsumerProgress left, const ConsumerProgress& right) {
  left.applied += right.applied;
  left.duplicates += right.duplicates;
  left.outdated += right.outdated;
  left.parked += right.parked;
  left.transactions += right.transactions;
  left.partitions += right.partitions;
  left.lag += right.lag;
  return left;
}

std::string to_json_text(const ConsumerProgress& progress, double seconds) {
  Json object;
  object["applied"] = progress.applied;
  object["duplicates"] = progress.duplicates;
  object["outdated"] = progress.outdated;
  object["parked"] = progress.parked;
  object["transactions"] = progress.transactions;
  object["lag"] = progress.lag;
  object["seconds"] = seconds;
  object["events_per_second"] = seconds > 0 ? static_cast<double>(progress.applied) / seconds : 0;
  return to_line(object);
}

std::string to_sentence(const ConsumerProgress& progress, double seconds) {
  std::string text = fmt::format("{} events applied in {:.2f} s ({:.0f}/s)", grouped(progress.applied), seconds,
                                 seconds > 0 ? static_cast<double>(progress.applied) / seconds : 0.0);
  if (progress.duplicates > 0) text += fmt::format(", {} had been applied before", grouped(progress.duplicates));
  if (progress.outdated > 0) text += fmt::format(", {} were outdated", grouped(progress.outdated));
  if (progress.parked > 0) text += fmt::format(", {} parked", grouped(progress.parked));
  return text;
}

// The workers: each a member of the group, on a thread of its own.
class Workers {
 public:
  Workers(Coordinator& coordinator, const ConsumeOptions& options, const EventStatements& statements)
      : coordinator_(coordinator), options_(options), statements_(statements) {}
  ~Workers() {
    stop();
    for (std::thread& thread : threads_) thread.join();
  }

  [[nodiscard]] Result<void> start() {
    for (std::uint32_t number = 0; number < options_.workers; ++number) {
      ConsumerOptions consumer = options_.consumer;
      if (!consumer.instance.empty() && options_.workers > 1) consumer.instance += fmt::format("-{}", number);
      auto opened = Consumer::open(coordinator_, std::move(consumer));
      if (!opened) return failure(opened);
      consumers_.push_back(*std::move(opened));
    }
    running_ = options_.workers;
    for (const auto& consumer : consumers_) {
      threads_.emplace_back([this, worker = consumer.get()] { work(*worker); });
    }
    return {};
  }
  void stop() {
    for (const auto& consumer : consumers_) consumer->stop();
  }
  [[nodiscard]] bool running() const { return running_ > 0; }
  [[nodiscard]] ConsumerProgress progress() const {
    ConsumerProgress sum;
    for (const auto& consumer : consumers_) sum = sum + consumer->progress();
    return sum;
  }
  // The first one, once none is running.
  [[nodiscard]] std::optional<Error> error() {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  void work(Consumer& consumer) {
    StatementHandler handler(statements_);
    const auto handle = [&handler](UnitOfWork& unit, std::span<const ReceivedEvent> events) {
      return handler(unit, events);
    };
    const auto done = options_.until_end ? consumer.run_to_end(handle) : consumer.run(handle);
    if (!done) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = done.error();
    }
    if (!done) stop();
    --running_;
  }

  Coordinator& coordinator_;
  const ConsumeOptions& options_;
  const EventStatements& statements_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::atomic<std::uint32_t> running_ = 0;
  std::mutex mutex_;
  std::optional<Error> error_;
  std::vector<std::thread> threads_;
};

Result<EventStatements> parse_statements(const ConsumeOptions& options, const Dialect& dialect) {
  EventStatements statements;
  for (const std::string& text : options.statements) {
    auto parsed = EventStatement::parse(text, dialect);
    if (!parsed) return failure(parsed);
    statements.each.push_back(*std::move(parsed));
  }
  for (const std::string& text : options.tombstone_statements) {
    auto parsed = EventStatement::parse(text, dialect);
    if (!parsed) return failure(parsed);
    statements.tombstone.push_back(*std::move(parsed));
  }
  return statements;
}

Result<ExitStatus> run_consume(const Settings& settings, const ConsumeOptions& options) {
  const auto dialect = dialect_of(settings.database);
  if (!dialect) return failure(dialect);
  const auto statements = parse_statements(options, *dialect);
  if (!statements) return failure(statements);
  const auto stores = open_stores(settings);
  if (!stores) return failure(stores);
  CoordinatorOptions coordinator_options;
  coordinator_options.ledger_topic = settings.ledger_topic;
  coordinator_options.lanes_max = 1;
  // Statements publish nothing: without a dead-letter topic there is nothing for a lane to do.
  if (options.consumer.dead_letter_topic.empty()) coordinator_options.guarantee = Guarantee::at_least_once;
  const auto coordinator = open_coordinator(*stores, coordinator_options);
  if (!coordinator) return failure(coordinator);

  const auto begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  ConsumerProgress progress;
  std::optional<Error> error;
  {
    Workers workers(**coordinator, options, *statements);
    if (auto started = workers.start(); !started) return failure(started);
    auto next_report = begin + 5s;
    while (workers.running()) {
      interruption::wait_for(50ms);
      if (interruption::requested()) {
        workers.stop();
        std::this_thread::sleep_for(10ms);  // nothing interrupts the waiting any more
      }
      if (options.quiet || Clock::now() < next_report) continue;
      next_report += 5s;
      const ConsumerProgress now = workers.progress();
      fmt::print(stderr, "{}; {} partitions, lag {}\n", to_sentence(now, seconds()), now.partitions,
                 grouped(static_cast<std::uint64_t>(now.lag)));
    }
    progress = workers.progress();
    error = workers.error();
  }
  if (options.json) {
    fmt::print("{}", to_json_text(progress, seconds()));
  } else if (!options.quiet) {
    fmt::print(stderr, "{}\n", to_sentence(progress, seconds()));
  }
  if (error) {
    // An event that cannot be read is no mistake of the command line.
    if (error->code == ErrorCode::invalid_argument) error->code = ErrorCode::statement;
    return failure(*error);
  }
  return interruption::requested() ? interruption::exit_status() : ExitStatus::committed;
}

}  // namespace

void add_consume(Command program, Invocation& invocation) {
  using Start = ConsumerOptions::Start;
  using OnFailure = ConsumerOptions::OnFailure;
  using Followers = ConsumerOptions::Followers;
  Command command = program.command("consume", "Apply each event of topics to the database, exactly once");
  auto options = std::make_shared<ConsumeOptions>();
  ConsumerOptions& consumer = options->consumer;
  command.texts("TOPIC", consumer.topics, "", "Topics").required();
  command.text("--name", consumer.name, "NAME", "The consumer: positions and inbox belong to it; several runs share it")
      .required();
  command.texts("--sql", options->statements, "SQL", "Statement to run for each event; may be given several times")
      .required();
  command.texts("--tombstone-sql", options->tombstone_statements, "SQL",
                "What to run instead for an event without a value; may be given several times");
  command.choice("--from", consumer.start, {{"beginning", Start::beginning}, {"end", Start::end}}, "beginning|end",
                 "Where a partition without a position begins: beginning (default), end");
  command.choice("--on-error", consumer.on_failure, {{"stop", OnFailure::stop}, {"park", OnFailure::park}}, "stop|park",
                 "At an event that cannot be applied: stop (default), or park it and go on");
  command.choice("--followers", consumer.followers, {{"wait", Followers::wait}, {"park", Followers::park}}, "wait|park",
                 "With park: later events of the same key wait for it (default), or are parked too");
  command.text("--dead-letter", consumer.dead_letter_topic, "TOPIC", "With park: publish parked events to this topic");
  command.flag("--strictly-increasing", consumer.strictly_increasing,
               "Pass over an event whose key a later unit of the same lane has changed");
  command.number("--batch", consumer.batch_max, {1, 10'000}, "N", "Events in one transaction, at most (default 500)");
  command.number("--workers", options->workers, {1, 64}, "N", "Members of the group in this process (default 1)");
  command.text("--instance", consumer.instance, "NAME",
               "Name of this process in the group, the same after a restart (static membership)");
  command.text("--identity-header", consumer.identity_header, "NAME",
               "Header that identifies an event (default: ce_source and ce_id, else its offset)");
  command.seconds("--retry-for", consumer.retry_for, {0, 86'400}, "SECONDS",
                  "Try an event again this long before it stops the consumer (default 30)");
  command.seconds("--session-timeout", consumer.session_timeout, {1, 3'600}, "SECONDS",
                  "A member of the group that is silent for longer is replaced (default 10)");
  command.flag("--until-end", options->until_end, "Stop where the topics ended at the start");
  command.flag("--json", options->json, "Report as a JSON object, the last line on stdout");
  command.flag("--quiet,-q", options->quiet, "Neither progress nor report; errors only");
  command.footer(R"help(
The statements' effect, the event's entry in the inbox and the position in the stream are
one transaction: no crash, rebalance or redelivery applies an event twice or not at all.

In the SQL, names stand for parts of the event and are bound as parameters:
  :key  :value  :type  :id  :source  :topic  :partition  :offset  :timestamp_ms
  :value.FIELD.FIELD, :value.LIST.0   a part of a JSON value
  :header.NAME                        a header
  :{header.content-type}              any name with other characters
  :value.note?                        NULL where it is missing
  :key_bytes  :value_bytes            as bytes
An event that lacks a part, or that a statement refuses, stops the consumer with nothing of
it applied; the next run goes on with that event. With --on-error park it is kept in the
database, and other keys go on; see 'write-aside parked --help'. Run as many as there are partitions:
they divide the work, and one that dies is replaced.

Examples:
  write-aside consume orders --name totals --sql "insert into totals values (:key, :value.amount)
      on conflict (customer) do update set amount = totals.amount + excluded.amount"
  write-aside consume shop.public.outbox --name search --identity-header id --workers 4 \
      --sql "insert into found values (:id, :value)"
)help");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] { return run_consume(invocation.settings, *options); };
  });
}

}  // namespace write_aside::cli
