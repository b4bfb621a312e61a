#include "adapters/postgresql/arguments.hpp"

#include <array>
#include <charconv>
#include <variant>

namespace write_aside::postgresql {
namespace {

template <class Number>
std::string_view print(std::array<char, 32>& buffer, Number number) {
  const auto printed = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return {buffer.data(), static_cast<std::size_t>(printed.ptr - buffer.data())};
}

}  // namespace

Arguments Arguments::of_parameters(std::span<const Parameter> parameters) {
  Arguments arguments;
  arguments.places_.reserve(parameters.size());
  for (const Parameter& parameter : parameters) {
    std::visit(
        [&arguments](const auto& value) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
            arguments.add(nullptr);
          } else {
            arguments.add(value);
          }
        },
        parameter.storage());
  }
  return arguments;
}

void Arguments::add(std::nullptr_t) { places_.emplace_back(); }

void Arguments::add(bool value) { add_terminated(value ? "t" : "f"); }

void Arguments::add(std::int64_t value) {
  std::array<char, 32> buffer{};
  add_terminated(print(buffer, value));
}

void Arguments::add(std::uint64_t value) {
  std::array<char, 32> buffer{};
  add_terminated(print(buffer, value));
}

// The shortest text that reads back as the same number; infinities and NaN as the server spells them, too.
void Arguments::add(double value) {
  std::array<char, 32> buffer{};
  add_terminated(print(buffer, value));
}

void Arguments::add(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) holds_nul_ = true;
  add_terminated(text);
}

void Arguments::add(BlobView blob) {
  // A null pointer would mean NULL.
  places_.push_back(
      {blob.bytes.empty() ? "" : blob.bytes.data(), 0, static_cast<int>(blob.bytes.size()), Place::Kind::blob});
}

void Arguments::add_terminated(std::string_view text) {
  places_.push_back({nullptr, texts_.size(), static_cast<int>(text.size()), Place::Kind::text});
  texts_.append(text).push_back('\0');
}

Arguments::Arrays Arguments::arrays() const {
  Arrays arrays;
  arrays.values.reserve(places_.size());
  arrays.lengths.reserve(places_.size());
  arrays.formats.reserve(places_.size());
  for (const Place& place : places_) {
    const bool is_text = place.kind == Place::Kind::text;
    arrays.values.push_back(is_text ? texts_.data() + place.offset : place.bytes);
    arrays.lengths.push_back(place.length);
    arrays.formats.push_back(place.kind == Place::Kind::blob ? 1 : 0);
  }
  return arrays;
}

}  // namespace write_aside::postgresql
