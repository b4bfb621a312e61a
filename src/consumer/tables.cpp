#include "consumer/tables.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "consumer/parked_record.hpp"

namespace write_aside::consumer {
namespace {

// Rows of one INSERT: powers of two, so that there are few different statements to prepare.
constexpr std::size_t rows_max = 256;
constexpr std::size_t parameters_per_row = 5;

std::string values_of(std::size_t rows) {
  std::string text;
  for (std::size_t row = 0; row < rows; ++row) {
    text += row == 0 ? "($1" : ", ($1";
    for (std::size_t column = 0; column < parameters_per_row; ++column) {
      text += ", $" + std::to_string(2 + row * parameters_per_row + column);
    }
    text += ')';
  }
  return text;
}

std::optional<Position> position_in(const Rows& rows) {
  if (rows.rows.empty()) return std::nullopt;
  const auto& row = rows.rows.front();
  Position position{std::get<std::int64_t>(row[0]), std::get<std::int64_t>(row[1]), std::get<std::string>(row[2]),
                    std::get<std::string>(row[3])};
  if (const auto* lane = std::get_if<std::int64_t>(&row[4])) position.lane = static_cast<LaneNumber>(*lane);
  if (const auto* offset = std::get_if<std::int64_t>(&row[5])) position.last_offset = *offset;
  if (const auto* seen = std::get_if<std::string>(&row[6])) position.last_seen = *seen;
  return position;
}

}  // namespace

std::string Tables::sql(std::string_view text) const {
  std::string result;
  result.reserve(text.size() + 2 * prefix_.size());
  for (const char c : text) {
    if (c == '@') {
      result += prefix_;
    } else {
      result += c;
    }
  }
  return result;
}

Result<std::optional<Position>> Tables::claim(UnitOfWork& unit, const ports::TopicPartition& partition,
                                              const std::string& owner) const {
  auto rows = unit.execute(
      sql("UPDATE @position SET generation = generation + 1, owner = $1 WHERE consumer = $2 AND topic = $3 AND "
          "partition = $4 RETURNING next_offset, generation, stream_id, topic_id, lane, last_offset, last_seen"),
      {owner, consumer_, partition.topic, partition.partition});
  if (!rows) return failure(rows);
  return position_in(*rows);
}

Result<bool> Tables::create(UnitOfWork& unit, const ports::TopicPartition& partition, const std::string& owner,
                            const Position& position) const {
  auto made = unit.execute(
      sql("INSERT INTO @position(consumer, topic, partition, next_offset, generation, owner, stream_id, topic_id) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"),
      {consumer_, partition.topic, partition.partition, position.next_offset, position.generation, owner,
       position.stream_id, position.topic_id});
  if (!made) return failure(made);
  return made->changed == 1;
}

Result<bool> Tables::advance(UnitOfWork& unit, const ports::TopicPartition& partition, const Position& from,
                             const Position& to) const {
  auto moved = unit.execute(
      sql("UPDATE @position SET next_offset = $1, lane = $2, last_offset = $3, last_seen = $4 WHERE consumer = $5 AND "
          "topic = $6 AND partition = $7 AND generation = $8 AND next_offset = $9"),
      {to.next_offset, to.lane ? Parameter(*to.lane) : Parameter(),
       to.last_offset ? Parameter(*to.last_offset) : Parameter(), to.last_seen, consumer_, partition.topic,
       partition.partition, from.generation, from.next_offset});
  if (!moved) return failure(moved);
  return moved->changed == 1;
}

Result<std::optional<Position>> Tables::find(UnitOfWork& unit, const ports::TopicPartition& partition) const {
  auto rows = unit.execute(sql("SELECT next_offset, generation, stream_id, topic_id, lane, last_offset, last_seen FROM "
                               "@position WHERE consumer = $1 "
                               "AND topic = $2 AND partition = $3"),
                           {consumer_, partition.topic, partition.partition});
  if (!rows) return failure(rows);
  return position_in(*rows);
}

Result<std::size_t> Tables::enter_all(UnitOfWork& unit, std::span<const ReceivedEvent> events) const {
  std::size_t entered = 0;
  while (!events.empty()) {
    const std::size_t count = std::bit_floor(std::min(events.size(), rows_max));
    std::vector<Parameter> parameters{consumer_};
    parameters.reserve(1 + count * parameters_per_row);
    for (const ReceivedEvent& event : events.first(count)) {
      parameters.insert(parameters.end(), {event.source, event.id, event.topic, event.partition, event.offset});
    }
    auto done = unit.execute(sql("INSERT INTO @inbox(consumer, source, id, topic, partition, record_offset) VALUES " +
                                 values_of(count) + " ON CONFLICT DO NOTHING"),
                             parameters);
    if (!done) return failure(done);
    entered += static_cast<std::size_t>(done->changed);
    events = events.subspan(count);
  }
  return entered;
}

Result<bool> Tables::enter(UnitOfWork& unit, const ReceivedEvent& event) const {
  auto entered = enter_all(unit, {&event, 1});
  if (!entered) return failure(entered);
  if (*entered == 1) return true;
  // The entry lives as long as the last record that it stands for.
  auto moved = unit.execute(
      sql("UPDATE @inbox SET topic = $1, partition = $2, record_offset = $3 WHERE consumer = $4 AND source = $5 AND "
          "id = $6 AND NOT (topic = $1 AND partition = $2 AND record_offset >= $3)"),
      {event.topic, event.partition, event.offset, consumer_, event.source, event.id});
  if (!moved) return failure(moved);
  return false;
}

Result<std::int64_t> Tables::prune(UnitOfWork& unit, const ports::TopicPartition& partition, std::int64_t begin) const {
  auto pruned = unit.execute(
      sql("DELETE FROM @inbox WHERE consumer = $1 AND (source, id) IN (SELECT source, id FROM @inbox WHERE "
          "consumer = $1 AND topic = $2 AND partition = $3 AND record_offset < $4 LIMIT 5000)"),
      {consumer_, partition.topic, partition.partition, begin});
  if (!pruned) return failure(pruned);
  return pruned->changed;
}

Result<bool> Tables::note_latest(UnitOfWork& unit, const ReceivedEvent& event, const UnitId& place) const {
  auto noted = unit.execute(
      sql("INSERT INTO @latest AS noted(consumer, source, topic, record_key, lane, epoch, n, member) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (consumer, source, topic, record_key) DO UPDATE SET "
          "lane = excluded.lane, epoch = excluded.epoch, n = excluded.n, member = excluded.member "
          "WHERE noted.lane <> excluded.lane OR (noted.epoch, noted.n, noted.member) <= "
          "(excluded.epoch, excluded.n, excluded.member)"),
      {consumer_, event.source, event.topic, BlobView{*event.key}, place.lane, static_cast<std::int64_t>(place.epoch),
       static_cast<std::int64_t>(place.n), place.member});
  if (!noted) return failure(noted);
  return noted->changed == 1;
}

Result<void> Tables::park(UnitOfWork& unit, const ReceivedEvent& event, ParkedEvent::State state,
                          const std::string& error, std::int64_t now_ms) const {
  const std::string record = encode_parked(event);
  auto parked = unit.execute(
      sql("INSERT INTO @parked(consumer, topic, partition, record_offset, state, parked_at, error, record_key, record) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
      {consumer_, event.topic, event.partition, event.offset, to_text(state), now_ms, error,
       event.key ? Parameter(BlobView{*event.key}) : Parameter(), BlobView{record}});
  if (!parked) return failure(parked);
  return {};
}

Result<Tables::ParkedKeys> Tables::parked_keys(UnitOfWork& unit, const ports::TopicPartition& partition,
                                               std::size_t events_max) const {
  auto rows = unit.execute(sql("SELECT record_key FROM @parked WHERE consumer = $1 AND topic = $2 AND partition = $3 "
                               "LIMIT $4"),
                           {consumer_, partition.topic, partition.partition, static_cast<std::int64_t>(events_max)});
  if (!rows) return failure(rows);
  ParkedKeys found{.keys = {}, .events = rows->rows.size()};
  for (const auto& row : rows->rows) {
    if (const auto* key = std::get_if<Blob>(&row.front())) found.keys.insert(key->bytes);
  }
  return found;
}

Result<std::vector<ReceivedEvent>> Tables::due_parked(UnitOfWork& unit, const ports::TopicPartition& partition) const {
  auto rows = unit.execute(
      sql("SELECT record_offset, record FROM @parked AS one WHERE consumer = $1 AND topic = $2 AND partition = $3 "
          "AND state <> 'parked' AND NOT EXISTS (SELECT 1 FROM @parked AS before WHERE before.consumer = $1 "
          "AND before.topic = $2 AND before.partition = $3 AND before.record_key = one.record_key "
          "AND before.record_offset < one.record_offset AND before.state = 'parked') ORDER BY record_offset LIMIT 100"),
      {consumer_, partition.topic, partition.partition});
  if (!rows) return failure(rows);
  std::vector<ReceivedEvent> events;
  for (const auto& row : rows->rows) {
    auto event = decode_parked(std::get<Blob>(row[1]).bytes, partition, std::get<std::int64_t>(row[0]));
    if (!event) return failure(event);
    events.push_back(*std::move(event));
  }
  return events;
}

Result<bool> Tables::unpark(UnitOfWork& unit, const ReceivedEvent& event) const {
  auto gone = unit.execute(sql("DELETE FROM @parked WHERE consumer = $1 AND topic = $2 AND partition = $3 AND "
                               "record_offset = $4 AND state <> 'parked'"),
                           {consumer_, event.topic, event.partition, event.offset});
  if (!gone) return failure(gone);
  return gone->changed == 1;
}

Result<void> Tables::park_again(UnitOfWork& unit, const ReceivedEvent& event, const std::string& error) const {
  auto parked = unit.execute(sql("UPDATE @parked SET state = 'parked', error = $1 WHERE consumer = $2 AND topic = $3 "
                                 "AND partition = $4 AND record_offset = $5"),
                             {error, consumer_, event.topic, event.partition, event.offset});
  if (!parked) return failure(parked);
  return {};
}

}  // namespace write_aside::consumer
