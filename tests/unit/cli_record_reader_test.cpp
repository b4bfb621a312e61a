#include "input/record_reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "input/csv.hpp"

namespace write_aside::cli {
namespace {

class RecordReading : public testing::Test {
 protected:
  ~RecordReading() override { std::filesystem::remove(path_); }

  RecordReader open(const std::string& content, std::size_t record_bytes_max = 1'000'000, bool csv = false) {
    std::ofstream(path_, std::ios::binary) << content;
    std::unique_ptr<RecordSplitter> splitter = std::make_unique<LineSplitter>();
    if (csv) splitter = std::make_unique<CsvSplitter>();
    return {InputFile::open(path_).value(), std::move(splitter), record_bytes_max};
  }

  // Every record as "LINE text", a too long one with a trailing "…".
  static std::vector<std::string> read_all(RecordReader& reader) {
    std::vector<std::string> all;
    Block block;
    for (;;) {
      if (!reader.fill(block)) return {"failed"};
      if (block.records.empty()) return all;
      for (const RawRecord& record : block.records) {
        all.push_back(std::to_string(record.line) + " " + std::string(record.text) + (record.too_long ? "…" : ""));
      }
    }
  }

  const std::string path_ = testing::TempDir() + "records-" + std::to_string(getpid());
};

using Records = std::vector<std::string>;

TEST_F(RecordReading, TakesEveryKindOfLineEnd) {
  auto reader = open(
      "\xEF\xBB\xBF"
      "a\nb\r\n\nc");
  EXPECT_EQ(read_all(reader), (Records{"1 a", "2 b", "3 ", "4 c"}));
  EXPECT_EQ(reader.mark().line, 4u);
  EXPECT_EQ(reader.mark().offset, 10u);
}

TEST_F(RecordReading, KeepsRecordsWholeOverManyBlocks) {
  std::string content;
  Records expected;
  for (std::size_t line = 1; line <= 2'000; ++line) {
    const std::string text(line % 977, static_cast<char>('a' + line % 26));
    content += text + "\n";
    expected.push_back(std::to_string(line) + " " + text);
  }
  auto reader = open(content);
  EXPECT_EQ(read_all(reader), expected);
}

TEST_F(RecordReading, PassesOverARecordThatIsTooLong) {
  const std::string huge(3'000'000, 'x');
  auto reader = open("a\n" + huge + "\nb\n", 1'000'000);
  const Records records = read_all(reader);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_TRUE(records[1].ends_with("x…"));
  EXPECT_LT(records[1].size(), 1'000u);
  EXPECT_EQ(records[2], "3 b");
}

TEST_F(RecordReading, RefusesALineJustOverTheLimit) {
  auto reader = open("12345\n123456\n", 5);
  EXPECT_EQ(read_all(reader), (Records{"1 12345", "2 123456…"}));
}

TEST_F(RecordReading, GoesOnWhereAnEarlierRunStopped) {
  const std::string content = "one\ntwo\nthree\n";
  auto first = open(content);
  Block block;
  ASSERT_TRUE(first.fill(block));
  const Mark mark = block.records[1].after;
  auto second = open(content);
  ASSERT_TRUE(second.skip_to(mark));
  EXPECT_EQ(read_all(second), (Records{"3 three"}));
}

TEST_F(RecordReading, NoticesAChangedInput) {
  auto first = open("one\ntwo\n");
  read_all(first);
  const auto message = [&](const std::string& content) {
    auto reader = open(content);
    const auto skipped = reader.skip_to(first.mark());
    return skipped ? std::string() : skipped.error().message.substr(path_.size());
  };
  EXPECT_EQ(message("one\ntwo\nthree\n"), "");
  EXPECT_TRUE(
      message("one\ntwa\n").starts_with(": the input has changed since an earlier run applied it up to line 2"));
  EXPECT_TRUE(message("one\n").starts_with(": the input has become shorter"));
}

TEST_F(RecordReading, GoesOnBehindALastLineWithoutAnEnd) {
  auto first = open("one\ntwo");
  read_all(first);
  auto grown = open("one\ntwo\r\nthree\n");
  ASSERT_TRUE(grown.skip_to(first.mark()));
  EXPECT_EQ(read_all(grown), (Records{"3 three"}));
  auto same = open("one\ntwo");
  ASSERT_TRUE(same.skip_to(first.mark()));
  EXPECT_EQ(read_all(same), (Records{}));
  auto longer = open("one\ntwo and more\n");
  EXPECT_FALSE(longer.skip_to(first.mark())) << "the last line has grown";
}

TEST_F(RecordReading, TakesAHeaderBeforeTheRecords) {
  const std::string content = "id,\"a\nb\"\n1,\"x\ny\"\n2,z\n";
  auto first = open(content, 1'000, true);
  EXPECT_EQ(first.take_first().value(), "id,\"a\nb\"");
  Block block;
  ASSERT_TRUE(first.fill(block));
  ASSERT_EQ(block.records.size(), 2u);
  EXPECT_EQ(block.records[0].line, 3u);
  EXPECT_EQ(block.records[1].line, 5u);
  const Mark mark = block.records[0].after;

  auto second = open(content, 1'000, true);
  EXPECT_TRUE(second.take_first().value().has_value());
  ASSERT_TRUE(second.skip_to(mark));
  EXPECT_EQ(read_all(second), (Records{"5 2,z"}));
}

TEST_F(RecordReading, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(InputFile::open("/nowhere/x").error().message, "cannot open /nowhere/x: No such file or directory");
  EXPECT_EQ(InputFile::open("/").error().message, "/ is a directory; name a file, or - for standard input");
}

}  // namespace
}  // namespace write_aside::cli
