// Goal: a statement of `consume` gets exactly what the event holds, or the event is refused with the reason; nothing is
// rounded, cut, or taken from another event.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "consume/event_binder.hpp"

namespace write_aside::cli {
namespace {

using Strings = std::vector<std::string>;

std::string shown(const Parameter& parameter) {
  struct {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return fmt::format("int {}", value); }
    std::string operator()(double value) const { return fmt::format("real {}", value); }
    std::string operator()(std::string_view value) const { return fmt::format("text {}", value); }
    std::string operator()(BlobView value) const { return fmt::format("bytes {}", value.bytes); }
  } const show;
  return std::visit(show, parameter.storage());
}

ReceivedEvent event_of(std::optional<std::string> value) {
  return {.topic = "orders",
          .partition = 3,
          .offset = 17,
          .key = "k1",
          .value = std::move(value),
          .headers = {{"ce_type", "made"}, {"x", "one"}, {"x", "two"}, {"content-type", "application/json"}},
          .timestamp_ms = 1'700'000'000'000,
          .source = "shop",
          .id = "e1"};
}

class BindingEvents : public testing::Test {
 protected:
  // What the statement got, or "refused: …" alone.
  Strings bound(const ReceivedEvent& event, const std::string& sql) {
    statements_.push_back(EventStatement::parse(sql, Dialect{}).value());
    parameters_.clear();
    if (const auto done = binder_.bind(statements_.back(), event, parameters_); !done) {
      EXPECT_EQ(done.error().code, ErrorCode::invalid_argument);
      EXPECT_EQ(done.error().message.find('\n'), std::string::npos) << done.error().message;
      return {"refused: " + done.error().message};
    }
    Strings texts;
    for (const Parameter& parameter : parameters_) texts.push_back(shown(parameter));
    return texts;
  }
  // Of the value {"v": …}.
  std::string field(const std::string& json) {
    return bound(event_of("{\"v\":" + json + "}"), "select :value.v").at(0);
  }

