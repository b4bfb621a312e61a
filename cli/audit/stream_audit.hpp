// Compares what the stream shows with what the database says was applied. Pure: it is told everything it knows.
//
// Inputs of `apply` and `load` give their events the ids LINE.INDEX, and their progress says how many lines are committed;
// that is what lost, torn, orphan and out-of-order are judged by. Repeated ids are found for every source. What one worker
// applied is in the order of the input; what several applied, in that of each ordering key, which must be told here.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "job/position.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::cli {

enum class Violation : std::size_t { lost, orphan, duplicate, torn, out_of_order };
inline constexpr std::array<std::string_view, 5> violation_names{"lost", "orphan", "duplicate", "torn", "out_of_order"};

class StreamAudit {
 public:
  // The progress of a source; none: it is no input of ours.
  using Progress = std::function<std::optional<Position>(const std::string& source)>;

  explicit StreamAudit(Progress progress) : progress_(std::move(progress)) {}

  // Before the first record, of an input that several workers applied: the ordering keys of its lines, as numbers, 0 for a
  // line without one.
  void order_by_line(const std::string& source, std::vector<std::uint64_t> keys);
  // The same where the event's key is the ordering key.
  void order_by_event_key(const std::string& source);

  // Every committed record, per partition in the order of offsets.
  void see(const ports::StoredRecord& record);
  // After the last record: events of units that the database never committed.
  void find_orphans();

  // An input, line by line after all records: the ids of the events that it asks for.
  struct InputUnit {
    std::uint64_t line = 0;
    std::vector<std::string> ids;
  };
  void compare(const std::string& source, const InputUnit& unit);
  // After the last of them. `rejected`: units that were passed over with --on-error skip.
  void finish_input(const std::string& source, std::uint64_t rejected);

  [[nodiscard]] std::uint64_t count(Violation kind) const { return counts_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::uint64_t foreign() const { return foreign_; }
  // Events of several workers' inputs whose ordering keys were not told: their order was not judged.
  [[nodiscard]] std::uint64_t order_unknown() const { return order_unknown_; }
  // The first violations, in words.
  [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }
  [[nodiscard]] std::vector<std::string> sources() const;

 private:
  struct EventNumber {
    std::uint64_t line = 0;
    std::uint64_t index = 0;
    auto operator<=>(const EventNumber&) const = default;
  };
  using OrderKey = std::uint64_t;  // 0: all of the source
  struct Source {
    bool is_known = false;  // its progress was asked for
    bool is_input = false;
    bool had_workers = false;  // several of them
    bool order_is_event_key = false;
    std::vector<OrderKey> order_by_line;
    std::map<std::tuple<std::string, std::int32_t, OrderKey>, EventNumber> last;  // by partition
    std::map<std::uint64_t, std::uint64_t> beyond;  // events by line, of lines not committed at first sight
    std::uint64_t committed_line = 0;               // by the progress, as last asked
    std::uint64_t missing = 0;
    std::vector<std::uint64_t> missing_lines;  // the first few
  };
  // 128 bits of a source and an id: two different ones do not meet.
  struct Fingerprint {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    bool operator==(const Fingerprint&) const = default;
  };
  struct FingerprintHash {
    std::size_t operator()(const Fingerprint& fingerprint) const { return fingerprint.low; }
  };

  [[nodiscard]] static Fingerprint fingerprint(std::string_view source, std::string_view id);
  [[nodiscard]] static std::optional<EventNumber> parse_number(std::string_view id);
  [[nodiscard]] Source& source_of(std::string_view name);
  // Among which events of its partition this one has an order; none: among none.
  [[nodiscard]] std::optional<OrderKey> order_of(const Source& source, const ports::StoredRecord& record,
                                                 EventNumber number);
  void check_order(Source& source, const ports::StoredRecord& record, std::string_view name, EventNumber number);
  void report(Violation kind, std::uint64_t count, std::string text);

  Progress progress_;
  std::map<std::string, Source, std::less<>> sources_;
  std::unordered_set<Fingerprint, FingerprintHash> seen_;
  std::array<std::uint64_t, violation_names.size()> counts_{};
  std::uint64_t events_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t order_unknown_ = 0;
  std::vector<std::string> texts_;
};

}  // namespace write_aside::cli
