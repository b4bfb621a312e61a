// The records that a publication becomes in the stream: CloudEvents 1.0, Kafka binary mode, plus `wa-unit`.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/publication.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/unit_id.hpp"

namespace write_aside::core {

// "2026-11-24T01:02:03.456Z"
[[nodiscard]] std::string rfc3339(std::int64_t time_ms);

// Views over publications, ready for `produce`. Refers to the publications given to add(), which outlive it.
class Envelope {
 public:
  // `unit`: the key for the header `wa-unit`; none at the levels that have no journal.
  void add(const Publication& publication, const UnitId* unit);
  // The ledger record of a batch. Refers to `topic` and `value`; keeps the key.
  void add_ledger(std::string_view topic, LaneNumber lane, std::string key, std::string_view value,
                  std::int64_t time_ms);
  [[nodiscard]] std::span<const ports::RecordView> records();

 private:
  struct Pending {
    ports::RecordView record;
    std::size_t headers_begin;
    std::size_t headers_count;
  };

  std::vector<std::unique_ptr<const std::string>> texts_;  // stable addresses for what is made here
  std::vector<ports::HeaderView> headers_;
  std::vector<Pending> pending_;
  std::vector<ports::RecordView> records_;
};

}  // namespace write_aside::core
