#include "adapters/kafka/sender.hpp"

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/kafka/errors.hpp"

namespace write_aside::kafka {
namespace {

// In Kafka's protocol.
constexpr std::int16_t add_partitions_key = 24;   // AddPartitionsToTxn
constexpr std::int16_t end_transaction_key = 26;  // EndTxn
constexpr std::chrono::milliseconds topic_patience{2'000};
constexpr int in_flight_patience_ms = 250;
constexpr std::chrono::milliseconds registration_delay{5};
constexpr std::size_t record_framing_bytes = 70;
constexpr std::size_t header_framing_bytes = 10;

// librdkafka reports a record that it refuses at once as acknowledged, too, from within the call. The caller learns it
// from the call's result.
thread_local bool giving = false;

std::size_t size_of(const ports::RecordView& record) {
  std::size_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const ports::HeaderView& header : record.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

std::size_t framed_size_of(const ports::RecordView& record) {
  return size_of(record) + record_framing_bytes + record.headers.size() * header_framing_bytes;
}

// librdkafka counts values alone.
std::int64_t queued_bytes(std::span<const ports::RecordView> records) {
  std::size_t bytes = 0;
  for (const ports::RecordView& record : records) bytes += record.value ? record.value->size() : 0;
  return static_cast<std::int64_t>(bytes);
}

// librdkafka tells none from empty by the pointer, and does not write through it.
void* pointer_to(std::string_view bytes) {
  static constexpr std::string_view empty = "";
  return const_cast<char*>(bytes.data() != nullptr ? bytes.data() : empty.data());
}

HeadersHandle headers_of(const ports::RecordView& record) {
  HeadersHandle headers(rd_kafka_headers_new(record.headers.size()));
  for (const ports::HeaderView& header : record.headers) {
    // It fails only for headers that librdkafka made read-only.
    static_cast<void>(rd_kafka_header_add(headers.get(), static_cast<const char*>(pointer_to(header.name)),
                                          static_cast<ssize_t>(header.name.size()), pointer_to(header.value),
                                          static_cast<ssize_t>(header.value.size())));
  }
  return headers;
}

// The arguments of rd_kafka_produceva, in their tagged form.
class Arguments {
 public:
  rd_kafka_vu_t& add(rd_kafka_vtype_t type) {
    rd_kafka_vu_t& argument = arguments_[count_++];
    argument.vtype = type;
    return argument;
  }
  void add_bytes(rd_kafka_vtype_t type, std::string_view bytes) {
    rd_kafka_vu_t& argument = add(type);
    argument.u.mem.ptr = pointer_to(bytes);
    argument.u.mem.size = bytes.size();
  }
  [[nodiscard]] const rd_kafka_vu_t* data() const { return arguments_.data(); }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  std::array<rd_kafka_vu_t, 8> arguments_{};
  std::size_t count_ = 0;
};

Error too_large(const ports::RecordView& record, std::size_t limit) {
  return {.code = ErrorCode::event_too_large,
          .side = Side::stream,
          .effect = Effect::no,
          .message = "a record for topic '" + std::string(record.topic) + "' takes " + std::to_string(size_of(record)) +
                     " bytes, allowed are " + std::to_string(limit) +
                     "; make it smaller, or raise message.max.bytes here and max.message.bytes of the topic",
          .driver = {}};
}

// Part of the call was taken. Whatever the reason, this is no refusal: were the transaction committed, half of a unit
// would be in the stream.
Error torn(Error error) {
  error.code = ErrorCode::unknown;
  error.effect = Effect::unknown;
  error.message += "; some records of the same call were taken before";
  return error;
}

}  // namespace

Result<std::unique_ptr<Sender>> Sender::open(std::shared_ptr<Store> store, const Properties& properties,
                                             ports::Deliveries& deliveries) {
  Properties fitting = properties;
  // A batch larger than a topic takes would be refused, with records in it that are small enough.
  if (const std::int64_t most = store->topics().batch_bytes_max(); most > 0) {
    const std::int64_t chosen = std::stoll(fitting["batch.size"]);
    fitting["batch.size"] = std::to_string(std::min(chosen, most));
  }
  auto sender = std::make_unique<Sender>(std::move(store), deliveries);
  auto client = Client::open(RD_KAFKA_PRODUCER, fitting, sender.get());
  if (!client) return failure(std::move(client));
  sender->client_ = std::move(*client);
  sender->room_.set(sender->client_->queued_records_max(), sender->client_->queued_bytes_max());
  return sender;
}

Sender::~Sender() {
  acknowledgements_.silence();
  topics_.clear();
  if (client_ == nullptr) return;
  await_registration();
  // librdkafka (up to 2.13 at least) frees the words of a transaction's error when it is destroyed, and again when another
  // error of a record that is in flight comes just then: the process would crash. So those are waited for, as long as a
  // broker that is there takes to answer.
  static_cast<void>(rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING));
  static_cast<void>(rd_kafka_flush(client_->get(), in_flight_patience_ms));
  // Without it librdkafka would wait for records that are on their way.
  static_cast<void>(rd_kafka_purge(client_->get(),
                                   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING));
  client_.reset();
}

// librdkafka (seen with 2.0.2) asserts that it counts a request for the partitions of a transaction before the answer comes.
// Is the producer destroyed while it sends one, the answer comes at once, on another thread. So the request, which goes
// out a moment after a partition's first record, is waited for.
void Sender::await_registration() {
  const auto given = last_given_.load();
  if (given == std::chrono::steady_clock::time_point{}) return;
  std::this_thread::sleep_until(given + registration_delay);
  std::unique_lock lock(registering_);
  registered_.wait_for(lock, std::chrono::milliseconds(in_flight_patience_ms),
                       [this] { return registrations_pending_ <= 0; });
}

Result<void> Sender::warm(ports::Deadline deadline) {
  const std::vector<std::string> names = store_->topics().names();
  if (names.empty()) return {};
  {
    const std::lock_guard lock(topics_mutex_);
    for (const std::string& name : names) {
      if (TopicHandle handle(rd_kafka_topic_new(client_->get(), name.c_str(), nullptr)); handle != nullptr) {
        topics_.emplace(name, std::move(handle));
      }
    }
  }
  const rd_kafka_metadata_t* found = nullptr;
  const auto code = rd_kafka_metadata(client_->get(), 0, nullptr, &found, milliseconds_until(deadline));
  const MetadataHandle metadata(found);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(client_->error(code, "asking for the topics failed"));
  return {};
}

Result<void> Sender::check(const ports::RecordView& record) {
  // librdkafka measures with the framing. It would refuse in the middle of a call.
  const std::size_t limit = store_->record_bytes_max();
  if (size_of(record) > limit || framed_size_of(record) > limit + Store::framing_bytes) {
    return failure(too_large(record, limit));
  }
  if (store_->topics().is_denied(record.topic)) {
    const std::string what = "publish to topic '" + std::string(record.topic) + "' failed";
    return failure(naming_right(kafka_error(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, what), write_on_topic));
  }
  const auto known = store_->known_topic(record.topic);
  if (!known) return failure(known);
  if (known->batch_bytes_max > 0 && framed_size_of(record) > static_cast<std::size_t>(known->batch_bytes_max)) {
    return failure(too_large(record, static_cast<std::size_t>(known->batch_bytes_max)));
  }
  if (record.partition && (*record.partition < 0 || *record.partition >= known->partitions)) {
    return store_->check_partition(std::string(record.topic), *record.partition);
  }
  return {};
}

Result<rd_kafka_topic_t*> Sender::topic(std::string_view name) {
  const std::lock_guard lock(topics_mutex_);
  if (const auto found = topics_.find(name); found != topics_.end()) return found->second.get();
  return ask_for(name);
}

// librdkafka would look the topic up by itself, but only once a second.
Result<rd_kafka_topic_t*> Sender::ask_for(std::string_view name) {
  TopicHandle handle(rd_kafka_topic_new(client_->get(), std::string(name).c_str(), nullptr));
  const std::string what = "asking for topic '" + std::string(name) + "' failed";
  if (handle == nullptr) return failure(kafka_error(rd_kafka_last_error(), what));
  const rd_kafka_metadata_t* found = nullptr;
  const auto deadline = std::chrono::steady_clock::now() + topic_patience;
  const auto code = rd_kafka_metadata(client_->get(), 0, handle.get(), &found, milliseconds_until(deadline));
  const MetadataHandle metadata(found);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Error error = client_->error(code, what);
    error.code = ErrorCode::busy;  // nothing was taken, the producer is as good as before
    return failure(std::move(error));
  }
  if (metadata->topic_cnt != 1 || metadata->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    store_->topics().forget(name);
    return failure(store_->unknown_topic(name));
  }
  return topics_.emplace(name, std::move(handle)).first->second.get();
}

Result<void> Sender::produce(std::span<const ports::RecordView> records, std::uint64_t token) {
  if (records.empty()) {
    deliveries_.delivered(token, 0);
    return {};
  }
  std::vector<rd_kafka_topic_t*> topics;
  topics.reserve(records.size());
  for (const ports::RecordView& record : records) {
    if (auto checked = check(record); !checked) return checked;
    auto found = topic(record.topic);
    if (!found) return failure(std::move(found));
    topics.push_back(*found);
  }
  // Gives back the memory of what was acknowledged.
  rd_kafka_poll(client_->get(), 0);
  const auto count = static_cast<std::int64_t>(records.size());
  if (!room_.reserve(count, queued_bytes(records))) {
    return failure(client_->error(RD_KAFKA_RESP_ERR__QUEUE_FULL, "publishing to " + store_->name() + " failed"));
  }
  last_given_ = std::chrono::steady_clock::now();
  Acknowledgements::Call& call = acknowledgements_.expect(token, records.size());
  for (std::size_t index = 0; index < records.size(); ++index) {
    auto given = give(records[index], *topics[index], index == 0 ? call.first : call.other);
    if (given) continue;
    acknowledgements_.give_up(call, index);
    room_.give_back(count - static_cast<std::int64_t>(index), queued_bytes(records.subspan(index)));
    return failure(index == 0 ? std::move(given.error()) : torn(std::move(given.error())));
  }
  return {};
}

Result<void> Sender::give(const ports::RecordView& record, rd_kafka_topic_t& topic, Acknowledgements::Mark& mark) {
  Arguments arguments;
  arguments.add(RD_KAFKA_VTYPE_RKT).u.rkt = &topic;
  arguments.add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  arguments.add(RD_KAFKA_VTYPE_PARTITION).u.i32 = record.partition.value_or(RD_KAFKA_PARTITION_UA);
  arguments.add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = &mark;
  arguments.add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = record.timestamp_ms;
  if (record.key) arguments.add_bytes(RD_KAFKA_VTYPE_KEY, *record.key);
  if (record.value) arguments.add_bytes(RD_KAFKA_VTYPE_VALUE, *record.value);
  HeadersHandle headers = headers_of(record);
  arguments.add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
  giving = true;
  const ErrorHandle error(rd_kafka_produceva(client_->get(), arguments.data(), arguments.size()));
  giving = false;
  if (error == nullptr) {
    static_cast<void>(headers.release());  // the record's now
    return {};
  }
  return failure(client_->error(*error, "publish to topic '" + std::string(record.topic) + "' failed"));
}

void Sender::request_sent(std::int16_t api_key) {
  if (api_key == end_transaction_key) {
    ++end_requests_;
    last_given_.store({});
  }
  if (api_key != add_partitions_key) return;
  const std::lock_guard lock(registering_);
  ++registrations_pending_;
}

void Sender::response_received(std::int16_t api_key) {
  if (api_key != add_partitions_key) return;
  const std::lock_guard lock(registering_);
  --registrations_pending_;
  registered_.notify_all();
}

void Sender::acknowledged(const rd_kafka_message_t& record, const Client& client) {
  // The topic's limit was lowered since we asked.
  if (record.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && record.rkt != nullptr) {
    store_->topics().forget(rd_kafka_topic_name(record.rkt));
  }
  if (!giving) acknowledgements_.acknowledged(record, client);
}

void Sender::denied(const std::string& topic) { store_->topics().deny(topic); }

void Sender::released(const rd_kafka_message_t& record) { room_.give_back(1, static_cast<std::int64_t>(record.len)); }

}  // namespace write_aside::kafka
