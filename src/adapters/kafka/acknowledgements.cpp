#include "adapters/kafka/acknowledgements.hpp"

#include <optional>
#include <string>
#include <utility>

#include "adapters/kafka/errors.hpp"

namespace write_aside::kafka {
namespace {

std::string describe(const rd_kafka_message_t& record) {
  const char* const topic = record.rkt != nullptr ? rd_kafka_topic_name(record.rkt) : "?";
  return "publish to topic '" + std::string(topic) + "' failed, partition " + std::to_string(record.partition);
}

// librdkafka is asked twice: newer versions show the records of a batch of which some were refused without an error.
// A record that is known to be there only because a later one is has no offset; nothing can be built on that.
bool is_good(const rd_kafka_message_t& record) {
  return record.err == RD_KAFKA_RESP_ERR_NO_ERROR && record.offset >= 0 &&
         rd_kafka_message_status(&record) == RD_KAFKA_MSG_STATUS_PERSISTED;
}

rd_kafka_resp_err_t code_of(const rd_kafka_message_t& record) {
  return record.err == RD_KAFKA_RESP_ERR_NO_ERROR ? RD_KAFKA_RESP_ERR__INCONSISTENT : record.err;
}

Effect effect_of(const rd_kafka_message_t& record) {
  return rd_kafka_message_status(&record) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? Effect::no : Effect::unknown;
}

Error error_of(const rd_kafka_message_t& record, const Client& client) {
  Error error = client.error(code_of(record), describe(record), effect_of(record));
  const bool of_topic = record.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
  return of_topic ? naming_right(std::move(error), write_on_topic) : error;
}

}  // namespace

Acknowledgements::Call& Acknowledgements::expect(std::uint64_t token, std::size_t records) {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) spare_.push_back(&calls_.emplace_back());
  Call& call = *spare_.back();
  spare_.pop_back();
  call.token = token;
  call.expected = call.missing = records;
  call.answered = false;
  call.first_offset = 0;
  return call;
}

void Acknowledgements::give_up(Call& call, std::size_t accepted) {
  if (accepted > 0) failed_ = true;
  const std::lock_guard lock(mutex_);
  const std::size_t acknowledged = call.expected - call.missing;
  call.answered = true;
  call.missing = accepted - acknowledged;
  if (call.missing == 0) release(call);
}

void Acknowledgements::acknowledged(const rd_kafka_message_t& record, const Client& client) {
  const Mark& mark = *static_cast<const Mark*>(record._private);
  Call& call = *mark.call;
  std::optional<Result<std::int64_t>> answer;
  std::uint64_t token = 0;
  const bool good = is_good(record);
  if (!good) failed_ = true;
  {
    const std::lock_guard lock(mutex_);
    if (mark.first) call.first_offset = record.offset;
    --call.missing;
    if (!call.answered && (call.missing == 0 || !good)) {
      call.answered = true;
      token = call.token;
      answer = good ? Result<std::int64_t>(call.first_offset) : failure(error_of(record, client));
    }
    if (call.missing == 0) release(call);
  }
  if (answer && !silent_) deliveries_.delivered(token, std::move(*answer));
}

void Acknowledgements::release(Call& call) { spare_.push_back(&call); }

void Room::set(std::int64_t records_max, std::int64_t bytes_max) {
  records_max_ = records_max - records_max / 10;
  bytes_max_ = bytes_max - bytes_max / 10;
}

bool Room::reserve(std::int64_t records, std::int64_t bytes) {
  const std::int64_t records_now = records_.fetch_add(records) + records;
  const std::int64_t bytes_now = bytes_.fetch_add(bytes) + bytes;
  if (records_now <= records_max_ && bytes_now <= bytes_max_) return true;
  give_back(records, bytes);
  return false;
}

void Room::give_back(std::int64_t records, std::int64_t bytes) {
  records_ -= records;
  bytes_ -= bytes;
}

}  // namespace write_aside::kafka
