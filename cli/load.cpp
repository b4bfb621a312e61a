#include "command.hpp"
#include "input/row_translator.hpp"
#include "job/ingest.hpp"

namespace write_aside::cli {
namespace {

enum class Format { by_name, jsonl, csv };

struct LoadOptions {
  JobOptions job;
  RowTarget target;
  Format format = Format::by_name;
  std::optional<std::string> null_text;
};

bool is_csv(const LoadOptions& options) {
  if (options.format != Format::by_name) return options.format == Format::csv;
  return options.job.input.ends_with(".csv");
}

InputFormat csv_format(const RowTarget& target, const std::optional<std::string>& null_text) {
  const auto make = [target, null_text](RecordReader& reader) -> Result<std::unique_ptr<Translator>> {
    const auto header = reader.take_first();
    if (!header) return failure(header);
    if (!*header) return failure(usage_error(reader.input().name() + ": empty input, nothing to do"));
    auto made = CsvRowTranslator::make(target, reader.input().name(), **header, null_text);
    if (!made) return failure(made);
    return std::unique_ptr<Translator>(*std::move(made));
  };
  return {std::make_unique<CsvSplitter>(), make};
}

InputFormat jsonl_format(const RowTarget& target) {
  const auto make = [target](RecordReader&) -> Result<std::unique_ptr<Translator>> {
    return std::make_unique<JsonRowTranslator>(target);
  };
  return {std::make_unique<LineSplitter>(), make};
}

Result<ExitStatus> load(const Settings& settings, const LoadOptions& options) {
  auto dialect = dialect_of(settings.database);
  if (!dialect) return failure(dialect);
  RowTarget target = options.target;
  target.dialect = *dialect;
  if (target.type.empty()) target.type = target.table + (target.upsert ? ".upserted" : ".inserted");
  if (is_csv(options)) return ingest(settings, options.job, csv_format(target, options.null_text));
  if (options.null_text) return failure(usage_error("--null goes with CSV; JSON has null"));
  return ingest(settings, options.job, jsonl_format(target));
}

}  // namespace

void add_load(Command program, Invocation& invocation) {
  Command command = program.command("load", "Turn each JSON object or CSV record into one row and one event about it");
  auto options = std::make_shared<LoadOptions>();
  command.text("--table", options->target.table, "TABLE", "Table that takes the rows; SCHEMA.TABLE for one in a schema")
      .required();
  command.text("--topic", options->target.topic, "TOPIC", "Topic that takes the events").required();
  command.text("--key", options->target.key, "COLUMN", "Column whose value is the event's key").required();
  command.flag("--upsert", options->target.upsert,
               "Replace a row with the same --key, which must be unique in the table");
  command.text("--type", options->target.type, "TYPE", "Type of the events (default TABLE.inserted or TABLE.upserted)");
  command.choice("--format", options->format, {{"jsonl", Format::jsonl}, {"csv", Format::csv}}, "jsonl|csv",
                 "jsonl or csv (default: csv for a FILE named *.csv, else jsonl)");
  command.text("--null", options->null_text, "TEXT",
               "CSV: an unquoted field with this text is NULL (default: none is)");
  add_job_options(command, options->job);
  command.footer(R"(JSONL: the fields of each object are the columns, and the object is the event's value.
CSV (RFC 4180, UTF-8): the first record names the columns; the event's value is an object
of strings. An empty field is an empty string.
Progress, batches, workers, errors and order are as with 'apply'; --key is the ordering key.

Examples:
  write-aside load --table customers --topic customers --key id customers.csv --batch 100
  write-aside load --table stock --topic stock --key sku --upsert stock.jsonl
)");
  command.when_chosen([&invocation, options] {
    invocation.run = [&invocation, options] { return load(invocation.settings, *options); };
  });
}

}  // namespace write_aside::cli
