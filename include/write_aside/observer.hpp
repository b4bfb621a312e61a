// What the library has to tell beyond return values: for logs, metrics and alarms. The library never prints.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "write_aside/unit_id.hpp"

namespace write_aside {

struct Notice {
  enum class Kind {
    lane_taken,     // a lane is ours and settled what its last owner left
    lane_lost,      // another process took the lane
    lane_halted,    // the lane waits for the operator; `text` says why
    batch_settled,  // a stream transaction is committed
    batch_broken,   // a stream transaction was aborted and is made again
    unit_in_doubt,  // a COMMIT was not answered
    unit_resolved,  // the doubt is over
    unit_adopted,   // a late unit of an earlier owner was delivered
    store_failed,   // a store refused background work; it is tried again
    store_warning,  // a store is set up so that it may lose what it acknowledged; `text` says how
  };
  Kind kind;
  LaneNumber lane = 0;
  std::optional<UnitId> unit = {};
  std::optional<BatchId> batch = {};
  std::chrono::nanoseconds took{0};
  std::string text = {};
};

// Called from the library's threads and from callers' threads, sometimes several at once; must return soon,
// must not throw, and must not call the library.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void notice(const Notice& notice) noexcept = 0;
};

}  // namespace write_aside
