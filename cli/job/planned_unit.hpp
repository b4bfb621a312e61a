// A unit of work as the input asks for it, before it is run. Everything refers to memory of the chunk it came in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "job/position.hpp"
#include "write_aside/value.hpp"

namespace write_aside::cli {

// Keeps what the units of a chunk need beside the input's own bytes.
class Arena {
 public:
  [[nodiscard]] std::string_view keep(std::string_view text) {
    if (text.empty()) return {};
    auto* copy = static_cast<char*>(memory_.allocate(text.size(), 1));
    text.copy(copy, text.size());
    return {copy, text.size()};
  }
  template <class T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] std::span<const T> keep(const std::vector<T>& values) {
    if (values.empty()) return {};
    auto* copy = static_cast<T*>(memory_.allocate(values.size() * sizeof(T), alignof(T)));
    std::uninitialized_copy(values.begin(), values.end(), copy);
    return {copy, values.size()};
  }
  void clear() { memory_.release(); }

 private:
  std::pmr::monotonic_buffer_resource memory_;
};

struct PlannedStatement {
  std::string_view sql;
  std::span<const Parameter> parameters;
  std::size_t at = 0;  // where it stands in the record, in bytes
};

struct PlannedHeader {
  std::string_view name;
  std::string_view value;
};

struct PlannedEvent {
  std::string_view topic;
  std::optional<std::string_view> key;
  std::string_view type;
  std::optional<std::string_view> value;
  std::optional<std::string_view> id;
  std::string_view content_type = "application/json";
  std::span<const PlannedHeader> headers;
  std::size_t at = 0;
};

// Why a record cannot be a unit of work, or why the stores refused it.
struct Refusal {
  std::size_t at = 0;   // in the record, in bytes
  std::string message;  // reason and remedy
};

struct PlannedUnit {
  std::uint64_t number = 0;   // among all units of the input, from 1
  std::uint64_t line = 0;     // where the record begins, from 1
  std::string_view text;      // the record as it was written, without its line end
  std::uint64_t own_sum = 0;  // with several workers: of its worker's units up to this one (WorkerPosition::sum)
  std::span<const PlannedStatement> statements;
  std::span<const PlannedEvent> events;
  std::string_view ordering_key;
  Mark after;
  std::optional<Refusal> refusal;
};

// Line and column, both from 1; the column counts characters.
struct Place {
  std::uint64_t line = 0;
  std::uint64_t column = 0;
};
[[nodiscard]] Place place_of(const PlannedUnit& unit, std::size_t at);

}  // namespace write_aside::cli
