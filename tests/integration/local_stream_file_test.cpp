// Goal: a file that is not a local stream is refused with a word on what to do, and is not touched; what is in the
// file can be read with any SQLite tool.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "integration/local_stream_fixture.hpp"

namespace write_aside::local_stream_test {
namespace {

using LocalStreamFile = LocalStreamFixture;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ErrorCode code_of_opening(const std::string& path, local_stream::Options options = {}) {
  const auto opened = local_stream::open(path, options);
  EXPECT_FALSE(opened.has_value());
  if (opened) return ErrorCode::unknown;
  EXPECT_NE(opened.error().message.find(path), std::string::npos) << opened.error().message;
  EXPECT_EQ(opened.error().side, Side::stream);
  return opened.error().code;
}

TEST_F(LocalStreamFile, RefusesAForeignDatabaseAndLeavesItAsItIs) {
  std::ofstream(path_).close();
  raw_query(path_, "CREATE TABLE customers (name); INSERT INTO customers VALUES ('x')");
  const std::string before = contents(path_);
  EXPECT_EQ(code_of_opening(path_), ErrorCode::corrupt);
  EXPECT_EQ(contents(path_), before);
}

TEST_F(LocalStreamFile, RefusesAForeignApplicationId) {
  std::ofstream(path_).close();
  raw_query(path_, "PRAGMA application_id = 77; VACUUM");
  EXPECT_EQ(code_of_opening(path_), ErrorCode::corrupt);
}

TEST_F(LocalStreamFile, RefusesAFileWithTriggers) {
  make_stream().reset();
  raw_query(path_, "CREATE TRIGGER theirs AFTER INSERT ON record_1 BEGIN DELETE FROM record_2; END");
  EXPECT_EQ(code_of_opening(path_), ErrorCode::corrupt);
}

TEST_F(LocalStreamFile, RefusesANewerVersion) {
  make_stream().reset();
  raw_query(path_, "PRAGMA user_version = 2");
  EXPECT_EQ(code_of_opening(path_), ErrorCode::newer_version);
}

TEST_F(LocalStreamFile, RefusesAFileThatIsNotADatabase) {
  std::ofstream(path_) << std::string(10'000, 'x');
  const std::string before = contents(path_);
  EXPECT_EQ(code_of_opening(path_), ErrorCode::corrupt);
  EXPECT_EQ(contents(path_), before);
}

TEST_F(LocalStreamFile, ReportsATruncatedFileAsCorrupt) {
  {
    const StreamPointer stream = make_stream();
    const std::string value(3000, 'v');
    const ProducerPointer producer = initialised(*stream, "a");
    for (int count = 0; count < 20; ++count) EXPECT_TRUE(commit(*producer, {record(0, value)}));
  }
  std::filesystem::resize_file(path_, 12'288);
  const auto stream = local_stream::open(path_);
  if (!stream) {
    EXPECT_EQ(stream.error().code, ErrorCode::corrupt) << stream.error().message;
    return;
  }
  auto reader = (*stream)->reader({{"orders", 0, 0}}, ports::Isolation::read_committed);
  if (!reader) {
    EXPECT_EQ(reader.error().code, ErrorCode::corrupt) << reader.error().message;
    return;
  }
  const auto records = (*reader)->poll(100, soon());
  ASSERT_FALSE(records.has_value());
  EXPECT_EQ(records.error().code, ErrorCode::corrupt) << records.error().message;
}

TEST_F(LocalStreamFile, ReportsHeadersThatAreNotItsOwnAsCorrupt) {
  const StreamPointer stream = make_stream();
  EXPECT_TRUE(commit(*initialised(*stream, "a"), {record(0, "x")}));
  for (const char* headers : {"[]", "{\"a\":1}", "{\"a\":{\"base64\":\"!\"}}", "{\"a\":{\"b\":\"c\"}}", "", "{"}) {
    raw_query(path_, std::string("UPDATE record_1 SET headers = '") + headers + "'");
    auto reader = stream->reader({{"orders", 0, 0}}, ports::Isolation::read_committed).value();
    const auto records = reader->poll(1, soon());
    ASSERT_FALSE(records.has_value()) << headers;
    EXPECT_EQ(records.error().code, ErrorCode::corrupt);
  }
}

// The first error of reading and writing what the file holds.
ErrorCode code_of_using(const std::string& path) {
  const StreamPointer stream = open_stream(path);
  if (const auto topics = stream->topics(); !topics) return topics.error().code;
  for (const auto isolation : {ports::Isolation::read_committed, ports::Isolation::read_uncommitted}) {
    auto reader = stream->reader({{"orders", 0, 0}, {"orders", 1, 0}}, isolation);
    if (!reader) return reader.error().code;
    if (const auto records = (*reader)->poll(100, std::chrono::steady_clock::now()); !records) {
      return records.error().code;
    }
  }
  const auto producer = stream->transactional_producer("a", 60s, silent).value();
  if (const auto ready = producer->initialise(soon()); !ready) return ready.error().code;
  if (const auto begun = producer->begin(); !begun) return begun.error().code;
  const auto staged = stage(*producer, {record(0, "y"), record(1, "y")});
  return staged ? ErrorCode::unknown : staged.error().code;
}

// Found by fuzzing: without a look at them these led to a crash, or to records of another partition.
TEST_F(LocalStreamFile, ReportsNumbersThatItWouldNotWriteAsCorrupt) {
  const std::string whole = (folder_ / "whole.events").string();
  {
    const StreamPointer stream = make_stream();
    EXPECT_TRUE(commit(*initialised(*stream, "a"), {record(0, "x"), record(1, "x")}));
    const ProducerPointer open = initialised(*stream, "a");
    EXPECT_TRUE(open->begin() && stage(*open, {record(1, "undecided")}));
  }
  std::filesystem::copy_file(path_, whole);
  EXPECT_EQ(code_of_using(path_), ErrorCode::unknown) << "the file is good";
  for (const char* damage :
       {"UPDATE topic SET partitions = 0", "UPDATE topic SET partitions = 3", "UPDATE topic SET partitions = -1",
        "DELETE FROM partition WHERE number = 0", "UPDATE partition SET ref = -5 WHERE number = 0",
        "UPDATE partition SET ref = 1 << 40 WHERE number = 0", "UPDATE partition SET number = 7 WHERE number = 1",
        "UPDATE partition SET next_offset = -1 WHERE number = 0", "UPDATE partition SET next_offset = 1 << 41",
        "UPDATE partition SET begin_offset = -1", "UPDATE partition SET begin_offset = 9 WHERE number = 0",
        "UPDATE open_partition SET first_offset = -1", "UPDATE open_partition SET first_offset = 99",
        "UPDATE open_partition SET ref = -33", "UPDATE producer SET epoch = 9223372036854775807"}) {
    std::filesystem::copy_file(whole, path_, std::filesystem::copy_options::overwrite_existing);
    raw_query(path_, damage);
    EXPECT_EQ(code_of_using(path_), ErrorCode::corrupt) << damage;
  }
}

TEST_F(LocalStreamFile, DoesNotMakeAFileUnlessItMay) {
  local_stream::Options options;
  options.create = false;
  EXPECT_EQ(code_of_opening(path_, options), ErrorCode::unreachable);
  EXPECT_FALSE(std::filesystem::exists(path_));
  std::ofstream(path_).close();
  EXPECT_EQ(code_of_opening(path_, options), ErrorCode::not_initialised);
}

TEST_F(LocalStreamFile, NeedsItsFolder) {
  EXPECT_EQ(code_of_opening((folder_ / "absent" / "stream.events").string()), ErrorCode::unreachable);
}

// Runs `check` as a user who is not root, since root may write everything; true if it returned true.
template <class Check>
bool as_nobody(Check check) {
  constexpr uid_t nobody = 65534;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::setgid(nobody) != 0 || ::setuid(nobody) != 0)) std::_Exit(2);
    std::_Exit(check() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(LocalStreamFile, ReportsAFileThatMayNotBeWritten) {
  make_stream().reset();
  ::chmod(folder_.c_str(), 0755);
  ::chmod(path_.c_str(), 0444);
  EXPECT_TRUE(as_nobody([&] {
    const auto opened = local_stream::open(path_);
    return !opened && opened.error().code == ErrorCode::read_only;
  }));
}

TEST_F(LocalStreamFile, ReportsAFolderThatMayNotBeWritten) {
  make_stream().reset();
  ::chmod(path_.c_str(), 0666);
  ::chmod(folder_.c_str(), 0555);
  EXPECT_TRUE(as_nobody([&] {
    const auto opened = local_stream::open(path_);
    return !opened && (opened.error().code == ErrorCode::read_only || opened.error().code == ErrorCode::unreachable);
  }));
  ::chmod(folder_.c_str(), 0755);
}

TEST_F(LocalStreamFile, ShowsCommittedRecordsInAViewToAnySqliteTool) {
  const StreamPointer stream = make_stream();
  const ProducerPointer first = initialised(*stream, "a");
  const ProducerPointer second = initialised(*stream, "b");
  const std::vector<ports::HeaderView> headers = {{"ce_id", "1"}, {"raw", "\xff"}};
  ports::RecordView full = record(0, "{\"id\":17}");
  full.key = "17";
  full.headers = headers;
  full.timestamp_ms = 1234;
  ports::RecordView tombstone = record(1, "");
  tombstone.value = std::nullopt;
  EXPECT_TRUE(commit(*first, {full, tombstone}));
  EXPECT_TRUE(first->begin() && stage(*first, {record(0, "open")}));
  EXPECT_TRUE(commit(*second, {record(0, "held back"), record(1, "free")}));
  EXPECT_EQ(raw_query(path_,
                      "SELECT format('%s/%d/%d %s=%s %s %d', topic, partition, offset, key, "
                      "ifnull(value, 'null'), headers, timestamp_ms) FROM committed_records "
                      "ORDER BY topic, partition, offset"),
            (Values{"orders/0/0 17={\"id\":17} {\"ce_id\":\"1\",\"raw\":{\"base64\":\"/w==\"}} 1234",
                    "orders/1/0 =null {} 1", "orders/1/1 =free {} 1"}));
  EXPECT_EQ(raw_query(path_, "SELECT json_extract(headers, '$.ce_id') FROM committed_records WHERE key = '17'"),
            (Values{"1"}));
}

TEST_F(LocalStreamFile, StoresTextAsTextAndBytesAsBytes) {
  const StreamPointer stream = make_stream();
  ports::RecordView numeric = record(0, "123");
  numeric.key = "\xff";
  EXPECT_TRUE(commit(*initialised(*stream, "a"), {numeric, record(0, std::string_view("a\0b", 3))}));
  EXPECT_EQ(raw_query(path_, "SELECT typeof(key) || ' ' || typeof(value) FROM committed_records ORDER BY offset"),
            (Values{"blob text", "null blob"}));
}

TEST_F(LocalStreamFile, ShowsInTheViewWhatTheReaderShows) {
  const StreamPointer stream = make_stream();
  const ProducerPointer first = initialised(*stream, "a");
  const ProducerPointer second = initialised(*stream, "b");
  for (int round = 0; round < 12; ++round) {
    const std::string value = std::to_string(round);
    EXPECT_TRUE(first->begin() && stage(*first, {record(0, "a" + value), record(1, "a" + value)}));
    EXPECT_TRUE(second->begin() && stage(*second, {record(round % 2, "b" + value)}));
    EXPECT_EQ(raw_query(path_, "SELECT value FROM committed_records WHERE partition = 0 ORDER BY offset"),
              committed(*stream, 0));
    const auto ending = round % 3 == 0 ? ports::Ending::abort : ports::Ending::commit;
    EXPECT_TRUE(second->end(ending, soon()).clean);
    EXPECT_EQ(raw_query(path_, "SELECT value FROM committed_records WHERE partition = 1 ORDER BY offset"),
              committed(*stream, 1));
    EXPECT_TRUE(first->end(round % 4 == 0 ? ports::Ending::abort : ports::Ending::commit, soon()).clean);
  }
  EXPECT_EQ(committed(*stream, 0).size(), 9u + 4u);
}

TEST_F(LocalStreamFile, SearchesTheViewByPartitionWithoutAScan) {
  const StreamPointer stream = make_stream();
  sqlite3* raw = nullptr;
  sqlite3_open(path_.c_str(), &raw);
  const std::unique_ptr<sqlite3, CloseHandle> handle(raw);
  std::string plan;
  const auto add = [](void* out, int /*columns*/, char** texts, char** /*names*/) {
    *static_cast<std::string*>(out) += std::string(texts[3]) + "\n";
    return 0;
  };
  const char* sql =
      "EXPLAIN QUERY PLAN SELECT value FROM committed_records WHERE topic = 'orders' AND partition = 0 AND offset > 5";
  ASSERT_EQ(sqlite3_exec(raw, sql, add, &plan, nullptr), SQLITE_OK);
  EXPECT_NE(plan.find("SEARCH r USING INTEGER PRIMARY KEY"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("SCAN r"), std::string::npos) << plan;
}

}  // namespace
}  // namespace write_aside::local_stream_test
