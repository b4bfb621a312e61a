#include "adapters/local_stream/group_member.hpp"

#include <algorithm>
#include <utility>

#include "adapters/local_stream/planned_records.hpp"
#include "write_aside/ports/runtime.hpp"

namespace write_aside::local_stream {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_interval{100};
constexpr std::chrono::milliseconds beat_patience{1'000};

// Groups came after the first stream files, so whoever needs the table makes it.
constexpr const char* group_table =
    "CREATE TABLE IF NOT EXISTS group_member(group_name TEXT NOT NULL, member TEXT NOT NULL, process TEXT NOT NULL, "
    "seen_ms INTEGER NOT NULL, timeout_ms INTEGER NOT NULL, PRIMARY KEY(group_name, member)) WITHOUT ROWID";

std::string new_member_name() { return "member-" + std::to_string(ports::system_runtime().random()); }

}  // namespace

Result<std::unique_ptr<ports::GroupMember>> LocalGroupMember::join(std::shared_ptr<Store> store,
                                                                   const ports::GroupSpec& spec) {
  auto connection = store->reading_connection();
  if (!connection) return failure(std::move(connection));
  std::vector<ports::TopicPartition> partitions;
  for (const std::string& name : spec.topics) {
    auto topic = store->topic(*connection, name);
    if (!topic) return failure(std::move(topic));
    if (*topic == nullptr) return failure(store->unknown_topic(name));
    for (std::int32_t number = 0; number < (*topic)->info.partitions; ++number) partitions.push_back({name, number});
  }
  std::sort(partitions.begin(), partitions.end());
  auto writing = store->write(Durability::staged, "join a group");
  if (!writing) return failure(std::move(writing));
  if (auto made = writing->connection().run(group_table, "join a group"); !made) return failure(std::move(made));
  if (auto committed = writing->commit(false); !committed) return failure(std::move(committed));
  auto member = std::make_unique<LocalGroupMember>(std::move(store), *std::move(connection), spec, partitions);
  if (auto beaten = member->beat(); !beaten) return failure(std::move(beaten));
  return member;
}

LocalGroupMember::LocalGroupMember(std::shared_ptr<Store> store, sqlite_handles::Connection connection,
                                   ports::GroupSpec spec, std::vector<ports::TopicPartition> partitions)
    : store_(std::move(store)),
      connection_(std::move(connection)),
      spec_(std::move(spec)),
      member_(spec_.instance.empty() ? new_member_name() : spec_.instance),
      process_(to_string(ports::system_runtime().process())),
      partitions_(std::move(partitions)) {}

LocalGroupMember::~LocalGroupMember() {
  // A row that stays is left out when its session times out.
  if (spec_.instance.empty()) static_cast<void>(leave());
}

Result<std::vector<ports::TopicPartition>> LocalGroupMember::share() {
  const auto now = steady_clock::now();
  if (now - beat_at_ >= spec_.session_timeout / 3) {
    // A stream that is busy now will not be at the next call.
    if (auto beaten = beat(); !beaten && beaten.error().code != ErrorCode::busy) return failure(std::move(beaten));
  }
  if (now - looked_at_ < look_interval) return share_;
  auto members = living();
  if (!members) return failure(std::move(members));
  looked_at_ = now;
  share_.clear();
  const auto self = std::find(members->begin(), members->end(), member_);
  if (self == members->end()) {
    beat_at_ = {};  // taken for dead: come back
    return share_;
  }
  for (auto index = static_cast<std::size_t>(self - members->begin()); index < partitions_.size();
       index += members->size()) {
    share_.push_back(partitions_[index]);
  }
  return share_;
}

Result<void> LocalGroupMember::report(std::span<const ports::Position>) {
  return {};  // nobody looks: whoever wants to know reads the consumer's database
}

Result<void> LocalGroupMember::beat() {
  auto writing = store_->write(Durability::staged, "keep a place in a group", steady_clock::now() + beat_patience);
  if (!writing) return failure(std::move(writing));
  if (auto put = put_row(writing->connection()); !put) return put;
  if (auto committed = writing->commit(false); !committed) return committed;
  beat_at_ = steady_clock::now();
  return {};
}

Result<void> LocalGroupMember::leave() {
  auto writing = store_->write(Durability::staged, "leave a group", steady_clock::now() + beat_patience);
  if (!writing) return failure(std::move(writing));
  if (auto dropped = drop_row(writing->connection()); !dropped) return dropped;
  return writing->commit(false);
}

// Functions of their own: a statement must be gone before the commit, with which the next writer gets the connection.
Result<void> LocalGroupMember::put_row(sqlite_handles::Connection& connection) const {
  const std::int64_t now = wall_clock_ms();
  auto put = connection.prepare(
      "INSERT INTO group_member(group_name, member, process, seen_ms, timeout_ms) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET process = excluded.process, seen_ms = excluded.seen_ms, "
      "timeout_ms = excluded.timeout_ms",
      "keep a place in a group");
  if (!put) return failure(std::move(put));
  put->bind_all(std::string_view(spec_.name), std::string_view(member_), std::string_view(process_), now,
                spec_.session_timeout.count());
  if (auto done = put->run(); !done) return failure(std::move(done));
  auto drop = connection.prepare("DELETE FROM group_member WHERE group_name = ? AND seen_ms + timeout_ms < ?",
                                 "keep a place in a group");
  if (!drop) return failure(std::move(drop));
  if (auto done = drop->bind_all(std::string_view(spec_.name), now).run(); !done) return failure(std::move(done));
  return {};
}

Result<void> LocalGroupMember::drop_row(sqlite_handles::Connection& connection) const {
  auto drop = connection.prepare("DELETE FROM group_member WHERE group_name = ? AND member = ?", "leave a group");
  if (!drop) return failure(std::move(drop));
  drop->bind_all(std::string_view(spec_.name), std::string_view(member_));
  if (auto done = drop->run(); !done) return failure(std::move(done));
  return {};
}

Result<std::vector<std::string>> LocalGroupMember::living() {
  auto read = connection_.prepare(
      "SELECT member, process FROM group_member WHERE group_name = ? AND seen_ms + timeout_ms >= ? ORDER BY member",
      "read a group");
  if (!read) return failure(std::move(read));
  read->bind_all(std::string_view(spec_.name), wall_clock_ms());
  std::vector<std::string> members;
  for (;;) {
    auto row = read->step();
    if (!row) return failure(std::move(row));
    if (!*row) return members;
    const auto process = ports::parse_process_identity(read->text(1));
    if (process && ports::system_runtime().is_dead(*process)) continue;
    members.emplace_back(read->text(0));
  }
}

}  // namespace write_aside::local_stream
