// The file of a local stream, damaged: every call succeeds or gives a clear error, none crashes or goes on without end,
// and what a reader gets stands in order and where it says.
//
// An input is a list of blows to a good file: to a byte of it, to a byte of its log, or, so that the blows get behind
// SQLite's own checks, to a value of a table.
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "write_aside/adapters/local_stream.hpp"

namespace {

using namespace write_aside;
using namespace std::chrono_literals;
using fuzz::require;
namespace fs = std::filesystem;

constexpr std::size_t blows_max = 12;
constexpr int polls_max = 100;
constexpr int records_per_poll = 7;

constexpr std::array<const char*, 16> values = {"NULL",
                                                "0",
                                                "1",
                                                "-1",
                                                "2",
                                                "31",
                                                "4194304",
                                                "2147483648",
                                                "'x'",
                                                "x'ff'",
                                                "1e300",
                                                "1099511627775",
                                                "1099511627776",
                                                "''",
                                                "9223372036854775807",
                                                "-9223372036854775808"};
constexpr std::array<const char*, 26> columns = {"topic.partitions",
                                                 "topic.compacted",
                                                 "topic.name",
                                                 "topic.id",
                                                 "topic.uid",
                                                 "partition.ref",
                                                 "partition.topic",
                                                 "partition.number",
                                                 "partition.next_offset",
                                                 "partition.begin_offset",
                                                 "partition.compacted_upto",
                                                 "producer.id",
                                                 "producer.epoch",
                                                 "producer.transactional_id",
                                                 "open_transaction.producer",
                                                 "open_transaction.deadline_ms",
                                                 "open_partition.ref",
                                                 "open_partition.producer",
                                                 "open_partition.first_offset",
                                                 "compacted_key.offset",
                                                 "compacted_key.key",
                                                 "consumer_position.ref",
                                                 "consumer_position.offset",
                                                 "record_1.position",
                                                 "record_1.headers",
                                                 "record_2.key"};

ports::Deadline soon() { return std::chrono::steady_clock::now() + 100ms; }

class Offsets final : public ports::Deliveries {
 public:
  void delivered(std::uint64_t /*token*/, Result<std::int64_t> first_offset) override {
    first = std::move(first_offset);
  }
  Result<std::int64_t> first = 0;
};

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Good files, and a folder for damaged ones.
class Workshop {
 public:
  Workshop() {
    std::string pattern = (fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) / "fuzz-XXXXXX";
    require(mkdtemp(pattern.data()) != nullptr, "a folder can be made");
    folder = pattern;
    path = folder / "stream";
    make();
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  ~Workshop() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  void lay_out(const std::string& file_bytes, const std::string& log_bytes) const {
    fs::remove(folder / "stream-shm");
    fs::remove(folder / "stream-wal");
    std::ofstream(path, std::ios::binary) << file_bytes;
    if (!log_bytes.empty()) std::ofstream(folder / "stream-wal", std::ios::binary) << log_bytes;
  }

  fs::path folder;
  fs::path path;
  std::string file;                            // everything is in the file
  std::pair<std::string, std::string> logged;  // a file, and a log with what came later

 private:
  void make() {
    // Small pages: more of the bytes say something.
    sqlite3* raw = nullptr;
    require(sqlite3_open(path.c_str(), &raw) == SQLITE_OK, "an empty database can be made");
    require(sqlite3_exec(raw, "PRAGMA page_size = 512; VACUUM", nullptr, nullptr, nullptr) == SQLITE_OK,
            "of that size");
    sqlite3_close(raw);
    {
      const auto stream = local_stream::open(path).value();
      require(stream->create_topic({"orders", 2, false}, soon()).value() &&
                  stream->create_topic({"stock", 1, true}, soon()).value(),
              "topics can be made");
    }
    const auto stream = local_stream::open(path).value();
    logged.first = contents(path);
    Offsets offsets;
    const auto settled = stream->transactional_producer("settled", 60s, offsets).value();
    require(settled->initialise(soon()).has_value(), "a producer can be initialised");
    const std::string small = "value";
    const std::string large(5'000, 'v');
    const std::vector<ports::HeaderView> headers{{"ce_id", "1"}, {"bytes", "\xff\x00"}};
    for (int round = 0; round < 6; ++round) {
      require(settled->begin().has_value(), "a transaction can begin");
      const std::vector<ports::RecordView> records{{"orders", 0, "key", "value", headers, 1},
                                                   {"orders", 1, {}, round == 3 ? large : small, headers, 1},
                                                   {"stock", 0, round % 2 == 0 ? "a" : "b", "value", {}, 1}};
      require(settled->produce(records, 1).has_value(), "records can be produced");
      require(settled->end(round == 4 ? ports::Ending::abort : ports::Ending::commit, soon()).clean, "and ended");
    }
    const auto open = stream->transactional_producer("open", 60s, offsets).value();
    require(open->initialise(soon()) && open->begin(), "another producer can begin");
    const std::vector<ports::RecordView> undecided{{"orders", 1, "key", "undecided", {}, 1}};
    require(open->produce(undecided, 1).has_value(), "and leave its transaction open");
    const std::vector<ports::Position> positions{{"orders", 0, 2}};
    require(stream->store_positions("reader", positions).has_value(), "positions can be stored");
    logged.second = contents(folder / "stream-wal");
    require(!logged.second.empty(), "there is a log");
    lay_out_whole();
  }

  // The same without a log: the last connection that closes moves it into the file.
  void lay_out_whole() {
    const fs::path whole = folder / "whole";
    std::ofstream(whole, std::ios::binary) << logged.first;
    std::ofstream(folder / "whole-wal", std::ios::binary) << logged.second;
    local_stream::open(whole).value().reset();
    require(!fs::exists(folder / "whole-wal"), "the log is gone");
    file = contents(whole);
  }
};

class Blows {
 public:
  explicit Blows(std::string_view input) : rest_(input) {}
  [[nodiscard]] bool more() const { return !rest_.empty() && count_++ < blows_max; }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto taken = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return taken;
  }

 private:
  std::string_view rest_;
  mutable std::size_t count_ = 0;
};

void strike_table(const fs::path& path, Blows& blows) {
  const std::string column = columns[blows.byte() % columns.size()];
  const std::string table = column.substr(0, column.find('.'));
  const std::string name = column.substr(table.size() + 1);
  const std::string value = values[blows.byte() % values.size()];
  const int row = blows.byte();
  std::string condition;
  if (row % 4 != 3) {
    condition =
        " WHERE " + name + " = (SELECT " + name + " FROM " + table + " LIMIT 1 OFFSET " + std::to_string(row % 4) + ")";
  }
  std::string sql = "UPDATE OR IGNORE " + table + " SET " + name + " = " + value + condition;
  if (row >= 200) sql = "DELETE FROM " + table + condition;
  sqlite3* raw = nullptr;
  sqlite3_open(path.c_str(), &raw);
  sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr);
  sqlite3_close(raw);
}

void strike_byte(std::string& bytes, Blows& blows) {
  const std::size_t place = blows.byte() | blows.byte() << 8 | blows.byte() << 16;
  if (!bytes.empty()) bytes[place % bytes.size()] ^= static_cast<char>(blows.byte());
}

template <class T>
bool good(const Result<T>& result) {
  if (!result) fuzz::require_clear(result.error());
  return result.has_value();
}

// Reads a partition from its beginning to its end.
void read_partition(ports::EventStream& stream, ports::Reader& reader, const std::string& topic, std::int32_t partition,
                    ports::Isolation isolation) {
  const auto bounds = stream.bounds(topic, partition, isolation);
  if (!good(bounds)) return;
  require(bounds->begin >= 0 && bounds->begin <= bounds->end, "bounds are in order");
  std::int64_t next = reader.position(topic, partition).value();
  for (int polls = 0; polls < polls_max && next < bounds->end; ++polls) {
    const auto records = reader.poll(records_per_poll, std::chrono::steady_clock::now());
    if (!good(records)) return;
    for (const ports::StoredRecord& record : *records) {
      require(record.topic == topic && record.partition == partition,
              "a record is of the partition that was asked for");
      require(record.offset >= next && record.offset < bounds->end, "records stand in order, and inside the bounds");
      next = record.offset + 1;
    }
    const std::int64_t position = reader.position(topic, partition).value();
    require(position >= next && (position > next || !records->empty()), "reading gets on");
    next = position;
  }
}

void read_all(ports::EventStream& stream, ports::Isolation isolation) {
  const auto topics = stream.topics();
  if (!good(topics)) return;
  for (const ports::TopicInfo& topic : *topics) {
    for (std::int32_t partition = 0; partition < std::min(topic.partitions, 2); ++partition) {
      const auto reader = stream.reader({{topic.name, partition, ports::offset_beginning}}, isolation);
      if (good(reader)) read_partition(stream, **reader, topic.name, partition, isolation);
    }
  }
}

// A transaction that ends cleanly is there: asked for by its offsets, it is given.
void write(ports::EventStream& stream, const std::string& transactional_id, const std::string& topic) {
  Offsets offsets;
  const auto producer = stream.transactional_producer(transactional_id, 60s, offsets);
  if (!good(producer) || !good((*producer)->initialise(soon())) || !good((*producer)->begin())) return;
  const std::vector<ports::RecordView> records{{topic, 0, "key", "first", {}, 1}, {topic, 0, "other", "second", {}, 1}};
  if (!good((*producer)->produce(records, 1))) return;
  const ports::EndReport end = (*producer)->end(ports::Ending::commit, soon());
  if (!end.clean) return fuzz::require_clear(end.error.value());
  const std::int64_t at = offsets.first.value();
  const auto reader = stream.reader({{topic, 0, at}}, ports::Isolation::read_uncommitted);
  if (!good(reader)) return;
  const auto found = (*reader)->poll(2, std::chrono::steady_clock::now());
  if (!good(found)) return;
  require(found->size() == 2 && (*found)[0].offset == at && (*found)[0].value == "first" &&
              (*found)[1].offset == at + 1 && (*found)[1].value == "second",
          "what was committed can be read where it is said to be");
}

void use(const fs::path& path, ports::Isolation isolation) {
  local_stream::Options options;
  options.create = false;
  options.busy_timeout = 50ms;
  const auto opened = local_stream::open(path, options);
  if (!good(opened)) return;
  ports::EventStream& stream = **opened;
  read_all(stream, isolation);
  static_cast<void>(good(stream.identity()));
  static_cast<void>(good(stream.positions("reader")));
  write(stream, "settled", "orders");
  write(stream, "open", "stock");
  Offsets offsets;
  const auto producer = stream.producer(offsets);
  const std::vector<ports::RecordView> keyless{{"orders", {}, {}, {}, {}, 0}};
  if (good(producer)) static_cast<void>(good((*producer)->produce(keyless, 1)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Workshop workshop;
  Blows blows(fuzz::text_of(data, size));
  const std::uint8_t variant = blows.byte();
  const bool with_log = variant % 4 == 0;
  std::string file = with_log ? workshop.logged.first : workshop.file;
  std::string log = with_log ? workshop.logged.second : "";
  bool laid_out = false;
  while (blows.more()) {
    const int kind = blows.byte() % 3;
    if (kind == 0 && !with_log) {
      if (!laid_out) workshop.lay_out(file, log);
      laid_out = true;
      strike_table(workshop.path, blows);
      continue;
    }
    if (laid_out) file = contents(workshop.path);
    laid_out = false;
    strike_byte(kind == 1 || log.empty() ? file : log, blows);
  }
  if (!laid_out) workshop.lay_out(file, log);
  use(workshop.path, variant < 128 ? ports::Isolation::read_committed : ports::Isolation::read_uncommitted);
  return 0;
}
