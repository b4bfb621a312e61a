#include "input/csv.hpp"

#include <gtest/gtest.h>

#include "input/row_translator.hpp"
#include "unit/cli_translation.hpp"

namespace write_aside::cli {
namespace {

std::vector<std::string> fields_of(std::string_view record) {
  Arena arena;
  std::vector<CsvField> fields;
  if (const auto refusal = parse_csv(record, arena, fields))
    return {std::to_string(refusal->at) + " " + refusal->message};
  std::vector<std::string> texts;
  for (const CsvField& field : fields) texts.emplace_back(field.text);
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Csv, TakesRecordsApart) {
  EXPECT_EQ(fields_of("a,b,c"), (Texts{"a", "b", "c"}));
  EXPECT_EQ(fields_of(""), (Texts{""}));
  EXPECT_EQ(fields_of(",,"), (Texts{"", "", ""}));
  EXPECT_EQ(fields_of(" a , b "), (Texts{" a ", " b "}));
  EXPECT_EQ(fields_of(R"("a,b","say ""hi""","")"), (Texts{"a,b", "say \"hi\"", ""}));
  EXPECT_EQ(fields_of("\"two\r\nlines\",x"), (Texts{"two\r\nlines", "x"}));
  EXPECT_EQ(fields_of(R"("""")"), (Texts{"\""}));
}

TEST(Csv, SaysWhereARecordIsBroken) {
  EXPECT_EQ(fields_of(R"(a,b"c)"),
            (Texts{"3 a quote inside an unquoted field; put the field in quotes and double the quote"}));
  EXPECT_EQ(fields_of(R"(a,"bc)"), (Texts{"2 this quote is never closed"}));
  EXPECT_EQ(fields_of(R"("a"b,c)"), (Texts{"3 text behind a closing quote; a comma or the line end must follow"}));
}

TEST(Csv, EndsRecordsAtLineEndsOutsideQuotesWhateverTheReadsCut) {
  const std::string input = "a,\"x\ny\"\"\n\",b\r\nc,\"d\"\ne";
  for (std::size_t cut = 1; cut < input.size(); ++cut) {
    CsvSplitter splitter;
    std::vector<std::size_t> ends;
    for (std::size_t at = 0; at < input.size();) {
      // Never more than up to the cut in one look.
      const std::size_t limit = at < cut ? cut : input.size();
      const std::size_t length = splitter.find_end(std::string_view(input).substr(at, limit - at));
      at = length == std::string_view::npos ? limit : at + length;
      if (length != std::string_view::npos) ends.push_back(at);
    }
    EXPECT_EQ(ends, (std::vector<std::size_t>{14, 20})) << "cut at " << cut;
  }
}

RowTarget target() {
  RowTarget target;
  target.table = "customers";
  target.topic = "customers";
  target.key = "id";
  target.type = "customers.inserted";
  return target;
}

TEST(CsvRows, BecomeAnInsertAndAnEvent) {
  const auto translator = CsvRowTranslator::make(target(), "in.csv", "id,na\"\"me", std::nullopt);
  ASSERT_FALSE(translator) << "a quote inside an unquoted name";
  EXPECT_TRUE(translator.error().message.starts_with("in.csv:1:6: a quote")) << translator.error().message;

  const auto good = CsvRowTranslator::make(target(), "in.csv", "id,\"na\"\"me\",note", "NULL");
  ASSERT_TRUE(good);
  const Translated row(**good, "17,\"say \"\"hi\"\"\n\",NULL");
  ASSERT_EQ(row.refusal(), "");
  EXPECT_EQ(row.unit.statements[0].sql, R"(insert into "customers" ("id", "na""me", "note") values (?, ?, ?))");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(row.unit.statements[0].parameters[2].storage()));
  EXPECT_EQ(row.unit.events[0].key, "17");
  EXPECT_EQ(row.unit.events[0].value, R"({"id":"17","na\"me":"say \"hi\"\n","note":null})");
}

TEST(CsvRows, RefuseHeadersThatCannotBeColumns) {
  const auto message = [](const std::string& header) {
    const auto made = CsvRowTranslator::make(target(), "in.csv", header, std::nullopt);
    return made ? std::string() : made.error().message;
  };
  EXPECT_EQ(message("id,,x"), "in.csv:1:4: the header has a column without a name");
  EXPECT_EQ(message("id,a,a"), "in.csv:1:6: the header names the column \"a\" twice");
  EXPECT_EQ(message("a,b"), "in.csv:1:1: the header has no column \"id\", which --key names");
}

TEST(CsvRows, RefuseRecordsThatDoNotFitTheHeader) {
  const auto translator = CsvRowTranslator::make(target(), "in.csv", "id,name", "");
  ASSERT_TRUE(translator);
  EXPECT_EQ(Translated(**translator, "1,a,b").refusal(), "7:1: the record has 3 fields, the header has 2");
  EXPECT_EQ(Translated(**translator, "\xFF,a").refusal(), "7:1: the record is not UTF-8");
  EXPECT_EQ(Translated(**translator, ",a").refusal(), "7:1: the column \"id\" is the event's key; it must not be NULL");
  EXPECT_EQ(Translated(**translator, "1,\"x\ny\"z").refusal(),
            "8:3: text behind a closing quote; a comma or the line end must follow");
}

TEST(JsonRows, BecomeAnInsertAndAnEvent) {
  JsonRowTranslator translator(target());
  const Translated row(translator, R"(  {"id":17, "name":"x", "tags":["a"]} )");
  ASSERT_EQ(row.refusal(), "");
  EXPECT_EQ(row.unit.statements[0].sql, R"(insert into "customers" ("id", "name", "tags") values (?, ?, ?))");
  EXPECT_EQ(std::get<std::string_view>(row.unit.statements[0].parameters[2].storage()), R"(["a"])");
  EXPECT_EQ(row.unit.events[0].key, "17");
  EXPECT_EQ(row.unit.events[0].value, R"({"id":17, "name":"x", "tags":["a"]})");
  EXPECT_EQ(row.unit.ordering_key, "17");
}

TEST(JsonRows, RefuseRecordsWithoutAUsableKey) {
  JsonRowTranslator translator(target());
  EXPECT_EQ(Translated(translator, R"({"name":"x"})").refusal(),
            R"(7:1: the record has no field "id", which --key names)");
  EXPECT_EQ(Translated(translator, R"({"id":null})").refusal(),
            R"(7:2: the field "id" is the event's key; it must be a string or a whole number)");
  EXPECT_EQ(Translated(translator, R"({"id":["a"]})").refusal(),
            R"(7:2: the field "id" is the event's key; it must be a string or a whole number)");
  EXPECT_EQ(Translated(translator, R"({"id":1,"id":2})").refusal(), R"(7:9: the field "id" is there twice; keep one)");
}

TEST(InsertText, SpeaksEachDialect) {
  const std::vector<std::string_view> columns{"id", "a`b\"c"};
  EXPECT_EQ(
      insert_text({}, "s.t", columns, "id"),
      R"(insert into "s"."t" ("id", "a`b""c") values (?, ?) on conflict ("id") do update set "a`b""c" = excluded."a`b""c")");
  EXPECT_EQ(insert_text({'"', true, false}, "t", columns, ""), R"(insert into "t" ("id", "a`b""c") values ($1, $2))");
  EXPECT_EQ(insert_text({'`', false, true}, "t", columns, "id"),
            "insert into `t` (`id`, `a``b\"c`) values (?, ?) on duplicate key update `a``b\"c` = values(`a``b\"c`)");
  EXPECT_EQ(insert_text({}, "t", std::vector<std::string_view>{"id"}, "id"),
            R"(insert into "t" ("id") values (?) on conflict ("id") do nothing)");
}

}  // namespace
}  // namespace write_aside::cli
