// Goal: no message shows the password of a URL, also of one that is not written as it should be.
#include <gtest/gtest.h>

#include <string>

#include "adapters/postgresql/address.hpp"

namespace write_aside::postgresql {
namespace {

TEST(PostgresqlAddress, NamesHostPortAndDatabaseAlone) {
  const auto address = read_address("postgresql://me:sesame@db.example:5433/shop?password=sesame");
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->name, "postgresql://db.example:5433/shop");
}

TEST(PostgresqlAddress, ShowsNoPasswordThatLandedElsewhere) {
  for (const char* url :
       {"postgresql://db.example&password=sesame", "postgresql://db.example/shop&password=sesame",
        "postgresql://me&password=sesame@db.example/shop", "postgresql://me:x@sesame@db.example/shop",
        "postgresql://me:se/sesame@db.example/shop", "postgresql://db.example:sesame/shop",
        "postgresql://me:,,sesame,,x:/y?password=z@db.example/shop", "postgresql://me:,,sesame,,?@db/shop"}) {
    const auto address = read_address(url);
    ASSERT_FALSE(address) << url << " is named " << address->name;
    EXPECT_EQ(address.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(address.error().message.find("sesame"), std::string::npos) << address.error().message;
  }
}

TEST(PostgresqlAddress, RefusesAZeroByteThatWouldCutThePasswordOff) {
  using namespace std::string_literals;
  const auto address = read_address("postgresql://me:,sesame,\0@db.example/shop"s);
  ASSERT_FALSE(address) << address->name;
  EXPECT_EQ(address.error().message.find("sesame"), std::string::npos) << address.error().message;
}

}  // namespace
}  // namespace write_aside::postgresql
