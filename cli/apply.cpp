#include "command.hpp"
#include "input/apply_translator.hpp"
#include "job/ingest.hpp"

namespace write_aside::cli {

void add_apply(Command program, Invocation& invocation) {
  Command command = program.command("apply", "Run units of work from a file or a pipe, each atomically, resumably");
  auto options = std::make_shared<JobOptions>();
  add_job_options(command, *options);
  command.footer(R"help(
Each input line is one unit of work, a JSON object (here on three lines):
  {"statements":[{"sql":"insert into orders values (?, ?)","params":[17,"new"]}],
   "events":[{"topic":"orders","key":"17","type":"order.created","value":{"id":17}}],
   "ordering_key":"17"}
Its rows and its events take effect together or not at all.
  statements  sql (placeholders are the database's own) and params: null, true, false,
              numbers, strings; arrays and objects are bound as JSON text
  events      topic, type, and value (any JSON, sent as written; null: a tombstone) or
              value_base64 (bytes); optional key, id, content_type, headers

An event's source is --source and its id LINE.INDEX (INDEX from 0), unless it brings its
own, so a consumer recognises a repeated event. Progress is stored with the rows: after
any interruption the same command goes on behind the last committed unit. Events stay in
the order of the input. Errors name FILE:LINE:COLUMN, in characters, from 1.

With --workers N up to N units, or batches, are under way at once. Units with the same
ordering_key go to the same worker and stay in order; nothing is promised of the order of
others. A run that was interrupted goes on with its number of workers until its input is
done. At a refused unit all workers stop; units behind it may be committed by then.

Examples:
  write-aside apply orders.jsonl --batch 100
  write-aside apply orders.jsonl --workers 8
  generate-orders | write-aside apply --source orders-2024-06 --on-error skip --rejects bad.jsonl
)help");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] {
      const auto make = [](RecordReader&) -> Result<std::unique_ptr<Translator>> {
        return std::make_unique<ApplyTranslator>();
      };
      return ingest(invocation.settings, *options, {std::make_unique<LineSplitter>(), make});
    };
  });
}

}  // namespace write_aside::cli
