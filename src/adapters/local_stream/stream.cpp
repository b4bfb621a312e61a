#include "adapters/local_stream/stream.hpp"

#include <algorithm>
#include <utility>

#include "adapters/local_stream/errors.hpp"
#include "adapters/local_stream/group_member.hpp"
#include "adapters/local_stream/producers.hpp"
#include "adapters/local_stream/reader.hpp"
#include "adapters/local_stream/schema.hpp"
#include "write_aside/adapters/local_stream.hpp"

namespace write_aside::local_stream {
namespace {

using sqlite_handles::Connection;

constexpr std::size_t topic_name_bytes_max = 249;

// Kafka's rule, so that a program can move between the two.
bool is_topic_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= topic_name_bytes_max && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), allowed);
}

Result<void> check_spec(const ports::TopicSpec& spec, const std::string& stream) {
  if (!is_topic_name(spec.name)) {
    return failure(refused(ErrorCode::invalid_argument, "'" + spec.name + "' cannot be the name of a topic of " +
                                                            stream +
                                                            "; use 1 to 249 letters, digits, '.', '_' or '-'"));
  }
  if (spec.partitions < 1 || spec.partitions > partitions_max) {
    return failure(refused(ErrorCode::invalid_argument, "topic '" + spec.name + "' of " + stream + " cannot have " +
                                                            std::to_string(spec.partitions) +
                                                            " partitions; choose 1 to " +
                                                            std::to_string(partitions_max)));
  }
  return {};
}

// The new topic's id.
Result<std::int64_t> insert_topic(Connection& connection, const ports::TopicSpec& spec) {
  auto insert = connection.prepare(
      "INSERT INTO topic (uid, name, partitions, compacted) VALUES (lower(hex(randomblob(16))), ?, ?, ?) RETURNING id",
      "create a topic");
  if (!insert) return failure(std::move(insert));
  auto row = insert->bind_all(std::string_view(spec.name), spec.partitions, spec.compacted ? 1 : 0).step();
  if (!row) return failure(std::move(row));
  return insert->integer(0);
}

Result<void> insert_partitions(Connection& connection, std::int64_t topic, std::int32_t partitions) {
  auto insert = connection.prepare("INSERT INTO partition (topic, number) VALUES (?, ?)", "create a topic");
  if (!insert) return failure(std::move(insert));
  for (std::int32_t number = 0; number < partitions; ++number) {
    if (auto row = insert->bind_all(topic, number).step(); !row) return failure(std::move(row));
    insert->reset();
  }
  auto last = connection.prepare("SELECT max(ref) FROM partition", "create a topic");
  if (!last) return failure(std::move(last));
  if (auto row = last->step(); !row) return failure(std::move(row));
  if (last->integer(0) >= refs_max)
    return failure(refused(ErrorCode::invalid_argument, connection.name() + " has too many partitions"));
  return {};
}

}  // namespace

Result<std::shared_ptr<ports::EventStream>> open(const std::string& path, Options options) {
  auto store = Store::open(path, options);
  if (!store) return failure(std::move(store));
  auto connection = (*store)->reading_connection();
  if (!connection) return failure(std::move(connection));
  return std::make_shared<LocalStream>(std::move(*store), std::move(*connection));
}

Result<std::optional<ports::TopicInfo>> LocalStream::topic(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto found = store_->topic(connection_, name);
  if (!found) return failure(std::move(found));
  if (*found == nullptr) return std::optional<ports::TopicInfo>{};
  return (*found)->info;
}

Result<std::vector<ports::TopicInfo>> LocalStream::topics() {
  const std::lock_guard lock(mutex_);
  auto read = connection_.prepare("SELECT name, uid, partitions, compacted FROM topic ORDER BY name", "list topics");
  if (!read) return failure(std::move(read));
  std::vector<ports::TopicInfo> topics;
  for (;;) {
    auto row = read->step();
    if (!row) return failure(std::move(row));
    if (!*row) return topics;
    const std::int64_t partitions = read->integer(2);
    if (partitions < 1 || partitions > partitions_max) {
      return failure(damaged(name(), "the number of partitions of a topic is not one"));
    }
    topics.push_back({std::string(read->text(0)), std::string(read->text(1)), static_cast<std::int32_t>(partitions),
                      read->integer(3) != 0});
  }
}

