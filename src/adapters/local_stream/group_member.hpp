// A member of a consumer group of a local stream: a row of the stream's file with a sign of life.
//
// Everyone reads the rows of the living, in the order of their names, and takes every n-th partition: all who see the same
// rows come to the same division, without a leader. A dead process of this host is left out at once, any other
// member when its session times out.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/local_stream/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::local_stream {

class LocalGroupMember final : public ports::GroupMember {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ports::GroupMember>> join(std::shared_ptr<Store> store,
                                                                        const ports::GroupSpec& spec);
  LocalGroupMember(std::shared_ptr<Store> store, sqlite_handles::Connection connection, ports::GroupSpec spec,
                   std::vector<ports::TopicPartition> partitions);
  ~LocalGroupMember() override;

  Result<std::vector<ports::TopicPartition>> share() override;
  Result<void> report(std::span<const ports::Position> positions) override;

 private:
  [[nodiscard]] Result<void> beat();
  [[nodiscard]] Result<void> leave();
  [[nodiscard]] Result<void> put_row(sqlite_handles::Connection& connection) const;
  [[nodiscard]] Result<void> drop_row(sqlite_handles::Connection& connection) const;
  [[nodiscard]] Result<std::vector<std::string>> living();

  std::shared_ptr<Store> store_;
  sqlite_handles::Connection connection_;
  const ports::GroupSpec spec_;
  const std::string member_;
  const std::string process_;
  const std::vector<ports::TopicPartition> partitions_;  // of all the topics
  std::chrono::steady_clock::time_point beat_at_;
  std::chrono::steady_clock::time_point looked_at_;
  std::vector<ports::TopicPartition> share_;
};

}  // namespace write_aside::local_stream
