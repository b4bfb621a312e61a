#include "input/apply_translator.hpp"

#include <gtest/gtest.h>

#include "unit/cli_translation.hpp"

namespace write_aside::cli {
namespace {

std::string refusal_of(const std::string& record) {
  ApplyTranslator translator;
  return Translated(translator, record).refusal();
}

std::string with_event(const std::string& event) { return R"({"events":[)" + event + "]}"; }

TEST(ApplyTranslator, ReadsStatementsEventsAndOrderingKey) {
  ApplyTranslator translator;
  const Translated made(
      translator,
      R"json({"statements":[{"sql":"insert into t values (?,?)","params":[17,"né\u0077"]}],)json"
      R"("events":[{"topic":"orders","key":"17","type":"created","value":{"id": 17 },"headers":{"region":"eu"}}],)"
      R"("ordering_key":"k"})");
  ASSERT_EQ(made.refusal(), "");
  ASSERT_EQ(made.unit.statements.size(), 1u);
  EXPECT_EQ(made.unit.statements[0].sql, "insert into t values (?,?)");
  ASSERT_EQ(made.unit.statements[0].parameters.size(), 2u);
  EXPECT_EQ(std::get<std::int64_t>(made.unit.statements[0].parameters[0].storage()), 17);
  EXPECT_EQ(std::get<std::string_view>(made.unit.statements[0].parameters[1].storage()), "néw");
  ASSERT_EQ(made.unit.events.size(), 1u);
  const PlannedEvent& event = made.unit.events[0];
  EXPECT_EQ(event.topic, "orders");
  EXPECT_EQ(event.key, "17");
  EXPECT_EQ(event.value, R"({"id": 17 })") << "the value is sent as it was written";
  EXPECT_EQ(event.content_type, "application/json");
  ASSERT_EQ(event.headers.size(), 1u);
  EXPECT_EQ(event.headers[0].value, "eu");
  EXPECT_EQ(made.unit.ordering_key, "k");
}

TEST(ApplyTranslator, BindsEveryKindOfParameter) {
  ApplyTranslator translator;
  const Translated made(
      translator,
      R"({"statements":[{"params":[null,true,false,-9223372036854775808,1.5,1.0,[1, {"a":2}],{"b":[]}],"sql":"select 1"}]})");
  ASSERT_EQ(made.refusal(), "");
  const auto parameters = made.unit.statements[0].parameters;
  ASSERT_EQ(parameters.size(), 8u);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(parameters[0].storage()));
  EXPECT_EQ(std::get<bool>(parameters[1].storage()), true);
  EXPECT_EQ(std::get<bool>(parameters[2].storage()), false);
  EXPECT_EQ(std::get<std::int64_t>(parameters[3].storage()), INT64_MIN);
  EXPECT_EQ(std::get<double>(parameters[4].storage()), 1.5);
  EXPECT_EQ(std::get<double>(parameters[5].storage()), 1.0);
  EXPECT_EQ(std::get<std::string_view>(parameters[6].storage()), R"([1, {"a":2}])");
  EXPECT_EQ(std::get<std::string_view>(parameters[7].storage()), R"({"b":[]})");
}

TEST(ApplyTranslator, SendsScalarsBytesAndTombstones) {
  ApplyTranslator translator;
  const Translated made(translator,
                        R"({"events":[{"topic":"t","type":"a","value":"x\n"},{"topic":"t","type":"a","value":null},)"
                        R"({"topic":"t","type":"a","value_base64":"AP8="},)"
                        R"({"topic":"t","type":"a","value":1234567890123456789012345 , "key":null}]})");
  ASSERT_EQ(made.refusal(), "");
  ASSERT_EQ(made.unit.events.size(), 4u);
  EXPECT_EQ(made.unit.events[0].value, R"("x\n")");
  EXPECT_FALSE(made.unit.events[1].value.has_value());
  EXPECT_EQ(made.unit.events[2].value, std::string_view("\x00\xFF", 2));
  EXPECT_EQ(made.unit.events[2].content_type, "application/octet-stream");
  EXPECT_EQ(made.unit.events[3].value, "1234567890123456789012345")
      << "a number too large for a parameter is still a value";
}

TEST(ApplyTranslator, RefusesBadJsonWhereItIsBad) {
  EXPECT_EQ(refusal_of(R"({"statements":[{"sql":"select 1"}})"),
            "7:34: not valid JSON: syntax error while parsing array - unexpected '}'; expected ']'");
  EXPECT_TRUE(refusal_of(R"({"statements":)").starts_with("7:15: not valid JSON: ")) << refusal_of(R"({"statements":)");
  EXPECT_TRUE(refusal_of("{\"events\":[{\"topic\":\"\xFF\"}]}").starts_with("7:22: not valid JSON: "))
      << refusal_of("{\"events\":[{\"topic\":\"\xFF\"}]}");
  EXPECT_TRUE(refusal_of(R"({"statements":[]} x)").starts_with("7:19: not valid JSON: "))
      << refusal_of(R"({"statements":[]} x)");
  // Inside a value, too, which is passed on as it is.
  EXPECT_TRUE(
      refusal_of(with_event(R"({"topic":"t","type":"a","value":{"a" 1}})")).starts_with("7:49: not valid JSON: "));
}

TEST(ApplyTranslator, DoesNotRepeatTheInputInItsMessages) {
  EXPECT_EQ(refusal_of(R"({"statements":[{"sql":"secret" "secret"}]})").find("secret"), std::string::npos);
}

TEST(ApplyTranslator, RefusesWhatIsNoObject) {
  EXPECT_EQ(refusal_of(" [1]"), "7:2: a record must be a JSON object, in { and }");
  EXPECT_EQ(refusal_of("17"), "7:1: a record must be a JSON object, in { and }");
  EXPECT_EQ(refusal_of("{}"), "7:1: the unit has neither statements nor events; give it at least one");
}

TEST(ApplyTranslator, RefusesUnknownFields) {
  EXPECT_EQ(refusal_of(R"({"statments":[]})"),
            R"(7:2: unknown field "statments"; known here: statements, events, ordering_key)");
  EXPECT_EQ(refusal_of(R"({"statements":[{"sql":"select 1","parms":[]}]})"),
            R"(7:34: unknown field "parms"; known here: sql, params)");
  EXPECT_TRUE(
      refusal_of(with_event(R"({"topic":"t","value":1,"typ":"a"})")).starts_with(R"(7:35: unknown field "typ")"));
}

TEST(ApplyTranslator, CountsColumnsInCharacters) {
  EXPECT_TRUE(refusal_of(R"({"ordering_key":"äöü€","x":1})").starts_with("7:24: unknown field"));
}

TEST(ApplyTranslator, RefusesFieldsThatAreThereTwice) {
  EXPECT_EQ(refusal_of(R"({"ordering_key":"a","ordering_key":"b"})"),
            R"(7:21: the field "ordering_key" is there twice; keep one)");
  EXPECT_EQ(refusal_of(with_event(R"({"topic":"t","type":"a","value":1,"headers":{"h":"1","h":"2"}})")),
            R"(7:65: the header "h" is there twice; keep one)");
}

TEST(ApplyTranslator, RefusesWrongTypes) {
  EXPECT_EQ(refusal_of(R"({"statements":{}})"), R"(7:15: "statements" must be an array, not an object)");
  EXPECT_EQ(refusal_of(R"({"statements":[17]})"), "7:16: a statement must be an object, not a number");
  EXPECT_EQ(refusal_of(R"({"statements":[{"sql":null}]})"), R"(7:23: "sql" must be a string, not null)");
  EXPECT_EQ(refusal_of(R"({"statements":[{"sql":"select 1","params":"x"}]})"),
            R"(7:43: "params" must be an array, not a string)");
  EXPECT_EQ(refusal_of(with_event(R"({"topic":true})")), R"(7:21: "topic" must be a string, not true or false)");
  EXPECT_EQ(refusal_of(with_event(R"({"topic":"t","type":"a","value":1,"key":17})")),
            R"(7:52: "key" must be a string, not a number)");
  EXPECT_EQ(refusal_of(with_event(R"({"topic":"t","type":"a","value":1,"headers":{"h":1}})")),
            "7:61: a header must be a string, not a number");
}

TEST(ApplyTranslator, RefusesMissingAndContradictingFields) {
  EXPECT_EQ(refusal_of(R"({"statements":[{"params":[]}]})"), R"(7:16: the statement has no "sql")");
  EXPECT_EQ(refusal_of(with_event(R"({"type":"a","value":1})")), R"(7:12: the event has no "topic")");
  EXPECT_EQ(refusal_of(with_event(R"({"topic":"t","value":1})")), R"(7:12: the event has no "type")");
  EXPECT_EQ(refusal_of(with_event(R"({"topic":"t","type":"a"})")),
            R"(7:12: the event has no "value"; write "value": null for a tombstone)");
  EXPECT_EQ(refusal_of(with_event(R"({"topic":"t","type":"a","value":1,"value_base64":""})")),
            R"(7:12: the event has both "value" and "value_base64"; keep one)");
}

TEST(ApplyTranslator, RefusesNumbersBeyond64Bits) {
  const std::string reason = ": a parameter is a number too large for 64 bits with a sign; write it as a string";
  EXPECT_EQ(refusal_of(R"({"statements":[{"sql":"select ?","params":[1,9223372036854775808]}]})"), "7:46" + reason);
  EXPECT_EQ(refusal_of(R"({"statements":[{"sql":"select ?","params":[99999999999999999999999]}]})"), "7:44" + reason);
}

// simdjson 3.0 gives 0 or another wrong number for them.
TEST(ApplyTranslator, BindsNumbersOfManyDigitsAsTheNearestDouble) {
  ApplyTranslator translator;
  const Translated made(
      translator,
      R"({"statements":[{"sql":"s","params":[9223372036854.775808,123456789012345678901.5e-3,0.10775803372036854775807,1e-400]}]})");
  ASSERT_EQ(made.refusal(), "");
  const auto parameters = made.unit.statements[0].parameters;
  EXPECT_EQ(std::get<double>(parameters[0].storage()), 9223372036854.775808);
  EXPECT_EQ(std::get<double>(parameters[1].storage()), 123456789012345678.9015);
  EXPECT_EQ(std::get<double>(parameters[2].storage()), 0.10775803372036854775807);
  EXPECT_EQ(std::get<double>(parameters[3].storage()), 0.0);
}

TEST(ApplyTranslator, RefusesBadBase64) {
  EXPECT_EQ(refusal_of(with_event(R"({"topic":"t","type":"a","value_base64":"AP8"})")),
            R"(7:51: "value_base64" is not base64 with padding (RFC 4648))");
}

TEST(ApplyTranslator, RefusesHeadersThatAreItsOwn) {
  for (const std::string name : {"ce_id", "wa-unit", "content-type", ""}) {
    EXPECT_NE(refusal_of(with_event(R"({"topic":"t","type":"a","value":1,"headers":{")" + name + R"(":"x"}})")), "")
        << name;
  }
}

TEST(ApplyTranslator, RefusesToEndTheTransactionBehindItsBack) {
  for (const std::string sql :
       {"COMMIT", " rollback", "-- hello\\n begin", "/* x */ Savepoint a", "; end", "START TRANSACTION"}) {
    EXPECT_NE(refusal_of(R"({"statements":[{"sql":")" + sql + R"("}]})"), "") << sql;
  }
  for (const std::string sql : {"insert into commit values (1)", "beginning", "-- commit", ""}) {
    EXPECT_EQ(transaction_word(sql), "") << sql;
  }
}

}  // namespace
}  // namespace write_aside::cli
