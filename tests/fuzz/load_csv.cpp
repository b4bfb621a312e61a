// The input of `load` in CSV: each record is refused with its place, or has the fields that a plain reading of RFC 4180
// finds in it; whatever the header names, they are columns and nothing else.
#include <nlohmann/json.hpp>
#include <optional>

#include "fuzz/fuzz.hpp"
#include "fuzz/input.hpp"
#include "fuzz/load_table.hpp"

namespace {

using namespace write_aside;
using fuzz::require;

struct Field {
  std::string text;
  bool quoted = false;
};

// RFC 4180, letter by letter. None: not CSV.
std::optional<std::vector<Field>> plain_reading(std::string_view record) {
  std::vector<Field> fields(1);
  enum { begin, plain, quoted, closed } state = begin;
  for (const char letter : record) {
    if (state == quoted) {
      if (letter == '"') {
        state = closed;
      } else {
        fields.back().text += letter;
      }
    } else if (letter == ',') {
      fields.emplace_back();
      state = begin;
    } else if (letter == '"' && state == begin) {
      fields.back().quoted = true;
      state = quoted;
    } else if (letter == '"' && state == closed) {
      fields.back().text += letter;
      state = quoted;
    } else if (letter == '"' || state == closed) {
      return std::nullopt;
    } else {
      fields.back().text += letter;
      state = plain;
    }
  }
  return state == quoted ? std::nullopt : std::optional(fields);
}

class Loading {
 public:
  void header(const std::string& text) {
    auto made = cli::CsvRowTranslator::make(fuzz::load_target(text.size() % 2 == 0), "orders.csv", text, "NULL");
    const auto fields = plain_reading(text);
    if (!made) {
      fuzz::require_clear(made.error());
      require(made.error().message.starts_with("orders.csv:"), "a header that is refused has its place");
      return;
    }
    require(fields.has_value(), "a header that is taken is CSV", text);
    for (const Field& field : *fields) columns_.push_back(field.text);
    translator_ = *std::move(made);
  }
  void record(const cli::RawRecord& record) {
    if (translator_ == nullptr) return;
    fuzz::translate(*translator_, record, [this](const cli::PlannedUnit& unit) { compare(unit); });
  }

 private:
  void compare(const cli::PlannedUnit& unit) {
    const auto fields = plain_reading(unit.text);
    const auto parameters = unit.statements[0].parameters;
    require(fields && fields->size() == columns_.size() && parameters.size() == columns_.size(), "all fields",
            unit.text);
    const auto value = nlohmann::json::parse(unit.events[0].value.value());
    require(value.size() == columns_.size(), "the event has every column");
    for (std::size_t index = 0; index < columns_.size(); ++index) {
      const Field& field = (*fields)[index];
      const bool null = !field.quoted && field.text == "NULL";
      require(null ? fuzz::holds(parameters[index], std::monostate())
                   : fuzz::holds(parameters[index], std::string_view(field.text)),
              "each field is a parameter", unit.text);
      const auto& member = value.at(columns_[index]);
      require(null ? member.is_null() : member == field.text, "each field is in the event", unit.text);
      if (columns_[index] == "id") require(unit.events[0].key == field.text, "the event's key");
    }
    static fuzz::LoadTable table;
    if (table.make(columns_)) table.insert(unit);
  }

  std::unique_ptr<cli::CsvRowTranslator> translator_;
  std::vector<std::string> columns_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Loading loading;
  fuzz::read_records(
      fuzz::text_of(data, size), std::make_unique<cli::CsvSplitter>(), true,
      [&](const std::string& header) { loading.header(header); },
      [&](const cli::RawRecord& record) { loading.record(record); });
  return 0;
}
