// Journal payloads and ledger records: what is written is read, what is damaged is refused.
#include <gtest/gtest.h>

#include "core/crc32c.hpp"
#include "core/ledger_record.hpp"
#include "core/publication.hpp"

namespace write_aside::core {
namespace {

Publication sample() {
  return {.source = "shop",
          .time_ms = 1'700'000'000'123,
          .events = {{.topic = "orders",
                      .key = "17",
                      .type = "order.created",
                      .value = std::string("{\"id\":17}\0binary", 16),
                      .id = "a-1",
                      .headers = {{"region", "eu"}, {"empty", ""}}},
                     {.topic = "audit", .key = std::nullopt, .type = "t", .value = std::nullopt, .id = "a-2"}}};
}

TEST(Publication, ReadsWhatItWrote) {
  const auto read = decode_publication(encode(sample()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->source, "shop");
  EXPECT_EQ(read->time_ms, sample().time_ms);
  ASSERT_EQ(read->events.size(), 2u);
  EXPECT_EQ(read->events[0].value, sample().events[0].value);
  EXPECT_EQ(read->events[0].headers, sample().events[0].headers);
  EXPECT_EQ(read->events[1].key, std::nullopt);
  EXPECT_EQ(read->events[1].value, std::nullopt);
}

TEST(Publication, RefusesEveryTruncation) {
  const std::string payload = encode(sample());
  for (std::size_t size = 0; size < payload.size(); ++size) {
    EXPECT_FALSE(decode_publication(std::string_view(payload).substr(0, size))) << size;
  }
}

TEST(Publication, RefusesEveryFlippedBit) {
  const std::string payload = encode(sample());
  for (std::size_t bit = 0; bit < payload.size() * 8; ++bit) {
    std::string damaged = payload;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_publication(damaged)) << bit;
  }
}

// The payload's layout is a promise: a journal written by an older version must be read by a newer one.
TEST(Publication, KeepsItsLayout) {
  const Publication one{
      .source = "s",
      .time_ms = 1,
      .events = {{.topic = "t", .key = "k", .type = "y", .value = "v", .id = "i", .content_type = "c"}}};
  const std::string body(
      "\x01\x01s\x01\x01\x01t\x02k\x01y\x02v\x01i\x01"
      "c\x00",
      18);
  EXPECT_EQ(encode(one).substr(0, encode(one).size() - 4), body);
}

TEST(Crc32c, AgreesWithTheStandardsTestVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
}

TEST(LedgerRecord, ReadsWhatItWrote) {
  const LedgerRecord record{{3, 17}, {4, 2, 9, 1}};
  EXPECT_EQ(decode_ledger_record(encode(record)), record);
}

TEST(LedgerRecord, RefusesWhatIsDamaged) {
  const std::string good = encode(LedgerRecord{{3, 17}, {4, 2, 9, 1}});
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string damaged = good;
    damaged[at] = damaged[at] == '0' ? '1' : '0';
    EXPECT_FALSE(decode_ledger_record(damaged)) << damaged;
  }
  EXPECT_FALSE(decode_ledger_record(""));
  EXPECT_FALSE(decode_ledger_record("2 3 17 4.2.9.1 0"));
}

TEST(UnitId, ReadsWhatItWrote) {
  const UnitId id{4, 1'000'000'000'000, 17, 3};
  EXPECT_EQ(parse_unit_id(to_string(id)), id);
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.x", "-1.2.3.4", "1.2.3.4 ", "1..3.4"}) {
    EXPECT_FALSE(parse_unit_id(bad)) << bad;
  }
}

}  // namespace
}  // namespace write_aside::core
