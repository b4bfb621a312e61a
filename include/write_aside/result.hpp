// A value or an Error. `tl::expected`, under one name.
//
// Results are to be looked at: every function that returns one is marked [[nodiscard]]. `.value()`
// throws tl::bad_expected_access<Error> for callers who prefer exceptions (not on Result<void>: tl::expected 1.0 lacks it).
//
//   if (auto opened = Coordinator::open(database, stream, {}); !opened) return failure(opened);
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "write_aside/error.hpp"

namespace write_aside {

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> failure(Error error) { return tl::unexpected<Error>(std::move(error)); }

// Passes the error of one Result on as the failure of another.
template <class T>
[[nodiscard]] tl::unexpected<Error> failure(const Result<T>& result) {
  return tl::unexpected<Error>(result.error());
}
template <class T>
[[nodiscard]] tl::unexpected<Error> failure(Result<T>&& result) {
  return tl::unexpected<Error>(std::move(result).error());
}

}  // namespace write_aside
