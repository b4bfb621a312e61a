// A librdkafka client: its handle, what it said last, and what it tells while it works.
//
// Threads: librdkafka's own, one and one for each broker; they call Listener. The handle is safe from many threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "adapters/kafka/handles.hpp"
#include "adapters/kafka/properties.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::kafka {

class Client;

// Hears of a producer's requests and acknowledgements on librdkafka's threads, and of the latter, if a record is
// refused or withdrawn at once, on the caller's. Must return soon and not call librdkafka.
class Listener {
 public:
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;

  // A request has been written whole to a socket.
  virtual void request_sent(std::int16_t api_key) = 0;
  virtual void response_received(std::int16_t api_key) = 0;
  // Once for each record, good or bad.
  virtual void acknowledged(const rd_kafka_message_t& record, const Client& client) = 0;
  // The topic's records must not be published, for want of a right.
  virtual void denied(const std::string& topic) = 0;
  // The record's memory was given back; only from within rd_kafka_poll and the ends of transactions.
  virtual void released(const rd_kafka_message_t& record) = 0;
};

class Client {
 public:
  // What stands in the way of a connection, as far as the log tells. Only the network mends by itself.
  enum class Obstacle { none, network, credentials, encryption };

  // `listener`: of a producer, outlives the client.
  [[nodiscard]] static Result<std::unique_ptr<Client>> open(rd_kafka_type_t type, const Properties& properties,
                                                            Listener* listener = nullptr);
  Client() = default;  // of no use until opened
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  [[nodiscard]] rd_kafka_t* get() const { return handle_.get(); }
  [[nodiscard]] std::int64_t queued_records_max() const { return queued_records_max_; }
  [[nodiscard]] std::int64_t queued_bytes_max() const { return queued_bytes_max_; }
  // Whether the group that this consumer joined has ever given it a share, be it an empty one.
  [[nodiscard]] bool was_given_share() const { return was_given_share_; }
  // The last error in the log; empty: none of late. Names hosts and ports, never a secret.
  [[nodiscard]] std::string last_words() const;
  [[nodiscard]] Obstacle obstacle() const;
  // An Error that says why: a call that timed out says less than the log, and a fatal error has a cause.
  [[nodiscard]] Error error(rd_kafka_resp_err_t code, std::string_view what, Effect effect = Effect::no) const;
  [[nodiscard]] Error error(const rd_kafka_error_t& cause, std::string_view what, Effect effect = Effect::no) const;

 private:
  static void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text);
  static rd_kafka_resp_err_t on_acknowledgement(rd_kafka_t* handle, rd_kafka_message_t* record, void* client);
  static void on_rebalance(rd_kafka_t* handle, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions,
                           void* client);
  static rd_kafka_resp_err_t on_new(rd_kafka_t* handle, const rd_kafka_conf_t* conf, void* client, char* words,
                                    std::size_t words_size);
  void hear(std::string_view facility, std::string_view text);
  [[nodiscard]] Error withdrawn(rd_kafka_resp_err_t code, std::string_view what, Effect effect) const;
  [[nodiscard]] bool is_recent() const;

  mutable std::mutex mutex_;
  std::string last_words_;
  Obstacle obstacle_ = Obstacle::none;
  // Why a transaction cannot be committed any more, and the topic that may not be published to.
  rd_kafka_resp_err_t transaction_error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string denied_topic_;
  std::chrono::steady_clock::time_point heard_at_;
  Listener* listener_ = nullptr;
  std::atomic<bool> was_given_share_ = false;
  std::int64_t queued_records_max_ = 0;
  std::int64_t queued_bytes_max_ = 0;
  ClientHandle handle_;  // first to go: its threads call us
};

// What is left of the time until `deadline`, for librdkafka: never negative, which would mean for ever.
[[nodiscard]] int milliseconds_until(ports::Deadline deadline);

}  // namespace write_aside::kafka
