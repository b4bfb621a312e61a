// Ports that hand every call on to other ones. A test derives from them and changes the one call that it is about.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "write_aside/ports/database.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::support {

class ForwardingOwnTransaction : public ports::OwnTransaction {
 public:
  explicit ForwardingOwnTransaction(std::unique_ptr<ports::OwnTransaction> inner) : inner_(std::move(inner)) {}

  Result<std::optional<ports::LaneRow>> lock_lane(LaneNumber lane) override { return inner_->lock_lane(lane); }
  Result<void> write_lane(const ports::LaneRow& row, bool beat) override { return inner_->write_lane(row, beat); }
  Result<std::vector<ports::JournalRow>> undelivered_below(LaneNumber lane, std::uint64_t epoch,
                                                           std::size_t limit) override {
    return inner_->undelivered_below(lane, epoch, limit);
  }
  Result<std::vector<ports::JournalRow>> undelivered_labelled(LaneNumber lane, BatchId label,
                                                              std::size_t limit) override {
    return inner_->undelivered_labelled(lane, label, limit);
  }
  Result<std::optional<ports::JournalRow>> row(const UnitId& key) override { return inner_->row(key); }
  Result<std::uint64_t> deliver_covered(LaneNumber lane, BatchId label) override {
    return inner_->deliver_covered(lane, label);
  }
  Result<std::uint64_t> deliver(const UnitId& key) override { return inner_->deliver(key); }
  Result<std::uint64_t> adopt_all(LaneNumber lane, BatchId label) override { return inner_->adopt_all(lane, label); }
  Result<bool> adopt(const UnitId& key, BatchId label) override { return inner_->adopt(key, label); }
  Result<std::uint64_t> delete_settled(LaneNumber lane, BatchId upto) override {
    return inner_->delete_settled(lane, upto);
  }
  Result<bool> insert_tombstone(const UnitId& key) override { return inner_->insert_tombstone(key); }
  Result<std::optional<BatchId>> purge(LaneNumber lane, std::chrono::seconds retention) override {
    return inner_->purge(lane, retention);
  }
  ports::CommitReply commit() override { return inner_->commit(); }

 private:
  std::unique_ptr<ports::OwnTransaction> inner_;
};

class ForwardingSession : public ports::Session {
 public:
  explicit ForwardingSession(std::unique_ptr<ports::Session> inner) : inner_(std::move(inner)) {}

  Result<void> begin(ports::Deadline deadline) override { return inner_->begin(deadline); }
  Result<Rows> execute(std::string_view sql, std::span<const Parameter> parameters) override {
    return inner_->execute(sql, parameters);
  }
  Result<void> savepoint(int depth) override { return inner_->savepoint(depth); }
  Result<void> rollback_to_savepoint(int depth) override { return inner_->rollback_to_savepoint(depth); }
  Result<void> release_savepoint(int depth) override { return inner_->release_savepoint(depth); }
  Result<std::optional<std::string>> progress(std::string_view source) override { return inner_->progress(source); }
  Result<bool> advance(std::string_view source, std::optional<std::string_view> expected,
                       std::string_view position) override {
    return inner_->advance(source, expected, position);
  }
  void send_journal(const ports::JournalEntry& entry) override { inner_->send_journal(entry); }
  Result<ports::JournalReply> receive_journal() override { return inner_->receive_journal(); }
  ports::CommitReply commit(ports::Deadline deadline) override { return inner_->commit(deadline); }
  Result<void> rollback() override { return inner_->rollback(); }
  std::string identity() const override { return inner_->identity(); }
  std::string database_id() const override { return inner_->database_id(); }

 private:
  std::unique_ptr<ports::Session> inner_;
};

