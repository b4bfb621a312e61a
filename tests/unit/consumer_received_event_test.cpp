// Goal: an event's identity is what its producer or its place says, and two that differ never become one.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "consumer/received_event.hpp"

namespace write_aside::consumer {
namespace {

ports::StoredRecord record(const std::vector<Header>& headers) {
  return {.topic = "orders", .partition = 2, .offset = 7, .key = {}, .value = {}, .headers = headers};
}

ReceivedEvent received(const std::vector<Header>& headers, const std::string& identity_header = {}) {
  return receive(record(headers), identity_header, "t1").value();
}

std::string id_of(const std::string& id) { return received({{"ce_source", "s"}, {"ce_id", id}}).id; }

TEST(ReceivedEvent, IsIdentifiedBySourceAndIdIfItHasBoth) {
  const ReceivedEvent event = received({{"ce_source", "shop"}, {"ce_id", "e1"}, {"ce_id", "e2"}});
  EXPECT_EQ(event.source, "shop");
  EXPECT_EQ(event.id, "e1");
  for (const std::vector<Header>& headers :
       {std::vector<Header>{}, {{"ce_id", "e1"}}, {{"ce_source", "shop"}}, {{"ce_source", "shop"}, {"ce_id", ""}}}) {
    const ReceivedEvent by_place = received(headers);
    EXPECT_EQ(by_place.source, "orders[2] of t1");
    EXPECT_EQ(by_place.id, "7");
  }
}

TEST(ReceivedEvent, IsIdentifiedByTheHeaderThatWasChosen) {
  const ReceivedEvent event = received({{"ce_source", "shop"}, {"ce_id", "e1"}, {"id", "x"}}, "id");
  EXPECT_EQ(event.source, "orders");
  EXPECT_EQ(event.id, "x");
  for (const std::vector<Header>& headers : {std::vector<Header>{}, {{"id", ""}}}) {
    const auto refused = receive(record(headers), "id", "t1");
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().message,
              "orders[2]@7 has no header 'id', which is to identify it; choose another identity header, or none");
  }
}

TEST(ReceivedEvent, KeepsIdentitiesApart) {
  const std::string huge(5'000, 'x');
  const std::vector<std::string> ids{"a",
                                     "A",
                                     "\xff",
                                     "\\xff",
                                     "\\\\xff",
                                     "\\x5c786666",
                                     std::string("a\0b", 3),
                                     "\\",
                                     huge,
                                     huge + "y",
                                     "y" + huge,
                                     huge + "\xff",
                                     " ",
                                     "\xc3\xbc",
                                     "\\xc3bc",
                                     std::string("a\0", 2),
                                     std::string(1, '\0')};
  std::set<std::string> columns;
  for (const std::string& id : ids) columns.insert(id_of(id));
  // What a long one becomes is no way to become one.
  columns.insert(id_of(id_of(huge)));
  columns.insert(id_of(id_of("\xff") + "0"));
  EXPECT_EQ(columns.size(), std::set<std::string>(ids.begin(), ids.end()).size() + 2);
  for (const std::string& column : columns) {
    EXPECT_LE(column.size(), 900u) << "an index takes it";
    EXPECT_TRUE(std::all_of(column.begin(), column.end(), [](char c) { return c >= ' ' && c <= '~'; })) << column;
  }
}

}  // namespace
}  // namespace write_aside::consumer
