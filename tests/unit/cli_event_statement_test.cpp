// Goal: in the SQL of `consume` a name stands for a part of the event and for nothing else; what only looks like a name
// is left as it was.
#include <gtest/gtest.h>

#include "consume/event_statement.hpp"
#include "exit_status.hpp"

namespace write_aside::cli {
namespace {

using Kind = EventPart::Kind;
using Strings = std::vector<std::string>;

const Dialect unnumbered{};
const Dialect numbered{.numbered_placeholders = true};

EventStatement parsed(std::string_view text, const Dialect& dialect = numbered) {
  auto statement = EventStatement::parse(text, dialect);
  if (statement) return *std::move(statement);
  ADD_FAILURE() << text << ": " << statement.error().message;
  return {};
}

EventPart only_part(std::string_view text) {
  const EventStatement statement = parsed(text);
  EXPECT_EQ(statement.parts.size(), 1u) << text;
  return statement.parts.empty() ? EventPart{} : statement.parts.front();
}

std::string statement_refusal_of(std::string_view text) {
  const auto statement = EventStatement::parse(text, unnumbered);
  if (statement) return "taken: " + statement->sql;
  EXPECT_EQ(exit_status_of(statement.error()), ExitStatus::usage) << text;
  EXPECT_EQ(statement.error().message.find('\n'), std::string::npos) << text;
  return statement.error().message;
}

void expect_untouched(const std::string& text) {
  for (const Dialect& dialect : {numbered, unnumbered}) {
    const EventStatement statement = parsed(text, dialect);
    EXPECT_EQ(statement.sql, text);
    EXPECT_EQ(statement.parts.size(), 0u) << text;
  }
}

TEST(EventStatement, TurnsNamesIntoThePlaceholdersOfTheDialect) {
  const std::string text = "insert into t values (:key, :value.amount,:offset) on conflict do update set k=:key";
  EXPECT_EQ(parsed(text, numbered).sql, "insert into t values ($1, $2,$3) on conflict do update set k=$4");
  EXPECT_EQ(parsed(text, unnumbered).sql, "insert into t values (?, ?,?) on conflict do update set k=?");
  Strings names;
  for (const EventPart& part : parsed(text).parts) names.push_back(part.name);
  EXPECT_EQ(names, (Strings{"key", "value.amount", "offset", "key"}));
}

TEST(EventStatement, KnowsThePartsOfAnEvent) {
  const std::vector<std::pair<std::string, Kind>> known{
      {":key", Kind::key},       {":key_bytes", Kind::key_bytes},
      {":value", Kind::value},   {":value_bytes", Kind::value_bytes},
      {":topic", Kind::topic},   {":partition", Kind::partition},
      {":offset", Kind::offset}, {":timestamp_ms", Kind::timestamp_ms},
      {":source", Kind::source}, {":id", Kind::id},
      {":type", Kind::header},   {":header.x", Kind::header},
      {":value.x", Kind::field},
  };
  for (const auto& [text, kind] : known) EXPECT_EQ(only_part("select " + text).kind, kind) << text;
  EXPECT_EQ(only_part("select :type").name, "ce_type");
}

TEST(EventStatement, NamesFieldsByTheirPath) {
  EXPECT_EQ(only_part("select :value.a").path, (Strings{"a"}));
  EXPECT_EQ(only_part("select :value.a.b_2.C").path, (Strings{"a", "b_2", "C"}));
  EXPECT_EQ(only_part("select :value.list.0").path, (Strings{"list", "0"}));
  EXPECT_EQ(only_part("select :{value.größe in cm.x}").path, (Strings{"größe in cm", "x"}));
  EXPECT_EQ(only_part("select :header.x.y").name, "x.y") << "a header has no path";
  EXPECT_EQ(only_part("select :{header.content-type}").name, "content-type");
  EXPECT_EQ(only_part("select :{key}").kind, Kind::key);
}

TEST(EventStatement, EndsANameWhereItCannotGoOn) {
  EXPECT_EQ(parsed("select :value.a.").sql, "select $1.");
  EXPECT_EQ(parsed("select :value.a..b").sql, "select $1..b");
  EXPECT_EQ(parsed("select :key||:value.a-:offset;").sql, "select $1||$2-$3;");
  EXPECT_EQ(parsed("select :{key}x").sql, "select $1x");
  EXPECT_EQ(parsed(":key").sql, "$1");
}

TEST(EventStatement, MarksWhatMayBeMissing) {
  EXPECT_FALSE(only_part("select :value.note").optional);
  EXPECT_TRUE(only_part("select :value.note?").optional);
  EXPECT_TRUE(only_part("select :header.x?").optional);
  EXPECT_TRUE(only_part("select :{header.content-type}?").optional);
  EXPECT_EQ(parsed("select :value.note?, :value.b? from t").sql, "select $1, $2 from t");
  const EventStatement operators = parsed("select :value.list ? 'a'");
  EXPECT_EQ(operators.sql, "select $1 ? 'a'") << "an operator of PostgreSQL, behind a blank";
  EXPECT_FALSE(operators.parts.front().optional);
}

TEST(EventStatement, LeavesLiteralsAndQuotedNamesAlone) {
  expect_untouched("select ':key'");
  expect_untouched("select 'it''s :key', 12");
  expect_untouched(R"(select ":key" from "a:topic")");
  expect_untouched("select `:key`");
  expect_untouched("select ':{key'");
  EXPECT_EQ(parsed("select ':key' || :key || ':key'").sql, "select ':key' || $1 || ':key'");
  EXPECT_EQ(parsed(R"(select "it's" , :key , 'a"b')").sql, R"(select "it's" , $1 , 'a"b')");
}

TEST(EventStatement, LeavesCommentsAlone) {
  expect_untouched("select 1 -- :key");
  expect_untouched("select /* :key */ 1");
  expect_untouched("select 1 /* :key without an end");
  EXPECT_EQ(parsed("select -- it's :key\n :offset").sql, "select -- it's :key\n $1");
  EXPECT_EQ(parsed("select /* it's */ :key").sql, "select /* it's */ $1");
  EXPECT_EQ(parsed("select 5 - :offset / :partition").sql, "select 5 - $1 / $2");
}

TEST(EventStatement, LeavesDollarQuotesAlone) {
  expect_untouched("select $$ it's :key $$");
  expect_untouched("select $tag$ :key $$ :key $tag$");
  expect_untouched("select $tag$ :key without an end");
  EXPECT_EQ(parsed("select $a$ :key $a$, :key").sql, "select $a$ :key $a$, $1");
  EXPECT_EQ(parsed("select 'price in $', :key, '$'").sql, "select 'price in $', $1, '$'");
  EXPECT_EQ(parsed("select a$b$ :key, c$1 from t", unnumbered).sql, "select a$b$ :key, c$1 from t");
}

TEST(EventStatement, LeavesCastsSlicesAndOtherColonsAlone) {
  expect_untouched("select x::text, y::int[] from t");
  expect_untouched("select list[1:2], list[:3] from t");
  expect_untouched("select a := 1");
  expect_untouched("select a : b");
  expect_untouched("select 1 :");
  EXPECT_EQ(parsed("select :value.amount::numeric").sql, "select $1::numeric");
  EXPECT_EQ(parsed("select :value.note?::text").sql, "select $1::text");
  EXPECT_EQ(parsed("select list[1::offset]", numbered).sql, "select list[1::offset]");
}

TEST(EventStatement, RefusesNamesThatMeanNothing) {
  for (const std::string name : {"amount", "keys", "Key", "value_", "headers.x", "valuex.a", "header", "k"}) {
    EXPECT_TRUE(statement_refusal_of("select :" + name)
                    .starts_with("--sql: ':" + name + "' is no part of an event; known are "))
        << statement_refusal_of("select :" + name);
  }
  EXPECT_TRUE(statement_refusal_of("select :{}").starts_with("--sql: ':' is no part of an event"));
  EXPECT_TRUE(statement_refusal_of("select :{value.}").starts_with("--sql: ':value.' is no part of an event"));
  EXPECT_TRUE(statement_refusal_of("select :{header.}").starts_with("--sql: ':header.' is no part of an event"));
  EXPECT_TRUE(statement_refusal_of("select :{ key}").starts_with("--sql: ': key' is no part of an event"));
}

TEST(EventStatement, RefusesPlaceholdersOfTheDatabase) {
  EXPECT_EQ(statement_refusal_of("insert into t values (:key, ?)"),
            "--sql: a placeholder '?' gets no value; write a name such as :key, which stands for a part of the event");
  EXPECT_TRUE(statement_refusal_of("select ?1").starts_with("--sql: a placeholder '?'"));
  EXPECT_TRUE(statement_refusal_of("select :value.note??").starts_with("--sql: a placeholder '?'"));
  for (const char* text : {"select $1", "select :key, $2", "$1$ :key"}) {
    EXPECT_FALSE(EventStatement::parse(text, numbered).has_value()) << text;
  }
  EXPECT_EQ(parsed("select a$1, '$1', \"?\", list ? 'x' -- $1").sql, "select a$1, '$1', \"?\", list ? 'x' -- $1");
  EXPECT_EQ(parsed("select '?', \"?\" -- ?", unnumbered).sql, "select '?', \"?\" -- ?");
}

TEST(EventStatement, RefusesABraceWithoutItsEnd) {
  EXPECT_EQ(statement_refusal_of("select :{key, 1"), "--sql: a ':{' has no '}'");
  EXPECT_EQ(statement_refusal_of("select :{"), "--sql: a ':{' has no '}'");
}

TEST(EventStatement, RefusesNothing) {
  for (const char* text : {"", " ", "\n\t;; "}) {
    EXPECT_EQ(statement_refusal_of(text), "--sql is empty; write the statement to run for each event");
  }
}

}  // namespace
}  // namespace write_aside::cli
