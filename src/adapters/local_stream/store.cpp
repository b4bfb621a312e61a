#include "adapters/local_stream/store.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "adapters/local_stream/record_tables.hpp"
#include "adapters/local_stream/schema.hpp"

namespace write_aside::local_stream {
namespace {

using sqlite_handles::Connection;

std::chrono::steady_clock::time_point soonest(ports::Deadline deadline, std::chrono::milliseconds timeout) {
  return std::min(deadline, std::chrono::steady_clock::now() + timeout);
}

}  // namespace

Result<std::shared_ptr<Store>> Store::open(const std::string& path, const Options& options) {
  std::string name = "local:" + path;
  if (auto prepared = prepare_file(path, name, options); !prepared) return failure(std::move(prepared));
  auto store = std::make_shared<Store>(path, std::move(name), options);
  if (auto opened = store->open_writer(); !opened) return failure(std::move(opened));
  auto read = store->writer_->prepare("SELECT value FROM meta WHERE name = 'stream_id'", "open");
  if (!read) return failure(std::move(read));
  auto row = read->step();
  if (!row) return failure(std::move(row));
  if (*row) store->stream_id_ = read->text(0);
  return store;
}

sqlite_handles::ConnectionOptions Store::connection_options() const {
  sqlite_handles::ConnectionOptions connection;
  connection.side = Side::stream;
  connection.name = name_;
  connection.create = false;
  connection.busy_timeout = options_.busy_timeout;
  connection.wal_autocheckpoint_pages = 0;
  connection.statements_max = 5 * record_tables + 64;
  return connection;
}

Result<void> Store::open_writer() {
  if (writer_) return {};
  auto opened = Connection::open(path_, connection_options());
  if (!opened) return failure(std::move(opened));
  writer_.emplace(std::move(*opened));
  writer_durability_ = Durability::durable;
  sqlite3_wal_hook(writer_->raw(), &Store::on_commit, this);
  return {};
}

int Store::on_commit(void* store, sqlite3* /*handle*/, const char* /*schema*/, int wal_frames) {
  Store& self = *static_cast<Store*>(store);
  if (wal_frames < self.wal_frames_) self.checkpoint_at_ = wal_frames_soft;  // the WAL started over
  self.wal_frames_ = wal_frames;
  return SQLITE_OK;
}

Result<Connection> Store::reading_connection() {
  sqlite_handles::ConnectionOptions options = connection_options();
  options.query_only = true;
  return Connection::open(path_, options);
}

Result<void> Store::set_durability(Durability durability) {
  if (options_.unsafe_synchronous_normal) durability = Durability::staged;
  if (writer_durability_ == durability) return {};
  // Not through the cache of statements: this pragma takes effect when it is prepared.
  const char* sql = durability == Durability::durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  const int code = sqlite3_exec(writer_->raw(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(writer_->error(code, "set the durability"));
  writer_durability_ = durability;
  return {};
}

Result<void> Store::begin(Durability durability, ports::Deadline deadline) {
  if (auto opened = open_writer(); !opened) return opened;
  if (auto set = set_durability(durability); !set) return set;
  writer_->wait_until(deadline);
  if (log_is_suspect_) {
    if (auto rewritten = rewrite_log(); !rewritten) return rewritten;
  }
  return writer_->run("BEGIN IMMEDIATE", "begin to write");
}

// After a failed sync the kernel may take pages for written that are not on the disk, and the next sync would
// succeed without them. So nothing is built on that log: its pages are copied into the file, which is synced, and
// the log starts over.
Result<void> Store::rewrite_log() {
  const int code = sqlite3_wal_checkpoint_v2(writer_->raw(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(writer_->error(code, "rewrite the log after a failed sync"));
  log_is_suspect_ = false;
  return {};
}

Result<Writing> Store::write(Durability durability, std::string_view what, ports::Deadline deadline) {
  const ports::Deadline until = never_waits() ? ports::Deadline::min() : soonest(deadline, options_.busy_timeout);
  if (!turn_.take(until)) {
    return failure({.code = ErrorCode::busy,
                    .side = Side::stream,
                    .effect = Effect::no,
                    .retriable = true,
                    .message = std::string(what) + " failed on " + name_ +
                               ": other threads kept the file busy; try again, or raise busy_timeout",
                    .driver = {}});
  }
  Writing writing(*this, durability);  // from here on the turn is given back
  if (auto begun = begin(durability, until); !begun) return failure(std::move(begun));
  return writing;
}

TopicPointer Store::known_topic(const std::string& name) {
  const std::lock_guard lock(topics_mutex_);
  const auto known = topics_.find(name);
  return known == topics_.end() ? nullptr : known->second;
}

Result<TopicPointer> Store::topic(const std::string& name) {
  if (TopicPointer known = known_topic(name)) return known;
  auto writing = write(Durability::staged, "look up a topic");
  if (!writing) return failure(std::move(writing));
  return topic(writing->connection(), name);
}

Result<TopicPointer> Store::topic(Connection& connection, const std::string& name) {
  if (TopicPointer known = known_topic(name)) return known;
  auto read = connection.prepare(
      "SELECT topic.uid, topic.partitions, topic.compacted, partition.ref, partition.number FROM topic CROSS JOIN "
      "partition "
      "ON partition.topic = topic.id WHERE topic.name = ? ORDER BY partition.number",
      "look up a topic");
  if (!read) return failure(std::move(read));
  read->bind(1, std::string_view(name));
  auto topic = std::make_shared<Topic>();
  for (;;) {
    auto row = read->step();
    if (!row) return failure(std::move(row));
    if (!*row) break;
    topic->info = {name, std::string(read->text(0)), read->integer_as<std::int32_t>(1), read->integer(2) != 0};
    const bool follows = read->integer(4) == static_cast<std::int64_t>(topic->refs.size());
    topic->refs.push_back(follows ? read->integer(3) : 0);
  }
  if (topic->refs.empty()) return TopicPointer{};
  const bool complete = topic->refs.size() == static_cast<std::size_t>(topic->info.partitions);
  if (!complete || !std::all_of(topic->refs.begin(), topic->refs.end(), is_ref)) {
    return failure(damaged(name_, "the partitions of topic '" + name + "' are not those that it was made with"));
  }
  const std::lock_guard lock(topics_mutex_);
  return topics_.emplace(name, std::move(topic)).first->second;
}

Result<std::int64_t> Store::ref_of(Connection& connection, const std::string& topic, std::int32_t partition) {
  auto found = this->topic(connection, topic);
  if (!found) return failure(std::move(found));
  if (*found == nullptr) return failure(unknown_topic(topic));
  if (partition < 0 || partition >= (*found)->info.partitions) {
    return failure({.code = ErrorCode::invalid_argument,
                    .side = Side::caller,
                    .effect = Effect::no,
                    .message = "topic '" + topic + "' of " + name_ + " has no partition " + std::to_string(partition) +
                               "; it has " + std::to_string((*found)->info.partitions),
                    .driver = {}});
  }
  return (*found)->refs[static_cast<std::size_t>(partition)];
}

Error Store::unknown_topic(std::string_view topic) const {
  return {.code = ErrorCode::unknown_topic,
          .side = Side::stream,
          .effect = Effect::no,
          .message = name_ + " has no topic '" + std::string(topic) + "'; make it with 'write-aside init --topic " +
                     std::string(topic) + ":PARTITIONS'",
          .driver = {}};
}

Writing::~Writing() {
  if (store_ == nullptr) return;
  roll_back();
  store_->turn_.give_back();
}

void Writing::roll_back() {
  if (!store_->writer_ || !store_->writer_->in_transaction()) return;
  const auto rolled_back = store_->writer_->run("ROLLBACK", "roll back");
  // A connection that cannot roll back is closed, which does it; the next writer opens another one.
  if (!rolled_back || store_->writer_->in_transaction()) store_->writer_.reset();
}

Result<void> Writing::commit(bool visible) {
  Store& store = *store_;
  auto committed = connection().run("COMMIT", "commit");
  if (!committed) {
    // The pages of a failed commit may have reached the WAL. Staged records that come back after a crash belong
    // to an open transaction, which then nobody commits; a durable one that comes back is visible.
    Error error = std::move(committed).error();
    if (error.code == ErrorCode::io) store.log_is_suspect_ = true;
    if (durability_ == Durability::staged) error.effect = Effect::no;
    return failure(std::move(error));
  }
  const bool late = store.wal_frames_ >= wal_frames_hard;
  const bool checkpoint = store.wal_frames_ >= store.checkpoint_at_ && (late || durability_ == Durability::durable);
  // A long reader may keep the WAL from starting over: then not at every commit.
  if (checkpoint) store.checkpoint_at_ = store.wal_frames_ + wal_frames_soft;
  store_ = nullptr;
  store.turn_.give_back();
  store.staged_notice_.give();
  if (visible) store.visible_notice_.give();
  if (checkpoint && late) store.checkpointer_.run();
  if (checkpoint && !late) store.checkpointer_.request();
  return {};
}

}  // namespace write_aside::local_stream
