// The input of `load` in JSON: each record is refused with its place, or becomes the row and the event that another JSON
// library reads in it; whatever the fields are called, they are columns and nothing else.
#include <nlohmann/json.hpp>

#include "fuzz/fuzz.hpp"
#include "fuzz/input.hpp"
#include "fuzz/load_table.hpp"

namespace {

using namespace write_aside;
using fuzz::require;
using json = nlohmann::ordered_json;

// As `load` binds it.
std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void compare(const cli::PlannedUnit& unit, fuzz::LoadTable& table) {
  const json written = json::parse(unit.text);
  const cli::PlannedEvent& event = unit.events[0];
  require(event.value && json::parse(*event.value) == written, "the event's value is the record");
  require(event.key == text_of(written.at("id")) && unit.ordering_key == *event.key, "the event's key", unit.text);
  std::vector<std::string> columns;
  for (const auto& [name, value] : written.items()) {
    const Parameter& parameter = unit.statements[0].parameters[columns.size()];
    columns.push_back(name);
    if (value.is_null()) {
      require(fuzz::holds(parameter, std::monostate()), "null is NULL");
    } else if (value.is_string()) {
      require(fuzz::holds(parameter, std::string_view(value.get_ref<const std::string&>())), "a string is itself");
    } else if (value.is_boolean()) {
      require(fuzz::holds(parameter, value.get<bool>()), "a boolean is one");
    } else if (value.is_number_integer()) {
      require(fuzz::holds(parameter, value.get<std::int64_t>()), "a whole number is one");
    } else if (value.is_number_float()) {
      require(fuzz::holds(parameter, value.get<double>()), "a number with a point is the nearest double");
    } else {
      const auto* text = std::get_if<std::string_view>(&parameter.storage());
      require(text != nullptr && json::parse(*text) == value, "arrays and objects are their JSON");
    }
  }
  require(columns.size() == unit.statements[0].parameters.size(), "each field is a column");
  if (table.make(columns)) table.insert(unit);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static cli::JsonRowTranslator insert(fuzz::load_target(false));
  static cli::JsonRowTranslator upsert(fuzz::load_target(true));
  static fuzz::LoadTable table;
  fuzz::read_records(fuzz::text_of(data, size), std::make_unique<cli::LineSplitter>(), false, {},
                     [](const cli::RawRecord& record) {
                       const auto see = [](const cli::PlannedUnit& unit) { compare(unit, table); };
                       fuzz::translate(record.line % 2 == 0 ? upsert : insert, record, see);
                     });
  return 0;
}
