// The small texts of the program: positions, base64, topics, URLs, reports.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base64.hpp"
#include "job/position.hpp"
#include "job/report.hpp"
#include "stores.hpp"
#include "topic_spec.hpp"

namespace write_aside::cli {
namespace {

TEST(Position, IsReadBackAsItWasWritten) {
  Position position;
  position.mark = {12, 3456, 0xabc};
  position.units = 11;
  position.rejected = 2;
  position.lanes = {0, 7};
  EXPECT_EQ(to_text(position), "v1 units=11 line=12 offset=3456 sum=0000000000000abc rejected=2 lanes=0,7");
  EXPECT_EQ(parse_position(to_text(position)), position);
  position.lanes.clear();
  EXPECT_EQ(parse_position(to_text(position)), position);
}

TEST(Position, RefusesOtherTexts) {
  const std::string good = "v1 units=11 line=12 offset=3456 sum=0000000000000abc rejected=2 lanes=0,7";
  ASSERT_TRUE(parse_position(good));
  for (const std::string& text :
       {std::string(), std::string("v2") + good.substr(2), good + " more=1", good + " workers=0", good.substr(0, 40),
        std::string("17"), "v1 units=-1" + good.substr(11), good + ","}) {
    EXPECT_EQ(parse_position(text).has_value(), text == good + ",") << text;
  }
}

TEST(Position, SumsBytesInWhateverPieces) {
  Mark whole;
  whole.pass("one\ntwo\nthree");
  Mark pieces;
  pieces.pass("one\ntw");
  pieces.pass("o\nthree");
  EXPECT_EQ(pieces, whole);
  EXPECT_EQ(whole.line, 2u);
  EXPECT_EQ(whole.offset, 13u);
}

RC_GTEST_PROP(Base64, IsReadBackAsItWasWritten, (const std::string& bytes)) {
  RC_ASSERT(from_base64(to_base64(bytes)) == bytes);
}

TEST(Base64, RefusesWhatIsNotBase64) {
  EXPECT_EQ(to_base64("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
  for (const std::string text : {"A", "AP8", "A===", "AP9=", "AP8=AP8=", "A-8=", "AP 8"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

TEST(TopicSpec, NamesTopicPartitionsAndCompaction) {
  const auto plain = parse_topic_spec("orders:4").value();
  EXPECT_EQ(plain.name, "orders");
  EXPECT_EQ(plain.partitions, 4);
  EXPECT_FALSE(plain.compacted);
  EXPECT_TRUE(parse_topic_spec("stock:1:compacted").value().compacted);
  for (const std::string text :
       {"orders", ":4", "orders:", "orders:0", "orders:-1", "orders:4x", "orders:4:kept", "orders:99999999999"}) {
    EXPECT_FALSE(parse_topic_spec(text)) << text;
  }
}

TEST(StoreUrl, RefusesUnknownSchemesWithoutRepeatingTheRest) {
  const auto database = open_database("oracle://me:secret@host/shop", Missing::refuse);
  ASSERT_FALSE(database);
  const auto begins_with = [](const Error& error, const std::string& text) { return error.message.starts_with(text); };
  EXPECT_TRUE(begins_with(database.error(), "unknown database scheme 'oracle:'; known: sqlite:PATH"))
      << database.error().message;
  EXPECT_EQ(database.error().message.find("secret"), std::string::npos);
  EXPECT_TRUE(begins_with(open_stream("shop.events", Missing::refuse).error(),
                          "the stream URL has no scheme; write local:PATH"));
  EXPECT_EQ(open_stream("local:", Missing::refuse).error().message,
            "the stream URL names nothing behind 'local:'; write local:PATH");
  EXPECT_NE(open_database("", Missing::refuse).error().message.find("WRITE_ASIDE_DATABASE"), std::string::npos);
}

TEST(StoreUrl, ShowsNothingOfWhatHasNoScheme) {
  for (const char* url : {"host=db password=se:cret", "me@se:cret", "postgre?password=se:cret"}) {
    EXPECT_TRUE(open_database(url, Missing::refuse).error().message.starts_with("the database URL has no scheme;"))
        << url;
    EXPECT_TRUE(open_stream(url, Missing::refuse).error().message.starts_with("the stream URL has no scheme;")) << url;
  }
}

TEST(Report, IsTheJsonThatWasPromised) {
  Tally tally;
  tally.committed = 1'200'000;
  tally.aborted = 1;
  tally.in_doubt = 2;
  tally.skipped = 3;
  tally.events = 5;
  tally.took = std::chrono::duration<double>(4);
  EXPECT_EQ(to_json(tally), R"({"units":1200006,"committed":1200000,"aborted":1,"in_doubt":2,"skipped":3,"events":5,)"
                            R"("seconds":4.000,"units_per_second":300000.0})");
  EXPECT_EQ(to_sentence(tally),
            "1,200,000 units committed with 5 events in 4.00 s (300,000 units/s), "
            "3 skipped (committed by an earlier run), 1 rejected, 2 in doubt");
}

}  // namespace
}  // namespace write_aside::cli
