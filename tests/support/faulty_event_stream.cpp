// The stream ports of faulty_ports.hpp.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "support/faulty_call.hpp"
#include "support/faulty_ports.hpp"

namespace write_aside::support {
namespace {

using ports::Deadline;

// Stands between a producer and those who hear of its acknowledgements. What comes for a token while its `produce` runs
// is held back until the call is over, and is then a step of its own, "producer.delivered"; so is, without a World, what
// comes later, on a thread of the producer's.
class FaultyDeliveries final : public ports::Deliveries, public std::enable_shared_from_this<FaultyDeliveries> {
 public:
  FaultyDeliveries(FaultyProcess& process, ports::Deliveries& outer) : process_(process), outer_(outer) {}

  void delivered(std::uint64_t token, Result<std::int64_t> first_offset) override {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      if (producing_.contains(token)) {
        held_back_.push_back({token, std::move(first_offset)});
        return;
      }
      if (const auto failed = failed_.find(token); failed != failed_.end()) first_offset = failure(failed->second);
    }
    if (process_.world() == nullptr) return give_on(shared_from_this(), {token, std::move(first_offset)});
    if (!process_.killed()) outer_.delivered(token, std::move(first_offset));
  }
  void begin_produce(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    producing_.insert(token);
  }
  void end_produce(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    producing_.erase(token);
  }
  // What came for `token`, given on with the faults that are planned for it.
  static void give_on(const std::shared_ptr<FaultyDeliveries>& self, std::uint64_t token) {
    for (;;) {
      std::optional<Delivery> delivery = self->take(token);
      if (!delivery) return;
      self->give_on(self, std::move(*delivery));
    }
  }
  // The acknowledgements of `token` never tell of success.
  void fail(std::uint64_t token, const Error& error) {
    const std::lock_guard lock(mutex_);
    failed_.insert_or_assign(token, error);
    for (Delivery& delivery : held_back_) {
      if (delivery.token == token) delivery.first_offset = failure(error);
    }
  }
  // The producer is gone, and nobody listens any more.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

 private:
  struct Delivery {
    std::uint64_t token = 0;
    Result<std::int64_t> first_offset = 0;
  };

  std::optional<Delivery> take(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(held_back_.begin(), held_back_.end(),
                                    [token](const Delivery& delivery) { return delivery.token == token; });
    if (found == held_back_.end()) return std::nullopt;
    Delivery delivery = std::move(*found);
    held_back_.erase(found);
    return delivery;
  }

  static void give_on(const std::shared_ptr<FaultyDeliveries>& self, Delivery delivery) {
    FaultyProcess& process = self->process_;
    if (process.killed()) return;
    const std::optional<Fault> fault = process.next_step("producer.delivered");
    if (fault) {
      switch (fault->kind) {
        case Fault::Kind::crash_before:
          return process.kill();
        case Fault::Kind::lose_reply:
          return;  // it never comes
        case Fault::Kind::fail:
          delivery.first_offset = failure(fault->error);
          break;
        case Fault::Kind::delay:
        case Fault::Kind::late_reply:
          if (process.world() == nullptr) {
            process.sleep(fault->delay);
            break;
          }
          return process.later(fault->delay, [self, delivery = std::move(delivery)] { self->deliver(delivery); });
        case Fault::Kind::crash_after:
          break;
      }
    }
    self->deliver(delivery);
    if (fault && fault->kind == Fault::Kind::crash_after) process.kill();
  }
  void deliver(const Delivery& delivery) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
    }
    if (!process_.killed()) outer_.delivered(delivery.token, delivery.first_offset);
  }

  FaultyProcess& process_;
  ports::Deliveries& outer_;
  std::mutex mutex_;  // never held while a fiber may give way
  std::set<std::uint64_t> producing_;
  bool closed_ = false;
  std::vector<Delivery> held_back_;
  std::map<std::uint64_t, Error> failed_;
};

