// The two lower guarantee levels: no journal, no lane.
//
//   at_least_once  produce, wait for the acknowledgement, COMMIT.
//   transactional  a stream transaction of its own for each unit: vote, COMMIT, stream commit.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordination/context.hpp"
#include "core/publication.hpp"

namespace write_aside::coordination {

class DirectPublisher final : public ports::Deliveries {
 public:
  [[nodiscard]] static Result<std::unique_ptr<DirectPublisher>> open(const Context& context);
  explicit DirectPublisher(const Context& context);

  // Publishes and commits one unit; the whole of C3 to C6 at these levels.
  Outcome commit(ports::Session& session, const core::Publication& publication);

  void delivered(std::uint64_t token, Result<std::int64_t> first_offset) override;

 private:
  using Lock = std::unique_lock<ports::Mutex>;

  // A transactional id and its producer; none if the last one was not to be trusted. What that one left open holds up
  // every read_committed reader, so the next unit takes the same id, and initialising it ends the transaction.
  struct Instance {
    std::string id;
    std::unique_ptr<ports::TransactionalProducer> producer = {};
  };

  // Each unit waits for its own: waking all for every acknowledgement costs more than the event.
  struct Awaited {
    std::optional<Result<std::int64_t>> delivery = {};
    std::unique_ptr<ports::Condition> arrived = {};  // while somebody waits
  };

  Outcome commit_after_acknowledgement(ports::Session& session, const core::Publication& publication);
  Outcome commit_both(ports::Session& session, const core::Publication& publication);
  // `clean`: the producer may be used again.
  Outcome commit_both(ports::TransactionalProducer& producer, ports::Session& session,
                      const core::Publication& publication, bool& clean);
  [[nodiscard]] Result<void> await_delivery(std::uint64_t token);
  [[nodiscard]] std::uint64_t expect_delivery();
  void forget_delivery(std::uint64_t token);  // none comes: the stream accepted nothing
  [[nodiscard]] Result<Instance> take_instance();
  void give_back(Instance instance);

  const Context& context_;
  std::unique_ptr<ports::Mutex> lock_;
  std::uint64_t last_token_ = 0;
  std::map<std::uint64_t, Awaited> awaited_;
  std::unique_ptr<ports::Producer> producer_;  // at_least_once
  std::vector<Instance> idle_;                 // transactional
  std::string transactional_prefix_;
  std::uint64_t instance_count_ = 0;
};

}  // namespace write_aside::coordination
