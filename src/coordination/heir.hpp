// T6: settles what others left on lanes that nobody takes, because every coordinator holds as many as it may.
//
// The housekeeping thread looks, at intervals; a lane that is found is taken, settled and released by a thread of its
// own, one lane at a time. So whoever waits for events of a dead process need not wait until it comes back, nor a
// reader, whom its open stream transaction holds back, until the stream ends that.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordination/lane_driver.hpp"

namespace write_aside::coordination {

class Heir {
 public:
  Heir(const Context& context, LaneDirectory& directory);

  // From the housekeeping thread. `lanes_are_held`: the coordinator has all the lanes that it may keep; before that it
  // keeps what it finds. Returns when it wants to be called again.
  TimePoint keep_house(bool lanes_are_held);
  // Nothing new is begun; what is under way ends by `deadline`, and `join` waits for that. Housekeeping must go on.
  void request_stop(TimePoint deadline);
  void join();

 private:
  using Lock = std::unique_lock<ports::Mutex>;

  void look();
  void settle_next();

  const Context& context_;
  LaneDirectory& directory_;

  TimePoint look_due_{};
  std::vector<LaneNumber> found_;  // at the last look, and not tried yet
  // Owners that were silent for too long, at the last look. When the database was away every owner is, for a moment; so
  // only a second look tells who is gone.
  std::set<std::string> silent_;

  std::unique_ptr<ports::Mutex> lock_;  // guards what follows; only the housekeeping thread writes `driver_`
  bool stopping_ = false;
  std::unique_ptr<LaneDriver> driver_;
};

}  // namespace write_aside::coordination