  EventBinder binder_;
  std::vector<Parameter> parameters_;
  std::deque<EventStatement> statements_;
};

TEST_F(BindingEvents, TakesThePartsOfTheEventItself) {
  EXPECT_EQ(bound(event_of("{}"),
                  "select :key, :key_bytes, :value, :value_bytes, :topic, :partition, :offset, :timestamp_ms, :source, "
                  ":id, :type, :header.x, :{header.content-type}"),
            (Strings{"text k1", "bytes k1", "text {}", "bytes {}", "text orders", "int 3", "int 17",
                     "int 1700000000000", "text shop", "text e1", "text made", "text one", "text application/json"}));
}

TEST_F(BindingEvents, TakesScalarsAsTheyAre) {
  EXPECT_EQ(field("17"), "int 17");
  EXPECT_EQ(field("-0"), "int 0");
  EXPECT_EQ(field("9223372036854775807"), "int 9223372036854775807");
  EXPECT_EQ(field("-9223372036854775808"), "int -9223372036854775808");
  EXPECT_EQ(field("2.5"), "real 2.5");
  EXPECT_EQ(field("1e3"), "real 1000");
  EXPECT_EQ(field("0.1"), "real 0.1");
  EXPECT_EQ(field("true"), "true");
  EXPECT_EQ(field("false"), "false");
  EXPECT_EQ(field("null"), "null");
  EXPECT_EQ(field(R"("")"), "text ");
  EXPECT_EQ(field(R"("17")"), "text 17");
}

TEST_F(BindingEvents, RefusesIntegersThatNoColumnTakesInsteadOfRoundingThem) {
  const std::string refused =
      "refused: 'value.v' cannot be read: value.v is a number too large for 64 bits with a sign; write it as a string";
  EXPECT_EQ(field("9223372036854775808"), refused);
  EXPECT_EQ(field("-9223372036854775809"), refused);
  EXPECT_EQ(field("18446744073709551615"), refused);
  EXPECT_EQ(field("123456789012345678901234567890"), refused);
}

TEST_F(BindingEvents, UnescapesStrings) {
  EXPECT_EQ(field(R"("a\"b\\c\/d\n\u00e9\ud83d\ude00")"), "text a\"b\\c/d\né😀");
  EXPECT_TRUE(field(R"("\ud800")").starts_with("refused: ")) << "half a pair";
}

TEST_F(BindingEvents, TakesObjectsAndArraysAsTheirJsonText) {
  EXPECT_EQ(field(R"({ "a" : [1, "x\n"] })"), R"(text { "a" : [1, "x\n"] })");
  EXPECT_EQ(field("[1,\n 2]"), "text [1,\n 2]");
  EXPECT_EQ(field("[]"), "text []");
}

TEST_F(BindingEvents, FollowsAPathIntoObjectsAndArrays) {
  const ReceivedEvent event = event_of(R"({"a":{"b":{"c":1}},"list":[{"n":"x"},[5,6]],"0":"zero","o":{"1":"one"}})");
  EXPECT_EQ(bound(event, "select :value.a.b.c, :value.a.b, :value.list.0.n, :value.list.1.1, :value.0, :value.o.1"),
            (Strings{"int 1", "text {\"c\":1}", "text x", "int 6", "text zero", "text one"}));
}

TEST_F(BindingEvents, TakesManyFieldsInAnyOrder) {
  const ReceivedEvent event = event_of(R"({"a":"x\t1","b":"y\t2","c":[1],"d":4,"e":{"f":"g"}})");
  EXPECT_EQ(bound(event, "select :value.e.f, :value.a, :value.d, :value.c.0, :value.b, :value.a, :value.c, :key"),
            (Strings{"text g", "text x\t1", "int 4", "int 1", "text y\t2", "text x\t1", "text [1]", "text k1"}));
}

TEST_F(BindingEvents, KeepsWhatEarlierEventsAndStatementsGave) {
  const EventStatement first = EventStatement::parse("select :value.a, :value.b", Dialect{}).value();
  const EventStatement second = EventStatement::parse("select :value.b", Dialect{}).value();
  std::vector<ReceivedEvent> events;
  for (int number = 0; number < 100; ++number) {
    events.push_back(event_of(fmt::format(R"({{"a":"a{0}\n","b":["{0}"]}})", number)));
  }
  for (const ReceivedEvent& event : events) {
    ASSERT_TRUE(binder_.bind(first, event, parameters_).has_value());
    ASSERT_TRUE(binder_.bind(second, event, parameters_).has_value());
  }
  ASSERT_EQ(parameters_.size(), 300u);
  for (std::size_t number = 0; number < 100; ++number) {
    EXPECT_EQ(shown(parameters_[3 * number]), fmt::format("text a{}\n", number));
    EXPECT_EQ(shown(parameters_[3 * number + 1]), fmt::format("text [\"{}\"]", number));
    EXPECT_EQ(shown(parameters_[3 * number + 2]), fmt::format("text [\"{}\"]", number));
  }
}

TEST_F(BindingEvents, TakesTheFirstOfFieldsOfOneName) {
  EXPECT_EQ(bound(event_of(R"({"a":1,"b":2,"a":3})"), "select :value.b, :value.a, :value.a"),
            (Strings{"int 2", "int 1", "int 1"}));
}

TEST_F(BindingEvents, FindsAFieldHoweverItsNameIsWritten) {
  EXPECT_EQ(bound(event_of(R"({"gr\u00f6\u00dfe":5,"in":{"\u0061":"x\n"}})"), "select :{value.größe}, :value.in.a"),
            (Strings{"int 5", "text x\n"}));
  EXPECT_EQ(bound(event_of(R"({"größe":5})"), "select :{value.größe}?"), (Strings{"int 5"}));
  EXPECT_EQ(bound(event_of(R"({"x\n":5})"), "select :value.x?"), (Strings{"null"}));
  EXPECT_EQ(bound(event_of(R"({"\ud800":5})"), "select :value.a?").at(0).substr(0, 8), "refused:") << "half a pair";
}

TEST_F(BindingEvents, RefusesWhatIsMissingUnlessItMayBe) {
  const ReceivedEvent event = event_of(R"({"a":{"b":1},"list":[1],"text":"x"})");
  const auto expect_missing = [&](const std::string& name, const std::string& what) {
    EXPECT_EQ(bound(event, "select :" + name),
              (Strings{"refused: it has no " + what + "; write ':…?' in the statement if that is allowed"}));
    EXPECT_EQ(bound(event, "select :" + name + "?, :value.a.b"), (Strings{"null", "int 1"})) << name;
  };
  expect_missing("value.b", "field 'value.b'");
  expect_missing("value.a.c", "field 'value.a.c'");
  expect_missing("value.a.b.c", "field 'value.a.b.c'");
  expect_missing("value.a.0", "field 'value.a.0'");
  expect_missing("value.list.1", "field 'value.list.1'");
  expect_missing("value.list.x", "field 'value.list.x'");
  expect_missing("{value.list.-1}", "field 'value.list.-1'");
  expect_missing("value.list.99999999999999999999", "field 'value.list.99999999999999999999'");
  expect_missing("value.text.x", "field 'value.text.x'");
  expect_missing("header.missing", "header 'missing'");
}

TEST_F(BindingEvents, TakesATombstoneAsNull) {
  const ReceivedEvent tombstone = event_of({});
  EXPECT_EQ(bound(tombstone, "select :value, :value_bytes, :key"), (Strings{"null", "null", "text k1"}));
  EXPECT_EQ(bound(tombstone, "select :value.a?"), (Strings{"null"}));
  EXPECT_EQ(bound(tombstone, "select :value.a"),
            (Strings{"refused: it has no value and so no 'value.a'; write ':…?' in the statement if that is allowed"}));
}

TEST_F(BindingEvents, TakesAMissingKeyAsNullAndAnEmptyOneAsEmpty) {
  ReceivedEvent event = event_of("");
  event.key.reset();
  EXPECT_EQ(bound(event, "select :key, :key_bytes, :value"), (Strings{"null", "null", "text "}));
  event.key = "";
  EXPECT_EQ(bound(event, "select :key, :key_bytes"), (Strings{"text ", "bytes "}));
}

TEST_F(BindingEvents, RefusesBytesAsText) {
  ReceivedEvent event = event_of("\xff\xfe");
  event.key = "\xc3";
  EXPECT_EQ(bound(event, "select :key"), (Strings{"refused: its key is not UTF-8 text; take it as :key_bytes"}));
  EXPECT_EQ(bound(event, "select :value"), (Strings{"refused: its value is not UTF-8 text; take it as :value_bytes"}));
  EXPECT_EQ(bound(event, "select :key_bytes, :value_bytes"), (Strings{"bytes \xc3", "bytes \xff\xfe"}));
  EXPECT_TRUE(bound(event, "select :value.a").at(0).starts_with("refused: its value cannot be read: not valid JSON"));
  event.headers = {{"x", "\x80"}};
  EXPECT_EQ(bound(event, "select :header.x"), (Strings{"refused: its header 'x' is not UTF-8 text"}));
}

TEST_F(BindingEvents, RefusesAValueThatIsNoJsonObject) {
  const auto refusal = [&](const std::string& value) { return bound(event_of(value), "select :value.a").at(0); };
  for (const std::string value : {"", " ", "{", "{\"a\":1} x", "{\"a\":1,}", "{'a':1}", "nonsense",
                                  "{\"b\":tru,\"a\":1}", "{\"a\":1,\"b\":\"\xff\"}", "{\"a\":01}"}) {
    EXPECT_TRUE(refusal(value).starts_with("refused: its value cannot be read: not valid JSON: ")) << refusal(value);
  }
  for (const std::string value : {"[1]", "17", "\"a\"", "null"}) {
    EXPECT_TRUE(refusal(value).starts_with("refused: its value cannot be read: ")) << refusal(value);
    EXPECT_NE(refusal(value).find("must be a JSON object"), std::string::npos) << refusal(value);
  }
  EXPECT_EQ(bound(event_of("[1]"), "select :value.a?").at(0).substr(0, 8), "refused:") << "missing is something else";
}

TEST_F(BindingEvents, IsReadyForTheNextEventAfterARefusal) {
  EXPECT_EQ(field("123456789012345678901234567890").substr(0, 8), "refused:");
  EXPECT_EQ(field("5"), "int 5");
  EXPECT_EQ(bound(event_of("{"), "select :value.v").at(0).substr(0, 8), "refused:");
  EXPECT_EQ(field("6"), "int 6");
}

TEST_F(BindingEvents, DoesNotRepeatTheEventInItsMessages) {
  for (const std::string value : {R"({"a" "secret"})", R"({"a":secret})", R"({"secret":1})", "secret"}) {
    EXPECT_EQ(bound(event_of(value), "select :value.a").at(0).find("secret"), std::string::npos) << value;
  }
}

}  // namespace
}  // namespace write_aside::cli
