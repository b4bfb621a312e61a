// Values that go into and come out of SQL statements.
//
// A Parameter refers to the caller's text and bytes; it must not outlive them. A Value owns what it holds.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace write_aside {

struct Blob {
  std::string bytes;
  bool operator==(const Blob&) const = default;
};
struct BlobView {
  std::string_view bytes;
};

using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, Blob>;

class Parameter {
 public:
  using Storage = std::variant<std::monostate, bool, std::int64_t, double, std::string_view, BlobView>;

  Parameter() = default;  // NULL
  Parameter(std::nullptr_t) {}
  Parameter(bool value) : storage_(value) {}
  template <std::integral T>
  requires(!std::same_as<T, bool> && (std::signed_integral<T> || sizeof(T) < 8)) Parameter(T value)
      : storage_(static_cast<std::int64_t>(value)) {}
  Parameter(double value) : storage_(value) {}
  Parameter(std::string_view value) : storage_(value) {}
  Parameter(const std::string& value) : storage_(std::string_view(value)) {}
  Parameter(const char* value) : storage_(std::string_view(value)) {}
  Parameter(BlobView value) : storage_(value) {}

  [[nodiscard]] const Storage& storage() const { return storage_; }

 private:
  Storage storage_;
};

// One statement with its parameters; refers to both.
struct Statement {
  std::string_view sql;
  std::span<const Parameter> parameters;
};

// What a statement gave: named columns and rows, and for a change the number of rows changed.
struct Rows {
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;
  std::int64_t changed = 0;
};

}  // namespace write_aside
