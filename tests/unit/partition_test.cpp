// Goal: a key goes to the partition that Kafka's Java client would take. The vectors are those of Kafka's own
// UtilsTest.testMurmur2; a service written in Java and one that uses this library must agree on every key.
#include "core/partition.hpp"

#include <gtest/gtest.h>

#include <string>

namespace write_aside::core {
namespace {

TEST(Partition, HashesAsKafkasJavaClient) {
  EXPECT_EQ(murmur2("21"), -973932308);
  EXPECT_EQ(murmur2("foobar"), -790332482);
  EXPECT_EQ(murmur2("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(murmur2("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(murmur2("abc"), 479470107);
}

TEST(Partition, ClearsTheSignInsteadOfNegating) {
  // -973932308 & 0x7fffffff = 1173551340; the absolute value would give another partition.
  EXPECT_EQ(partition_of("21", 7), 1173551340 % 7);
  EXPECT_NE(1173551340 % 7, 973932308 % 7);
}

TEST(Partition, TakesBytesAboveAsciiAsUnsigned) {
  // Computed with an independent implementation; Java masks each byte with 0xff.
  EXPECT_EQ(murmur2("\xff\x80\x7f"), 968261134);
  EXPECT_EQ(murmur2("\xff\xfe\xfd\xfc\xfb"), 524068735);
  EXPECT_EQ(murmur2(""), 275646681);
}

TEST(Partition, StaysInRangeForEveryCount) {
  for (std::int32_t partitions = 1; partitions <= 64; ++partitions) {
    for (int key = 0; key < 200; ++key) {
      const std::int32_t partition = partition_of(std::to_string(key), partitions);
      EXPECT_GE(partition, 0);
      EXPECT_LT(partition, partitions);
    }
  }
}

}  // namespace
}  // namespace write_aside::core
