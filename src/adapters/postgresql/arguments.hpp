// The values of a statement's parameters in the form that libpq takes: text, with types that the server infers, and
// bytes as they are.
//
// Text is copied, because libpq wants it terminated; the bytes of a BlobView are not, and must live until the
// statement is queued.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/value.hpp"

namespace write_aside::postgresql {

class Arguments {
 public:
  Arguments() = default;
  template <class... T>
  [[nodiscard]] static Arguments of(const T&... values) {
    Arguments arguments;
    arguments.places_.reserve(sizeof...(values));
    (arguments.add(values), ...);
    return arguments;
  }
  [[nodiscard]] static Arguments of_parameters(std::span<const Parameter> parameters);

  void add(std::nullptr_t);
  void add(bool value);
  void add(std::int64_t value);
  void add(std::uint64_t value);
  void add(double value);
  void add(std::string_view text);
  void add(BlobView blob);
  template <std::integral T>
  requires(!std::same_as<T, bool>) void add(T value) {
    if constexpr (std::signed_integral<T>) {
      add(static_cast<std::int64_t>(value));
    } else {
      add(static_cast<std::uint64_t>(value));
    }
  }
  template <class T>
  void add(const std::optional<T>& value) {
    if (value) {
      add(*value);
    } else {
      add(nullptr);
    }
  }

  [[nodiscard]] int count() const { return static_cast<int>(places_.size()); }
  // A text holds a NUL character, where the server would stop reading.
  [[nodiscard]] bool holds_nul() const { return holds_nul_; }

  // Libpq's three arrays. They refer to this object, and are valid until it changes.
  struct Arrays {
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
  };
  [[nodiscard]] Arrays arrays() const;

 private:
  struct Place {
    const char* bytes = nullptr;  // of a blob
    std::size_t offset = 0;       // of a text
    int length = 0;
    enum class Kind { null, text, blob } kind = Kind::null;
  };
  void add_terminated(std::string_view text);

  std::vector<Place> places_;
  std::string texts_;
  bool holds_nul_ = false;
};

}  // namespace write_aside::postgresql
