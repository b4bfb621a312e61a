#include "adapters/kafka/reader.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "adapters/kafka/errors.hpp"
#include "adapters/kafka/properties.hpp"

namespace write_aside::kafka {
namespace {

constexpr std::size_t poll_bytes_max = 16u << 20;
constexpr std::size_t messages_per_call = 64;

std::optional<std::string> bytes_of(const void* bytes, std::size_t size) {
  if (bytes == nullptr) return std::nullopt;
  return std::string(static_cast<const char*>(bytes), size);
}

std::vector<Header> headers_of(const rd_kafka_message_t& message) {
  std::vector<Header> headers;
  rd_kafka_headers_t* found = nullptr;  // the message's
  if (rd_kafka_message_headers(&message, &found) != RD_KAFKA_RESP_ERR_NO_ERROR) return headers;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t index = 0; rd_kafka_header_get_all(found, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++index) {
    headers.push_back({name, bytes_of(value, size).value_or("")});
  }
  return headers;
}

ports::StoredRecord record_of(const rd_kafka_message_t& message, const std::string& topic) {
  return {.topic = topic,
          .partition = message.partition,
          .offset = message.offset,
          .key = bytes_of(message.key, message.key_len),
          .value = bytes_of(message.payload, message.len),
          .headers = headers_of(message),
          .timestamp_ms = rd_kafka_message_timestamp(&message, nullptr)};
}

std::size_t size_of(const ports::StoredRecord& record) {
  std::size_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const Header& header : record.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

}  // namespace

bool KafkaReader::Haul::is_full() const { return records.size() >= records_max || bytes >= poll_bytes_max; }

Result<std::unique_ptr<ports::Reader>> KafkaReader::open(std::shared_ptr<Store> store,
                                                         const std::vector<ports::ReadFrom>& from,
                                                         ports::Isolation isolation) {
  auto client = Client::open(RD_KAFKA_CONSUMER, reader_properties(store->properties(), isolation));
  if (!client) return failure(std::move(client));
  auto reader = std::make_unique<KafkaReader>(std::move(store), std::move(*client), isolation);
  for (const ports::ReadFrom& one : from) {
    if (auto added = reader->add(one); !added) return failure(std::move(added));
  }
  return reader;
}

KafkaReader::KafkaReader(std::shared_ptr<Store> store, std::unique_ptr<Client> client, ports::Isolation isolation)
    : store_(std::move(store)),
      isolation_(isolation),
      client_(std::move(client)),
      queue_(rd_kafka_queue_new(client_->get())) {}

KafkaReader::~KafkaReader() {
  for (Cursor& cursor : cursors_) {
    if (cursor.fetching) static_cast<void>(rd_kafka_consume_stop(cursor.handle.get(), cursor.partition));
  }
}

Result<void> KafkaReader::add(const ports::ReadFrom& from) {
  if (auto checked = store_->check_partition(from.topic, from.partition); !checked) return checked;
  std::int64_t offset = from.offset;
  if (offset < 0) {
    // Asked now, and not by librdkafka some time later: "the end" is where it is now.
    auto bounds = store_->bounds(from.topic, from.partition, isolation_);
    if (!bounds) return failure(std::move(bounds));
    offset = offset == ports::offset_end ? bounds->end : bounds->begin;
  }
  TopicHandle handle(rd_kafka_topic_new(client_->get(), from.topic.c_str(), nullptr));
  if (handle == nullptr)
    return failure(kafka_error(rd_kafka_last_error(), "reading topic '" + from.topic + "' failed"));
  cursors_.push_back({from.topic, from.partition, offset, std::move(handle), from.exact});
  return start(cursors_.back());
}

Result<void> KafkaReader::start(Cursor& cursor) {
  if (rd_kafka_consume_start_queue(cursor.handle.get(), cursor.partition, cursor.offset, queue_.get()) == 0) {
    cursor.fetching = true;
    return {};
  }
  return failure(client_->error(rd_kafka_last_error(), "reading topic '" + cursor.topic + "' failed"));
}

KafkaReader::Cursor* KafkaReader::find(std::string_view topic, std::int32_t partition) {
  const auto found = std::find_if(cursors_.begin(), cursors_.end(), [&](const Cursor& cursor) {
    return cursor.partition == partition && cursor.topic == topic;
  });
  return found == cursors_.end() ? nullptr : &*found;
}

Result<std::vector<ports::StoredRecord>> KafkaReader::poll(std::size_t records_max, ports::Deadline deadline) {
  if (broken_) return failure(*broken_);
  Haul haul;
  haul.records_max = records_max;
  if (auto filled = fill(haul, deadline); !filled) {
    broken_ = filled.error();
    return failure(std::move(filled));
  }
  return std::move(haul.records);
}

Result<void> KafkaReader::fill(Haul& haul, ports::Deadline deadline) {
  while (!haul.is_full()) {
    // Waits for the first message only: librdkafka would wait until as many as asked for are there.
    const int wait = haul.records.empty() && !haul.moved ? milliseconds_until(deadline) : 0;
    const MessageHandle first(rd_kafka_consume_queue(queue_.get(), wait));
    if (first == nullptr) return {};
    if (auto taken = take(*first, haul); !taken) return taken;
    std::array<rd_kafka_message_t*, messages_per_call> more{};
    const std::size_t room = std::min(more.size(), haul.records_max - haul.records.size());
    const auto count = room == 0 ? 0 : rd_kafka_consume_batch_queue(queue_.get(), 0, more.data(), room);
    Result<void> taken;
    for (ssize_t index = 0; index < count; ++index) {
      const MessageHandle message(more[static_cast<std::size_t>(index)]);
      if (taken) taken = take(*message, haul);
    }
    if (!taken) return taken;
  }
  return {};
}

Result<void> KafkaReader::take(const rd_kafka_message_t& message, Haul& haul) {
  Cursor* const cursor = message.rkt == nullptr ? nullptr : find(rd_kafka_topic_name(message.rkt), message.partition);
  if (cursor == nullptr) return failure(client_->error(message.err, "reading from " + store_->name() + " failed"));
  switch (message.err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: {
      ports::StoredRecord record = record_of(message, cursor->topic);
      cursor->offset = record.offset + 1;
      haul.bytes += size_of(record);
      haul.records.push_back(std::move(record));
      return {};
    }
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      // Behind aborted records, markers, and what was compacted away.
      haul.moved = haul.moved || message.offset > cursor->offset;
      cursor->offset = std::max(cursor->offset, message.offset);
      return {};
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      haul.moved = true;
      return handle_loss(*cursor);
    default:
      break;
  }
  const std::string what = "reading " + cursor->topic + '[' + std::to_string(cursor->partition) + "] failed";
  const Error error = naming_right(client_->error(message.err, what), "Read on the topic");
  if (error.retriable) return {};  // librdkafka goes on by itself
  return failure(error);
}

Result<std::int64_t> KafkaReader::position(const std::string& topic, std::int32_t partition) {
  if (const Cursor* const cursor = find(topic, partition); cursor != nullptr) return cursor->offset;
  return failure(refused("this reader of " + store_->name() + " was not opened on partition " +
                         std::to_string(partition) + " of topic '" + topic + "'"));
}

// The wanted offset is not there. Below the beginning: it was deleted, and what is left is read. Above the end: the
// stream lost data; nothing is read, and who compares the position with what should be there will see it.
Result<void> KafkaReader::handle_loss(Cursor& cursor) {
  auto bounds = store_->bounds(cursor.topic, cursor.partition, ports::Isolation::read_uncommitted);
  if (!bounds) return failure(std::move(bounds));
  static_cast<void>(rd_kafka_consume_stop(cursor.handle.get(), cursor.partition));
  cursor.fetching = false;
  if (cursor.exact) {
    return failure({.code = ErrorCode::gone,
                    .side = Side::stream,
                    .effect = Effect::no,
                    .message = "offset " + std::to_string(cursor.offset) + " of " + cursor.topic + '[' +
                               std::to_string(cursor.partition) + "] is not in " + store_->name() + ", which has " +
                               std::to_string(bounds->begin) + " to " + std::to_string(bounds->end),
                    .driver = {}});
  }
  if (cursor.offset >= bounds->begin) return {};
  cursor.offset = bounds->begin;
  return start(cursor);
}

}  // namespace write_aside::kafka
