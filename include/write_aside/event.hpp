// An event: what a unit of work publishes.
//
// On the wire an event is a CloudEvents 1.0 message in Kafka's binary mode: the value as it is, the
// attributes as headers `ce_id`, `ce_source`, `ce_type`, `ce_specversion`, `ce_time`, `content-type`,
// and the header `wa-unit`, the unit's id. `ce_source` and `ce_id` together identify an event for ever,
// over every retry and redelivery.
//
// Plain data; copy and move freely.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace write_aside {

struct Header {
  std::string name;
  std::string value;  // any bytes
  bool operator==(const Header&) const = default;
};

struct Event {
  std::string topic;
  std::optional<std::string> key = {};    // decides the partition (murmur2, as Kafka's Java client); none: any
  std::string type = {};                  // ce_type, for instance "order.paid"
  std::optional<std::string> value = {};  // any bytes; none: a Kafka tombstone
  std::string id = {};                    // ce_id; empty: the library makes one that never repeats
  std::string content_type = "application/json";
  std::vector<Header> headers = {};  // the caller's own; names are unique and do not begin with `ce_` or `wa-`
};

}  // namespace write_aside
