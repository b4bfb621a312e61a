// Gives records to librdkafka and answers for them: what both kinds of producer have in common.
//
// Threads: safe from many threads. Acknowledgements come on librdkafka's threads, one for each call of produce.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "adapters/kafka/acknowledgements.hpp"
#include "adapters/kafka/client.hpp"
#include "adapters/kafka/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::kafka {

class Sender final : public Listener {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Sender>> open(std::shared_ptr<Store> store, const Properties& properties,
                                                            ports::Deliveries& deliveries);
  Sender(std::shared_ptr<Store> store, ports::Deliveries& deliveries)
      : store_(std::move(store)), deliveries_(deliveries), acknowledgements_(deliveries) {}
  // Drops what is not delivered yet, without an answer, and waits for librdkafka's threads.
  ~Sender() override;

  [[nodiscard]] Client& client() { return *client_; }
  // Asks for the topics that the stream knows, so that no record waits for that.
  [[nodiscard]] Result<void> warm(ports::Deadline deadline);
  // All of the records or none. A failure other than a refusal means that some may have been taken after all: the
  // producer is then not to be trusted any more.
  [[nodiscard]] Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token);
  // B4: how many requests to end a transaction were sent so far.
  [[nodiscard]] std::int64_t end_requests() const { return end_requests_; }
  [[nodiscard]] bool has_failed() const { return acknowledgements_.has_failed(); }

  void request_sent(std::int16_t api_key) override;
  void response_received(std::int16_t api_key) override;
  void acknowledged(const rd_kafka_message_t& record, const Client& client) override;
  void denied(const std::string& topic) override;
  void released(const rd_kafka_message_t& record) override;

 private:
  void await_registration();
  [[nodiscard]] Result<void> check(const ports::RecordView& record);
  [[nodiscard]] Result<rd_kafka_topic_t*> topic(std::string_view name);
  [[nodiscard]] Result<rd_kafka_topic_t*> ask_for(std::string_view name);
  [[nodiscard]] Result<void> give(const ports::RecordView& record, rd_kafka_topic_t& topic,
                                  Acknowledgements::Mark& mark);

  std::shared_ptr<Store> store_;
  ports::Deliveries& deliveries_;
  Acknowledgements acknowledgements_;
  Room room_;
  std::atomic<std::int64_t> end_requests_ = 0;
  std::atomic<std::chrono::steady_clock::time_point> last_given_{};  // a record, since the last end
  std::mutex registering_;                                           // guards the next two
  std::condition_variable registered_;
  std::int64_t registrations_pending_ = 0;
  std::unique_ptr<Client> client_;
  std::mutex topics_mutex_;
  std::map<std::string, TopicHandle, std::less<>> topics_;  // gone before the client
};

}  // namespace write_aside::kafka
