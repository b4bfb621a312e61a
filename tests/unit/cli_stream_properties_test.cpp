// The properties of a stream's client: where they may stand, and that no secret is shown or taken from a command line.
#include "stream_properties.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>
#include <string>

#include "stores.hpp"

namespace write_aside::cli {
namespace {

std::string write_file(const std::string& text) {
  std::string path = testing::TempDir() + "stream.properties." + std::to_string(::getpid());
  std::ofstream(path) << text;
  return path;
}

TEST(StreamProperties, ReadsAFileOfLines) {
  const auto read =
      read_stream_properties(write_file("# whose\n\n security.protocol = SASL_SSL \r\nsasl.password=a=b#c\n"));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, (StreamProperties{{"security.protocol", "SASL_SSL"}, {"sasl.password", "a=b#c"}}));
}

TEST(StreamProperties, NamesTheLineThatIsNoneWithoutShowingIt) {
  const std::string path = write_file("linger.ms=1\nhunter2\n");
  const auto read = read_stream_properties(path);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().message, path + ":2: not a property; write NAME=VALUE");
}

TEST(StreamProperties, RefusesSecretsOnTheCommandLine) {
  for (const std::string name : {"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
                                 "sasl.oauthbearer.client.secret"}) {
    StreamProperties properties;
    const auto set = set_stream_property(properties, name + "=hunter2");
    ASSERT_FALSE(set.has_value()) << name;
    EXPECT_EQ(set.error().message.find("hunter2"), std::string::npos) << set.error().message;
    EXPECT_NE(set.error().message.find("--stream-config"), std::string::npos) << set.error().message;
    EXPECT_TRUE(properties.empty());
  }
}

TEST(StreamProperties, TakesTheLastWordForAName) {
  StreamProperties properties{{"linger.ms", "1"}};
  ASSERT_TRUE(set_stream_property(properties, "linger.ms=5").has_value());
  EXPECT_EQ(properties.at("linger.ms"), "5");
  EXPECT_FALSE(set_stream_property(properties, "=5").has_value());
  EXPECT_FALSE(set_stream_property(properties, "linger.ms").has_value());
}

TEST(StreamProperties, AreNotForALocalStream) {
  const auto opened = open_stream("local:shop.events", Missing::refuse, {{"linger.ms", "1"}});
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().message.find("kafka://"), std::string::npos) << opened.error().message;
}

TEST(StreamProperties, HaveSomeOfTheProgramsOwnAmongThem) {
  const auto opened = open_stream("kafka://127.0.0.1:1", Missing::refuse, {{"write-aside.replication.factor", "0"}});
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().message.find("write-aside.check.brokers"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace write_aside::cli
