// The coordinator's inside: the lanes it holds, the housekeeping thread, and what units share.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordination/arrivals.hpp"
#include "coordination/context.hpp"
#include "coordination/direct_publisher.hpp"
#include "coordination/heir.hpp"
#include "coordination/lane_driver.hpp"

namespace write_aside::coordination {

class Core final : public LaneDirectory {
 public:
  // Where a unit's place is.
  struct Place {
    LaneDriver* driver = nullptr;
    MemberPointer member;
  };

  [[nodiscard]] static Result<std::unique_ptr<Core>> open(std::shared_ptr<ports::Database> database,
                                                          std::shared_ptr<ports::EventStream> stream,
                                                          CoordinatorOptions options,
                                                          std::vector<LaneNumber> only = {});
  Core(Context context, std::vector<LaneNumber> only);
  ~Core() override;

  [[nodiscard]] const Context& context() const { return context_; }
  [[nodiscard]] const std::string& source() const { return context_.options.source; }
  [[nodiscard]] DirectPublisher& direct_publisher() { return *direct_publisher_; }

  // C1: the topic as the stream knows it; cached, since partitions and names do not change under us.
  [[nodiscard]] Result<void> check_topic(const std::string& topic);
  [[nodiscard]] std::string next_event_id();
  [[nodiscard]] std::int64_t wall_clock_ms() const;

  // C2. Waits for a place, bounded by join_timeout. `lane`: there or nowhere.
  [[nodiscard]] Result<Place> join(const std::shared_ptr<const core::Publication>& publication,
                                   std::string_view ordering_key, std::optional<LaneNumber> lane);
  [[nodiscard]] bool drain(TimePoint deadline);
  [[nodiscard]] std::vector<LaneNumber> lanes();
  [[nodiscard]] Result<void> await_lane(TimePoint deadline);
  // Waits until the lane has nothing undelivered left, or cannot be had.
  void sleep_until_change(TimePoint deadline);

  std::optional<LaneNumber> claim_lane() override;
  bool claim(LaneNumber lane) override;
  void unclaim_lane(LaneNumber lane) override;
  Demand demand(const LaneDriver& asking) override;
  void lane_changed() override;
  void wants_housekeeping() override;

 private:
  using Lock = std::unique_lock<ports::Mutex>;

  void start_lanes();
  void run_housekeeping();
  // As many as it may.
  [[nodiscard]] bool holds_all_lanes() const;
  [[nodiscard]] Result<Place> try_join(const std::shared_ptr<const core::Publication>& publication,
                                       std::string_view ordering_key, std::optional<LaneNumber> lane);
  [[nodiscard]] Result<Place> wait_for_place(const std::shared_ptr<const core::Publication>& publication,
                                             std::string_view ordering_key, std::optional<LaneNumber> lane);
  // True if there is no other.
  [[nodiscard]] bool other_lane_is_free(const LaneDriver& asking) const;
  void note_arrival();
  [[nodiscard]] Error no_lane_error();

  Context context_;
  const std::vector<LaneNumber> only_;  // the lanes that may be claimed; empty: all
  std::unique_ptr<DirectPublisher> direct_publisher_;

  std::unique_ptr<ports::Mutex> lock_;
  std::unique_ptr<ports::Condition> changed_;  // a lane changed
  std::unique_ptr<ports::Condition> housework_;
  std::uint64_t change_count_ = 0;
  bool housekeeping_wanted_ = false;
  TimePoint housework_at_ = TimePoint::min();  // when the housekeeping thread will wake; min: it is awake
  bool stopping_ = false;
  std::set<LaneNumber> claimed_;
  std::map<std::string, bool, std::less<>> topics_;

  std::string event_id_prefix_;
  std::atomic<std::uint64_t> event_count_ = 0;
  std::atomic<std::size_t> next_lane_ = 0;
  Arrivals arrivals_;
  std::atomic<std::chrono::nanoseconds> arrival_gap_{Demand{}.arrival_gap};  // as of the last arrival
  std::atomic<std::uint32_t> waiting_count_ = 0;                             // units without a place
  std::vector<std::unique_ptr<LaneDriver>> drivers_;
  std::unique_ptr<Heir> heir_;  // none where only certain lanes may be claimed
  std::unique_ptr<ports::Thread> housekeeping_;
};

}  // namespace write_aside::coordination
