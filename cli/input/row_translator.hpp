// The input of `load`: each record becomes one row and one event about it.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "input/csv.hpp"
#include "input/insert_text.hpp"
#include "input/json_text.hpp"
#include "input/translator.hpp"

namespace write_aside::cli {

struct RowTarget {
  Dialect dialect;
  std::string table;
  std::string topic;
  std::string key;   // the column whose value is the event's key
  std::string type;  // of the event
  bool upsert = false;
};

// A JSON object a line: its fields are the columns, and it is the event's value as it was written.
class JsonRowTranslator final : public Translator {
 public:
  explicit JsonRowTranslator(RowTarget target) : target_(std::move(target)) {}
  void translate(std::string_view text, Arena& arena, PlannedUnit& unit) override;

 private:
  [[nodiscard]] bool row(std::string_view text, Arena& arena, PlannedUnit& unit);
  [[nodiscard]] std::optional<std::string_view> key_text(const JsonText::Field& field, const Parameter& value,
                                                         std::string_view token, Arena& arena);
  // The INSERT for the columns of this record.
  [[nodiscard]] std::string_view insert(Arena& arena);

  RowTarget target_;
  JsonText json_;
  std::vector<std::string_view> columns_;
  std::vector<Parameter> parameters_;
  std::string column_set_;
  std::unordered_map<std::string, std::string> inserts_;  // by column set
};

// A CSV record: the header names the columns; the event's value is a JSON object of strings.
class CsvRowTranslator final : public Translator {
 public:
  // `header`: the first record. `null_text`: a field written so, without quotes, is NULL; none: no field is.
  [[nodiscard]] static Result<std::unique_ptr<CsvRowTranslator>> make(RowTarget target, const std::string& input_name,
                                                                      const std::string& header,
                                                                      std::optional<std::string> null_text);
  void translate(std::string_view text, Arena& arena, PlannedUnit& unit) override;

  // Used by make().
  CsvRowTranslator(RowTarget target, std::optional<std::string> null_text);

 private:
  [[nodiscard]] std::optional<Refusal> row(std::string_view text, Arena& arena, PlannedUnit& unit);
  [[nodiscard]] bool is_null(const CsvField& field) const;

  RowTarget target_;
  std::optional<std::string> null_text_;
  std::vector<std::string> columns_;
  std::vector<std::string> json_names_;  // the columns as JSON strings
  std::size_t key_index_ = 0;
  std::string insert_;
  std::vector<CsvField> fields_;
  std::vector<Parameter> parameters_;
  std::string value_;
};

}  // namespace write_aside::cli