// A produce call, for both kinds of producer. A lost reply cannot be an error, since that promises that nothing was
// accepted; it is an acknowledgement that tells of failure.
template <class Inner>
Result<void> produce(FaultyProcess& process, std::string_view name, Connection<Inner>& connection,
                     const std::shared_ptr<FaultyDeliveries>& deliveries, std::span<const ports::RecordView> records,
                     std::uint64_t token) {
  bool reply_lost = false;
  auto accepted = make_call(
      process, name,
      [&]() -> Result<void> {
        const Use<Inner> use(connection);
        if (use.get() == nullptr) return failure(lost_connection(name));
        deliveries->begin_produce(token);
        auto result = use.get()->produce(records, token);
        deliveries->end_produce(token);
        return result;
      },
      [&] {
        reply_lost = true;
        return Effect::unknown;
      },
      [](std::chrono::nanoseconds) { return false; });
  if (reply_lost) {
    deliveries->fail(token, accepted.error());
    accepted = Result<void>();
  }
  FaultyDeliveries::give_on(deliveries, token);
  if (!process.killed()) return accepted;
  return failure(process.death());
}

class FaultyTransactionalProducer final : public ports::TransactionalProducer {
 private:
  template <class Make>
  auto call(std::string_view name, Effect effect, Make make) {
    return make_call(process_, name, connection_, Lost::reply_only, effect, make);
  }

 public:
  FaultyTransactionalProducer(FaultyProcess& process, std::shared_ptr<FaultyDeliveries> deliveries,
                              std::unique_ptr<ports::TransactionalProducer> inner)
      : process_(process),
        deliveries_(std::move(deliveries)),
        rest_(inner->rest_after_end()),
        connection_(process, std::move(inner)) {}
  ~FaultyTransactionalProducer() override { deliveries_->close(); }

  Result<void> initialise(Deadline deadline) override {
    return make_call_that_may_land_late(
        process_, "producer.initialise", connection_, Lost::reply_only,
        [&](ports::TransactionalProducer& inner) {
          return wait_while_busy(process_, deadline, [&] { return inner.initialise(deadline); });
        },
        [](ports::TransactionalProducer& inner) { (void)inner.initialise(Deadline::max()); });
  }
  Result<void> begin() override {
    return call("producer.begin", Effect::no, [](ports::TransactionalProducer& inner) { return inner.begin(); });
  }
  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override {
    return support::produce(process_, "producer.produce", connection_, deliveries_, records, token);
  }
  ports::EndReport end(ports::Ending ending, Deadline deadline) override {
    return make_call_that_may_land_late(
        process_, "producer.end", connection_, Lost::reply_only,
        [&](ports::TransactionalProducer& inner) { return inner.end(ending, deadline); },
        [ending](ports::TransactionalProducer& inner) { (void)inner.end(ending, Deadline::max()); });
  }
  void hold_back() override {  // a word to the client, not to the stream: nothing can happen to it
    const Use<ports::TransactionalProducer> use(connection_);
    if (use.get() != nullptr) use.get()->hold_back();
  }
  std::chrono::milliseconds rest_after_end() const override { return rest_; }

 private:
  FaultyProcess& process_;
  std::shared_ptr<FaultyDeliveries> deliveries_;
  const std::chrono::milliseconds rest_;
  Connection<ports::TransactionalProducer> connection_;
};

class FaultyProducer final : public ports::Producer {
 public:
  FaultyProducer(FaultyProcess& process, std::shared_ptr<FaultyDeliveries> deliveries,
                 std::unique_ptr<ports::Producer> inner)
      : process_(process), deliveries_(std::move(deliveries)), connection_(process, std::move(inner)) {}
  ~FaultyProducer() override { deliveries_->close(); }

  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override {
    return support::produce(process_, "plain_producer.produce", connection_, deliveries_, records, token);
  }

 private:
  FaultyProcess& process_;
  std::shared_ptr<FaultyDeliveries> deliveries_;
  Connection<ports::Producer> connection_;
};

class FaultyReader final : public ports::Reader {
 public:
  FaultyReader(FaultyProcess& process, std::unique_ptr<ports::Reader> inner)
      : process_(process), connection_(process, std::move(inner)) {}

  Result<std::vector<ports::StoredRecord>> poll(std::size_t records_max, Deadline deadline) override {
    return make_call(process_, "reader.poll", connection_, Lost::reply_only, Effect::no,
                     [&](ports::Reader& inner) { return poll(inner, records_max, deadline); });
  }
  Result<std::int64_t> position(const std::string& topic, std::int32_t partition) override {
    return make_call(process_, "reader.position", connection_, Lost::reply_only, Effect::no,
                     [&](ports::Reader& inner) { return inner.position(topic, partition); });
  }