Result<bool> LocalStream::create_topic(const ports::TopicSpec& spec, ports::Deadline deadline) {
  if (auto checked = check_spec(spec, name()); !checked) return failure(std::move(checked));
  auto writing = store_->write(Durability::durable, "create a topic", deadline);
  if (!writing) return failure(std::move(writing));
  auto found = store_->topic(writing->connection(), spec.name);
  if (!found) return failure(std::move(found));
  if (*found != nullptr) return false;
  auto id = insert_topic(writing->connection(), spec);
  if (!id) return failure(std::move(id));
  if (auto inserted = insert_partitions(writing->connection(), *id, spec.partitions); !inserted) {
    return failure(std::move(inserted));
  }
  if (auto committed = writing->commit(false); !committed) return failure(std::move(committed));
  return true;
}

Result<std::unique_ptr<ports::TransactionalProducer>> LocalStream::transactional_producer(
    const std::string& transactional_id, std::chrono::milliseconds transaction_timeout, ports::Deliveries& deliveries) {
  if (transactional_id.empty())
    return failure(refused(ErrorCode::invalid_argument, "a transactional id of " + name() + " cannot be empty"));
  return std::make_unique<LocalTransactionalProducer>(store_, transactional_id, transaction_timeout, deliveries);
}

Result<std::unique_ptr<ports::Producer>> LocalStream::producer(ports::Deliveries& deliveries) {
  return std::make_unique<LocalProducer>(store_, deliveries);
}

Result<std::unique_ptr<ports::Reader>> LocalStream::reader(const std::vector<ports::ReadFrom>& from,
                                                           ports::Isolation isolation) {
  return LocalReader::open(store_, from, isolation);
}

Result<ports::EventStream::Bounds> LocalStream::bounds(const std::string& topic, std::int32_t partition,
                                                       ports::Isolation isolation) {
  const std::lock_guard lock(mutex_);
  auto ref = store_->ref_of(connection_, topic, partition);
  if (!ref) return failure(std::move(ref));
  auto extent = read_extent(connection_, *ref);
  if (!extent) return failure(std::move(extent));
  return Bounds{extent->begin, extent->end(isolation)};
}

Result<void> LocalStream::store_positions(const std::string& consumer, std::span<const ports::Position> positions) {
  auto writing = store_->write(Durability::durable, "store positions");
  if (!writing) return failure(std::move(writing));
  for (const ports::Position& position : positions) {
    auto ref = store_->ref_of(writing->connection(), position.topic, position.partition);
    if (!ref) return failure(std::move(ref));
    auto store = writing->connection().prepare(
        "INSERT INTO consumer_position (consumer, ref, offset) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET offset = "
        "excluded.offset",
        "store positions");
    if (!store) return failure(std::move(store));
    auto row = store->bind_all(std::string_view(consumer), *ref, position.offset).step();
    if (!row) return failure(std::move(row));
  }
  return writing->commit(false);
}

Result<std::vector<ports::Position>> LocalStream::positions(const std::string& consumer) {
  const std::lock_guard lock(mutex_);
  auto read = connection_.prepare(
      "SELECT topic.name, partition.number, consumer_position.offset FROM consumer_position "
      "JOIN partition USING (ref) JOIN topic ON topic.id = partition.topic WHERE consumer = ? ORDER BY ref",
      "read positions");
  if (!read) return failure(std::move(read));
  read->bind(1, std::string_view(consumer));
  std::vector<ports::Position> positions;
  for (;;) {
    auto row = read->step();
    if (!row) return failure(std::move(row));
    if (!*row) return positions;
    positions.push_back({std::string(read->text(0)), read->integer_as<std::int32_t>(1), read->integer(2)});
  }
}

Result<std::unique_ptr<ports::GroupMember>> LocalStream::join_group(const ports::GroupSpec& spec) {
  return LocalGroupMember::join(store_, spec);
}

}  // namespace write_aside::local_stream