class ForwardingDatabase : public ports::Database {
 public:
  explicit ForwardingDatabase(std::shared_ptr<ports::Database> inner) : inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  Result<ports::Schema> create_schema(std::uint32_t lanes) override { return inner_->create_schema(lanes); }
  Result<ports::Schema> schema() override { return inner_->schema(); }
  Result<std::unique_ptr<ports::Session>> session(ports::Deadline deadline) override {
    return inner_->session(deadline);
  }
  Result<std::unique_ptr<ports::OwnTransaction>> own_transaction(ports::Deadline deadline) override {
    return inner_->own_transaction(deadline);
  }
  Result<std::vector<ports::LaneSummary>> lanes() override { return inner_->lanes(); }
  Result<std::optional<ports::LaneRow>> lane(LaneNumber lane) override { return inner_->lane(lane); }
  Result<std::vector<ports::LaneRow>> lanes_in_use() override { return inner_->lanes_in_use(); }
  Result<bool> has_undelivered_below(LaneNumber lane, std::uint64_t epoch) override {
    return inner_->has_undelivered_below(lane, epoch);
  }
  Result<std::optional<std::string>> progress(std::string_view source) override { return inner_->progress(source); }
  Result<std::string> table_prefix() override { return inner_->table_prefix(); }
  Result<void> end_session(const std::string& identity, ports::Deadline deadline) override {
    return inner_->end_session(identity, deadline);
  }

 private:
  std::shared_ptr<ports::Database> inner_;
};

class ForwardingReader : public ports::Reader {
 public:
  explicit ForwardingReader(std::unique_ptr<ports::Reader> inner) : inner_(std::move(inner)) {}
  Result<std::vector<ports::StoredRecord>> poll(std::size_t records_max, ports::Deadline deadline) override {
    return inner_->poll(records_max, deadline);
  }
  Result<std::int64_t> position(const std::string& topic, std::int32_t partition) override {
    return inner_->position(topic, partition);
  }

 private:
  std::unique_ptr<ports::Reader> inner_;
};

class ForwardingTransactionalProducer : public ports::TransactionalProducer {
 public:
  explicit ForwardingTransactionalProducer(std::unique_ptr<ports::TransactionalProducer> inner)
      : inner_(std::move(inner)) {}
  Result<void> initialise(ports::Deadline deadline) override { return inner_->initialise(deadline); }
  Result<void> begin() override { return inner_->begin(); }
  Result<void> produce(std::span<const ports::RecordView> records, std::uint64_t token) override {
    return inner_->produce(records, token);
  }
  ports::EndReport end(ports::Ending ending, ports::Deadline deadline) override {
    return inner_->end(ending, deadline);
  }
  void hold_back() override { inner_->hold_back(); }
  std::chrono::milliseconds rest_after_end() const override { return inner_->rest_after_end(); }

 private:
  std::unique_ptr<ports::TransactionalProducer> inner_;
};

class ForwardingEventStream : public ports::EventStream {
 public:
  explicit ForwardingEventStream(std::shared_ptr<ports::EventStream> inner) : inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  Result<std::string> identity() override { return inner_->identity(); }
  Result<std::optional<ports::TopicInfo>> topic(const std::string& name) override { return inner_->topic(name); }
  Result<std::vector<ports::TopicInfo>> topics() override { return inner_->topics(); }
  Result<bool> create_topic(const ports::TopicSpec& spec, ports::Deadline deadline) override {
    return inner_->create_topic(spec, deadline);
  }
  std::size_t record_bytes_max() const override { return inner_->record_bytes_max(); }
  Result<std::unique_ptr<ports::TransactionalProducer>> transactional_producer(
      const std::string& transactional_id, std::chrono::milliseconds transaction_timeout,
      ports::Deliveries& deliveries) override {
    return inner_->transactional_producer(transactional_id, transaction_timeout, deliveries);
  }
  Result<std::unique_ptr<ports::Producer>> producer(ports::Deliveries& deliveries) override {
    return inner_->producer(deliveries);
  }
  Result<std::unique_ptr<ports::Reader>> reader(const std::vector<ports::ReadFrom>& from,
                                                ports::Isolation isolation) override {
    return inner_->reader(from, isolation);
  }
  Result<Bounds> bounds(const std::string& topic, std::int32_t partition, ports::Isolation isolation) override {
    return inner_->bounds(topic, partition, isolation);
  }
  Result<void> store_positions(const std::string& consumer, std::span<const ports::Position> positions) override {
    return inner_->store_positions(consumer, positions);
  }
  Result<std::vector<ports::Position>> positions(const std::string& consumer) override {
    return inner_->positions(consumer);
  }
  Result<std::unique_ptr<ports::GroupMember>> join_group(const ports::GroupSpec& spec) override {
    return inner_->join_group(spec);
  }

 private:
  std::shared_ptr<ports::EventStream> inner_;
};

}  // namespace write_aside::support
