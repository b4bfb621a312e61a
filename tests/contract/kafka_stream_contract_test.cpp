// Goal: a real Kafka broker behind the adapter keeps every promise of the EventStream port.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "contract/event_stream_contract.hpp"
#include "contract/event_stream_group_contract.hpp"
#include "contract/event_stream_holding_back_contract.hpp"
#include "support/kafka_server.hpp"

namespace write_aside::contract {
namespace {

// Topics of its own for every test, on the broker that all of them share.
class KafkaHarness {
 public:
  static constexpr bool compacts_at_once = false;
  static constexpr std::chrono::milliseconds shortest_time_out{1'000};
  static std::chrono::milliseconds patience() { return 20s; }
  static void pass(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

  std::string name(const std::string& text) const { return unique_(text); }
  static std::shared_ptr<ports::EventStream> open() { return support::open_kafka(); }

 private:
  support::UniqueNames unique_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Kafka, EventStreamContract, KafkaHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(Kafka, EventStreamHoldingBackContract, KafkaHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(Kafka, EventStreamGroupContract, KafkaHarness);

}  // namespace
}  // namespace write_aside::contract
