// An event stream in memory, behind ports/event_stream.hpp. It passes the contract suite, so that what is proved on it
// in simulations means something for a real one. fake_event_stream_state.hpp says how it behaves.
//
// Acknowledgements come from within produce().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/fake_event_stream_state.hpp"

namespace write_aside::support {

class FakeEventStream final : public ports::EventStream {
 public:
  // `runtime` is that of the process that uses this object; it outlives it, as does the state's.
  FakeEventStream(std::shared_ptr<FakeEventStreamState> state, ports::Runtime& runtime)
      : state_(std::move(state)), runtime_(runtime) {}

  std::string name() const override { return "fake:stream"; }
  Result<std::string> identity() override;
  Result<std::optional<ports::TopicInfo>> topic(const std::string& name) override;
  Result<std::vector<ports::TopicInfo>> topics() override;
  Result<bool> create_topic(const ports::TopicSpec& spec, ports::Deadline deadline) override;
  std::size_t record_bytes_max() const override { return state_->options_.record_bytes_max; }
  Result<std::unique_ptr<ports::TransactionalProducer>> transactional_producer(
      const std::string& transactional_id, std::chrono::milliseconds transaction_timeout,
      ports::Deliveries& deliveries) override;
  Result<std::unique_ptr<ports::Producer>> producer(ports::Deliveries& deliveries) override;
  Result<std::unique_ptr<ports::Reader>> reader(const std::vector<ports::ReadFrom>& from,
                                                ports::Isolation isolation) override;
  Result<Bounds> bounds(const std::string& topic, std::int32_t partition, ports::Isolation isolation) override;
  Result<void> store_positions(const std::string& consumer, std::span<const ports::Position> positions) override;
  Result<std::vector<ports::Position>> positions(const std::string& consumer) override;
  Result<std::unique_ptr<ports::GroupMember>> join_group(const ports::GroupSpec& spec) override;

 private:
  std::shared_ptr<FakeEventStreamState> state_;
  ports::Runtime& runtime_;
};

}  // namespace write_aside::support
