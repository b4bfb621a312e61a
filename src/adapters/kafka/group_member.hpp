// A member of a consumer group, by a client that does nothing else.
//
// Its partitions are paused as they come, and what arrives before that is dropped: records are read by a KafkaReader, from
// positions that the group does not know of. A revocation is answered at once: whoever works on a partition is stopped
// by the database, not by the group.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/kafka/client.hpp"
#include "adapters/kafka/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::kafka {

class KafkaGroupMember final : public ports::GroupMember {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ports::GroupMember>> join(std::shared_ptr<Store> store,
                                                                        const ports::GroupSpec& spec);
  KafkaGroupMember(std::shared_ptr<Store> store, std::unique_ptr<Client> client, const ports::GroupSpec& spec);
  ~KafkaGroupMember() override;

  Result<std::vector<ports::TopicPartition>> share() override;
  Result<void> report(std::span<const ports::Position> positions) override;

 private:
  void leave();
  [[nodiscard]] Result<void> serve();
  [[nodiscard]] Result<std::vector<ports::TopicPartition>> assigned();

  std::shared_ptr<Store> store_;
  std::unique_ptr<Client> client_;
  const std::string group_;
  const bool is_static_;
  std::vector<ports::TopicPartition> share_;
};

}  // namespace write_aside::kafka
