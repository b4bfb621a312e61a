// Goal: the fake event stream of the simulations keeps every promise of the EventStream port, with and without the
// offsets that Kafka's markers take, when those markers arrive late, and when records are held back until the end.
#include <memory>
#include <thread>

#include "contract/event_stream_contract.hpp"
#include "contract/event_stream_group_contract.hpp"
#include "contract/event_stream_holding_back_contract.hpp"
#include "support/fake_event_stream.hpp"

namespace write_aside::contract {
namespace {

template <bool markers, bool compacts, int marker_delay_ms = 0, bool holds_back = false>
class FakeStreamHarness {
 public:
  static constexpr bool compacts_at_once = compacts;
  static constexpr std::chrono::milliseconds shortest_time_out{100};
  static std::chrono::milliseconds patience() { return 10s; }
  static void pass(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

  static std::string name(std::string text) { return text; }
  std::shared_ptr<ports::EventStream> open() {
    return std::make_shared<support::FakeEventStream>(state_, ports::system_runtime());
  }

 private:
  std::shared_ptr<support::FakeEventStreamState> state_ = std::make_shared<support::FakeEventStreamState>(
      ports::system_runtime(),
      support::FakeStreamOptions{.markers = markers,
                                 .compacts = compacts,
                                 .marker_delay_max = std::chrono::milliseconds(marker_delay_ms),
                                 .holds_back = holds_back});
};

using KafkaLike = FakeStreamHarness<true, false>;
using WithLateMarkers = FakeStreamHarness<true, false, 20>;
using HoldingBack = FakeStreamHarness<true, true, 0, true>;
using WithoutGaps = FakeStreamHarness<false, true>;

INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamLikeKafka, EventStreamContract, KafkaLike);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamLikeKafka, EventStreamHoldingBackContract, KafkaLike);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamLikeKafka, EventStreamGroupContract, KafkaLike);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamWithLateMarkers, EventStreamContract, WithLateMarkers);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamWithLateMarkers, EventStreamHoldingBackContract, WithLateMarkers);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamHoldingBack, EventStreamContract, HoldingBack);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamHoldingBack, EventStreamHoldingBackContract, HoldingBack);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamWithoutGaps, EventStreamContract, WithoutGaps);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeStreamWithoutGaps, EventStreamHoldingBackContract, WithoutGaps);

}  // namespace
}  // namespace write_aside::contract
