// An opened stream file: one writing connection, taken in turns, what is known of the topics, and the notices to
// waiting readers. Shared by the stream, its producers and its readers. Safe from many threads.
//
// What a power cut may take. Every commit appends whole pages to the WAL, which SQLite reads back only up to the
// first damaged or missing frame. A commit at Durability::staged writes there without a sync; one at
// Durability::durable syncs the WAL, and with it everything that was appended before. So a power cut takes the
// tail behind the last durable commit: staged records, all of transactions that had not ended, and perhaps the
// durable commit under way, whole. A transaction whose end was reported has all of its records. An epoch that was
// handed out is durable too.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adapters/local_stream/checkpointer.hpp"
#include "adapters/local_stream/notice.hpp"
#include "adapters/local_stream/turn.hpp"
#include "adapters/sqlite_handles/connection.hpp"
#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::local_stream {

enum class Durability { staged, durable };

// A checkpoint is asked for at the end of a transaction from the first limit on. Should the WAL grow faster than it is
// copied, or a transaction be so large that the WAL must not wait for its end, the writer makes one himself.
inline constexpr int wal_frames_soft = 4'000;
inline constexpr int wal_frames_hard = 60'000;

// Topics never change and are never deleted, so what was read once stays true.
struct Topic {
  ports::TopicInfo info;
  std::vector<std::int64_t> refs;  // of its partitions, by number
};
using TopicPointer = std::shared_ptr<const Topic>;

class Writing;

class Store {
 public:
  [[nodiscard]] static Result<std::shared_ptr<Store>> open(const std::string& path, const Options& options);
  // Of no use until opened: call open().
  Store(std::string path, std::string name, const Options& options)
      : path_(std::move(path)),
        name_(std::move(name)),
        options_(options),
        checkpointer_(turn_, options.busy_timeout,
                      [this] { return sqlite_handles::Connection::open(path_, connection_options()); }) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& stream_id() const { return stream_id_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] bool never_waits() const { return options_.busy_timeout <= std::chrono::milliseconds::zero(); }

  // Opens a transaction on the writing connection, once it is this caller's turn.
  [[nodiscard]] Result<Writing> write(Durability durability, std::string_view what,
                                      ports::Deadline deadline = ports::Deadline::max());
  // A connection of its own for a reader.
  [[nodiscard]] Result<sqlite_handles::Connection> reading_connection();

  // Null: no such topic. Reads through `connection` what is not known yet.
  [[nodiscard]] Result<TopicPointer> topic(sqlite_handles::Connection& connection, const std::string& name);
  // The same on the writing connection, if it is not known yet.
  [[nodiscard]] Result<TopicPointer> topic(const std::string& name);
  // `unknown_topic` instead of null, and the partition's number is checked.
  [[nodiscard]] Result<std::int64_t> ref_of(sqlite_handles::Connection& connection, const std::string& topic,
                                            std::int32_t partition);
  [[nodiscard]] Error unknown_topic(std::string_view topic) const;

  // Whether the last end of a transaction of this process that was held back, or might have been, could not be written.
  [[nodiscard]] bool end_failed() const { return end_failed_.load(std::memory_order_relaxed); }
  void note_end(bool written) { end_failed_.store(!written, std::memory_order_relaxed); }

  Notice& staged_notice() { return staged_notice_; }    // anything was written
  Notice& visible_notice() { return visible_notice_; }  // something became visible to read_committed

 private:
  friend class Writing;
  [[nodiscard]] sqlite_handles::ConnectionOptions connection_options() const;
  [[nodiscard]] Result<void> open_writer();
  [[nodiscard]] Result<void> set_durability(Durability durability);
  [[nodiscard]] Result<void> begin(Durability durability, ports::Deadline deadline);
  [[nodiscard]] Result<void> rewrite_log();
  [[nodiscard]] TopicPointer known_topic(const std::string& name);
  static int on_commit(void* store, struct sqlite3*, const char*, int wal_frames);

  std::string path_;
  std::string name_;
  std::string stream_id_;
  Options options_;
  Turn turn_;
  // Held by whoever has the turn. Empty after a failed rollback; opened again by the next writer.
  std::optional<sqlite_handles::Connection> writer_;
  Durability writer_durability_ = Durability::durable;
  bool log_is_suspect_ = false;  // a write or sync of it failed
  int wal_frames_ = 0;           // in the WAL at the last commit of the writer
  int checkpoint_at_ = wal_frames_soft;
  std::atomic<bool> end_failed_ = false;
  std::mutex topics_mutex_;
  std::map<std::string, TopicPointer, std::less<>> topics_;
  Notice staged_notice_;
  Notice visible_notice_;
  Checkpointer checkpointer_;  // last: its thread uses the above
};

// A transaction on the writing connection. Rolled back, and the turn given back, when destroyed.
class Writing {
 public:
  Writing(Writing&& other) noexcept : store_(std::exchange(other.store_, nullptr)), durability_(other.durability_) {}
  Writing& operator=(Writing&&) = delete;
  ~Writing();

  [[nodiscard]] sqlite_handles::Connection& connection() { return *store_->writer_; }
  [[nodiscard]] Store& store() { return *store_; }
  // Ends the transaction and gives the turn back. On an error the transaction is rolled back; after a durable one
  // `effect` is `unknown` where a crash could still bring it back.
  [[nodiscard]] Result<void> commit(bool visible);

 private:
  friend class Store;
  Writing(Store& store, Durability durability) : store_(&store), durability_(durability) {}
  void roll_back();

  Store* store_;
  Durability durability_;
};

}  // namespace write_aside::local_stream
