// The input of `apply`: each line is refused with its place, or means what another JSON library reads in it.
#include <nlohmann/json.hpp>
#include <optional>

#include "base64.hpp"
#include "fuzz/fuzz.hpp"
#include "fuzz/input.hpp"
#include "input/apply_translator.hpp"

namespace {

using namespace write_aside;
using fuzz::require;
using nlohmann::json;

void compare_parameter(const json& written, const Parameter& parameter) {
  if (written.is_null()) return require(fuzz::holds(parameter, std::monostate()), "null is NULL");
  if (written.is_boolean()) return require(fuzz::holds(parameter, written.get<bool>()), "a boolean is one");
  if (written.is_number_integer()) {
    return require(fuzz::holds(parameter, written.get<std::int64_t>()), "a whole number is one", written.dump());
  }
  if (written.is_number_float()) {
    return require(fuzz::holds(parameter, written.get<double>()), "a number with a point is the nearest double",
                   written.dump());
  }
  const auto* held = std::get_if<std::string_view>(&parameter.storage());
  require(held != nullptr, "everything else is text", written.dump());
  const std::string_view text = *held;
  if (written.is_string()) return require(text == written.get_ref<const std::string&>(), "a string is itself");
  require(json::parse(text) == written, "arrays and objects are their JSON", text);
}

void compare_event(const json& written, const cli::PlannedEvent& event) {
  require(event.topic == written.at("topic").get_ref<const std::string&>(), "the topic");
  require(event.type == written.at("type").get_ref<const std::string&>(), "the type");
  const json key = written.value("key", json());
  require(key.is_null() ? !event.key : event.key == key.get_ref<const std::string&>(), "the key");
  require(written.contains("id") ? event.id == written.at("id").get_ref<const std::string&>() : !event.id, "the id");
  if (written.contains("value_base64")) {
    require(event.value && cli::to_base64(*event.value) == written.at("value_base64").get_ref<const std::string&>(),
            "the bytes");
  } else if (written.at("value").is_null()) {
    require(!event.value, "null is a tombstone");
  } else {
    require(event.value && json::parse(*event.value) == written.at("value"), "the value is the JSON that was written");
  }
  const char* default_type = written.contains("value_base64") ? "application/octet-stream" : "application/json";
  require(event.content_type == written.value("content_type", default_type), "the content type");
  const json headers = written.value("headers", json::object());
  require(headers.size() == event.headers.size(), "each header once");
  for (const cli::PlannedHeader& header : event.headers) {
    require(headers.at(std::string(header.name)).get_ref<const std::string&>() == header.value, "the header");
  }
}

void compare(const cli::PlannedUnit& unit) {
  const json written = json::parse(unit.text);
  require(unit.ordering_key == written.value("ordering_key", ""), "the ordering key");
  const json statements = written.value("statements", json::array());
  const json events = written.value("events", json::array());
  require(statements.size() == unit.statements.size() && events.size() == unit.events.size(), "all of it", unit.text);
  require(!unit.statements.empty() || !unit.events.empty(), "a unit does something");
  for (std::size_t index = 0; index < statements.size(); ++index) {
    const cli::PlannedStatement& statement = unit.statements[index];
    require(statement.sql == statements[index].at("sql").get_ref<const std::string&>(), "the SQL is as written");
    require(statement.at < unit.text.size(), "a statement knows its place");
    const json parameters = statements[index].value("params", json::array());
    require(parameters.size() == statement.parameters.size(), "each parameter once");
    for (std::size_t at = 0; at < parameters.size(); ++at) compare_parameter(parameters[at], statement.parameters[at]);
  }
  for (std::size_t index = 0; index < events.size(); ++index) compare_event(events[index], unit.events[index]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static cli::ApplyTranslator translator;
  fuzz::read_records(fuzz::text_of(data, size), std::make_unique<cli::LineSplitter>(), false, {},
                     [](const cli::RawRecord& record) { fuzz::translate(translator, record, compare); });
  return 0;
}