 private:
  // The real reader would wait by the real clock; so it is asked again and again, and time is simulated between.
  Result<std::vector<ports::StoredRecord>> poll(ports::Reader& inner, std::size_t records_max, Deadline deadline) {
    if (process_.world() == nullptr) return inner.poll(records_max, deadline);
    constexpr auto pause_max = std::chrono::milliseconds(50);
    for (auto pause = std::chrono::milliseconds(1);; pause = std::min(pause * 2, pause_max)) {
      auto records = inner.poll(records_max, Deadline::min());
      const Deadline now = process_.world()->now();
      if (!records || !records->empty() || now >= deadline || process_.killed()) return records;
      process_.sleep(std::min<std::chrono::nanoseconds>(pause, deadline - now));
    }
  }

  FaultyProcess& process_;
  Connection<ports::Reader> connection_;
};

class FaultyEventStream final : public ports::EventStream {
 private:
  template <class Make>
  auto call(std::string_view name, Effect effect, Make make) {
    return make_call(
        process_, name, make, [effect] { return effect; }, [](std::chrono::nanoseconds) { return false; });
  }

 public:
  FaultyEventStream(FaultyProcess& process, std::shared_ptr<ports::EventStream> inner)
      : process_(process), inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  Result<std::string> identity() override {
    return call("stream.identity", Effect::no, [&] { return inner_->identity(); });
  }
  Result<std::optional<ports::TopicInfo>> topic(const std::string& name) override {
    return call("stream.topic", Effect::no, [&] { return inner_->topic(name); });
  }
  Result<std::vector<ports::TopicInfo>> topics() override {
    return call("stream.topics", Effect::no, [&] { return inner_->topics(); });
  }
  Result<bool> create_topic(const ports::TopicSpec& spec, Deadline deadline) override {
    return call("stream.create_topic", Effect::unknown, [&] { return inner_->create_topic(spec, deadline); });
  }
  std::size_t record_bytes_max() const override { return inner_->record_bytes_max(); }
  Result<std::unique_ptr<ports::TransactionalProducer>> transactional_producer(
      const std::string& transactional_id, std::chrono::milliseconds transaction_timeout,
      ports::Deliveries& deliveries) override {
    auto between = std::make_shared<FaultyDeliveries>(process_, deliveries);
    auto inner = call("stream.transactional_producer", Effect::no,
                      [&] { return inner_->transactional_producer(transactional_id, transaction_timeout, *between); });
    if (!inner) return inner;
    return std::make_unique<FaultyTransactionalProducer>(process_, between, std::move(*inner));
  }
  Result<std::unique_ptr<ports::Producer>> producer(ports::Deliveries& deliveries) override {
    auto between = std::make_shared<FaultyDeliveries>(process_, deliveries);
    auto inner = call("stream.producer", Effect::no, [&] { return inner_->producer(*between); });
    if (!inner) return inner;
    return std::make_unique<FaultyProducer>(process_, between, std::move(*inner));
  }
  Result<std::unique_ptr<ports::Reader>> reader(const std::vector<ports::ReadFrom>& from,
                                                ports::Isolation isolation) override {
    auto inner = call("stream.reader", Effect::no, [&] { return inner_->reader(from, isolation); });
    if (!inner) return inner;
    return std::make_unique<FaultyReader>(process_, std::move(*inner));
  }
  Result<Bounds> bounds(const std::string& topic, std::int32_t partition, ports::Isolation isolation) override {
    return call("stream.bounds", Effect::no, [&] { return inner_->bounds(topic, partition, isolation); });
  }
  Result<void> store_positions(const std::string& consumer, std::span<const ports::Position> positions) override {
    return call("stream.store_positions", Effect::unknown,
                [&] { return inner_->store_positions(consumer, positions); });
  }
  Result<std::vector<ports::Position>> positions(const std::string& consumer) override {
    return call("stream.positions", Effect::no, [&] { return inner_->positions(consumer); });
  }
  Result<std::unique_ptr<ports::GroupMember>> join_group(const ports::GroupSpec& spec) override {
    return call("stream.join_group", Effect::unknown, [&] { return inner_->join_group(spec); });
  }

 private:
  FaultyProcess& process_;
  std::shared_ptr<ports::EventStream> inner_;
};

}  // namespace

std::shared_ptr<ports::EventStream> FaultyProcess::decorate(std::shared_ptr<ports::EventStream> stream) {
  return std::make_shared<FaultyEventStream>(*this, std::move(stream));
}

}  // namespace write_aside::support
