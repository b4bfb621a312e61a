// Turns the acknowledgements of single records into one for each call of produce.
//
// librdkafka acknowledges record by record, on the threads of the brokers. Waking a waiter for each would cost more than
// the record itself, so the last record of a call, or the first bad one, speaks for the call.
//
// Threads: safe from many threads.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "adapters/kafka/client.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::kafka {

class Acknowledgements {
 public:
  struct Call;
  // A record's opaque pointer points to one of these.
  struct Mark {
    Call* call = nullptr;
    bool first = false;
  };
  struct Call {
    std::uint64_t token = 0;
    std::size_t expected = 0;  // records of the call
    std::size_t missing = 0;   // those that are not yet acknowledged
    bool answered = false;
    std::int64_t first_offset = 0;
    Mark first{this, true};
    Mark other{this, false};
  };

  explicit Acknowledgements(ports::Deliveries& deliveries) : deliveries_(deliveries) {}

  // Before the first record of a call is given to librdkafka.
  [[nodiscard]] Call& expect(std::uint64_t token, std::size_t records);
  // After librdkafka took only `accepted` of the call's records: whoever made it has the error, and hears no more.
  void give_up(Call& call, std::size_t accepted);
  // `client`: for the words of an error.
  void acknowledged(const rd_kafka_message_t& record, const Client& client);
  // No more answers: the producer is being destroyed.
  void silence() { silent_ = true; }
  // True once any record failed, for ever (B4).
  [[nodiscard]] bool has_failed() const { return failed_; }

 private:
  void release(Call& call);  // with the mutex held

  ports::Deliveries& deliveries_;
  std::atomic<bool> silent_ = false;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::deque<Call> calls_;    // stable addresses; as many as ever were under way at once
  std::vector<Call*> spare_;  // to be used again
};

// What librdkafka may hold at once. It would refuse the record that is too many, in the middle of a call; so the room
// for a whole call is reserved first. Threads: safe from many threads.
class Room {
 public:
  // Keeps a tenth free: librdkafka gives memory back a moment after it told us.
  void set(std::int64_t records_max, std::int64_t bytes_max);
  [[nodiscard]] bool reserve(std::int64_t records, std::int64_t bytes);
  void give_back(std::int64_t records, std::int64_t bytes);

 private:
  std::int64_t records_max_ = 0;
  std::int64_t bytes_max_ = 0;
  std::atomic<std::int64_t> records_ = 0;
  std::atomic<std::int64_t> bytes_ = 0;
};

}  // namespace write_aside::kafka
