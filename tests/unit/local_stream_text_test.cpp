// Goal: what the local stream writes into its text columns is what a person and any JSON reader would expect.
#include "adapters/local_stream/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace write_aside::local_stream {
namespace {

std::string encoded(const std::vector<ports::HeaderView>& headers) {
  std::string out;
  EXPECT_TRUE(append_headers(out, headers));
  return out;
}

TEST(LocalStreamText, TakesWellFormedUtf8AsText) {
  for (const char* text :
       {"", "plain", "\x01\x1f\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "eight by\xc3\xa4te quote\" end"}) {
    EXPECT_TRUE(is_text(text)) << text;
  }
}

TEST(LocalStreamText, TakesEverythingElseAsBytes) {
  for (const char* bytes :
       {"\x80", "\xff", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "1234567\x80", "12345678\xc3"}) {
    EXPECT_FALSE(is_text(bytes)) << bytes;
  }
  EXPECT_FALSE(is_text(std::string_view("a\0b", 3)));  // SQL tools would cut it
}

TEST(LocalStreamText, WritesHeadersAsAJsonObjectInTheirOrder) {
  EXPECT_EQ(encoded({}), "{}");
  EXPECT_EQ(encoded({{"b", "1"}, {"a", "\xc3\xa4"}}), "{\"b\":\"1\",\"a\":\"\xc3\xa4\"}");
  EXPECT_EQ(encoded({{"a\"b", "\\\n\r\t\x01"}}), "{\"a\\\"b\":\"\\\\\\n\\r\\t\\u0001\"}");
}

TEST(LocalStreamText, WritesBytesAsBase64) {
  EXPECT_EQ(encoded({{"a", "\xff"}}), "{\"a\":{\"base64\":\"/w==\"}}");
  EXPECT_EQ(encoded({{"a", "\xff\xfe"}}), "{\"a\":{\"base64\":\"//4=\"}}");
  EXPECT_EQ(encoded({{"a", "\xff\xfe\xfd"}}), "{\"a\":{\"base64\":\"//79\"}}");
}

TEST(LocalStreamText, RefusesANameThatIsNotUtf8AndLeavesTheTextAlone) {
  std::string out = "before";
  const std::vector<ports::HeaderView> headers = {{"good", "1"}, {"\xff", "2"}};
  EXPECT_FALSE(append_headers(out, headers));
  EXPECT_EQ(out, "before");
}

TEST(LocalStreamText, RefusesJsonOfAnotherShape) {
  for (const char* json : {"", "1", "[]", "\"a\"", "{\"a\":null}", "{\"a\":1}", "{\"a\":[\"b\"]}",
                           "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"base64\":\"a\"}}", "{\"a\":{\"base64\":\"a*==\"}}",
                           "{\"a\":\"b\"", "{\"a\":\"b\"} x", "{\"a\":{\"base64\":{\"base64\":\"\"}}}"}) {
    const auto parsed = parse_headers(json);
    ASSERT_FALSE(parsed.has_value()) << json;
    EXPECT_EQ(parsed.error().code, ErrorCode::corrupt);
  }
}

RC_GTEST_PROP(LocalStreamText, GivesAnyHeadersBack, (const std::vector<std::pair<std::string, std::string>>& pairs)) {
  std::vector<ports::HeaderView> headers;
  std::vector<Header> expected;
  for (const auto& [name, value] : pairs) {
    if (!is_text(name)) continue;
    headers.push_back({name, value});
    expected.push_back({name, value});
  }
  const std::string json = encoded(headers);
  RC_ASSERT(nlohmann::json::accept(json));
  const auto parsed = parse_headers(json);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == expected);
}

}  // namespace
}  // namespace write_aside::local_stream
