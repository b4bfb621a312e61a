// Goal: whatever is wrong with what the program is given, it says so in one line that names the place, the reason and the
// remedy, answers with the documented status, and leaves nothing half done.
// Method: the real program, SQLite and a local stream; every mistake once, with the exact line.
#include "integration/program.hpp"

namespace write_aside::integration {
namespace {

class BadInput : public ProgramTest {
 protected:
  void expect_refusal(const Arguments& arguments, int status, const std::string& line, const std::string& input = "") {
    const Finished refused = run(arguments, input);
    EXPECT_EQ(refused.status, status) << refused.err;
    EXPECT_EQ(refused.err, "write-aside: " + line + "\n");
  }
};

TEST_F(BadInput, OfTheInputFileIsNamed) {
  initialise();
  write_file("empty.jsonl", "");
  std::filesystem::create_directory(path("folder"));
  expect_refusal({"apply", "missing.jsonl"}, 2, "cannot open missing.jsonl: No such file or directory");
  expect_refusal({"apply", "folder"}, 2, "folder is a directory; name a file, or - for standard input");
  expect_refusal({"apply", "empty.jsonl"}, 2, "empty.jsonl: empty input, nothing to do");
  expect_refusal(
      {"apply", "-"}, 2,
      "standard input has no name to keep its progress under; give it one with --source NAME (the same for every "
      "rerun)");
  expect_refusal({"apply", "--source", "pipe"}, 2, "standard input: empty input, nothing to do");
}

TEST_F(BadInput, OfALineIsNamedWithFileLineAndColumn) {
  initialise();
  const auto expect_line = [&](const std::string& line, const std::string& message) {
    write_file("in.jsonl", line);
    const Finished refused = run({"apply", "in.jsonl", "--json"});
    EXPECT_EQ(refused.status, 1) << message;
    EXPECT_EQ(refused.err, "write-aside: in.jsonl:" + message + "\n");
    EXPECT_TRUE(refused.out.starts_with(R"({"units":1,"committed":0,"aborted":1,"in_doubt":0,"skipped":0,"events":0,)"))
        << refused.out;
  };
  expect_line(
      "{",
      "1:2: not valid JSON: syntax error while parsing object key - unexpected end of input; expected string literal");
  expect_line("\xFF\n", "1:1: not valid JSON: syntax error while parsing value - invalid literal");
  expect_line("17\n", "1:1: a record must be a JSON object, in { and }");
  expect_line(R"({"statments":[]})", R"(1:2: unknown field "statments"; known here: statements, events, ordering_key)");
  expect_line(R"({"statements":1})", R"(1:15: "statements" must be an array, not a number)");
  expect_line("\n" + unit(1), "1:1: empty line between units; remove it");
  expect_line(R"({"statements":[{"sql":"commit"}]})",
              "1:23: commit is not for a statement: write-aside begins and ends the transaction");
  EXPECT_EQ(rows(), "0");
  EXPECT_EQ(events(), "0");
}

TEST_F(BadInput, ThatOnlyTheStoresCanRefuseIsNamedToo) {
  initialise();
  const auto refused_with = [&](const std::string& line, const std::string& place, const std::string& part) {
    write_file("in.jsonl", line);
    const Finished refused = run({"apply", "in.jsonl"});
    EXPECT_EQ(refused.status, 1) << refused.err;
    EXPECT_TRUE(refused.err.starts_with("write-aside: in.jsonl:" + place + ": ")) << refused.err;
    EXPECT_NE(refused.err.find(part), std::string::npos) << refused.err;
    EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  };
  refused_with(unit(1, "much too long"), "1:23", "CHECK constraint");
  refused_with(R"x({"statements":[{"sql":"insert into missing values (1)"}]})x", "1:23", "no such table: missing");
  refused_with(R"({"statements":[{"sql":"selekt 1"}]})", "1:23", "syntax error");
  refused_with(R"({"events":[{"topic":"other","type":"a","value":1}]})", "1:12", "other");
  refused_with(R"({"events":[{"topic":"orders","type":"a","value":")" + std::string(2'000'000, 'x') + "\"}]}", "1:12",
               "the stream allows 1048576");
  EXPECT_EQ(rows(), "0");
  EXPECT_EQ(events(), "0");
}

TEST_F(BadInput, ThatIsTooLongIsRefusedInBoundedMemory) {
  initialise();
  write_file("in.jsonl", unit(1) + std::string(40 << 20, 'x') + "\n" + unit(2));
  const Finished refused = run({"apply", "in.jsonl", "--on-error", "skip", "--json", "--quiet"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(refused.err,
            "write-aside: in.jsonl:2:1: the record is too long; raise --line-bytes-max, or look for a missing line end "
            "or quote\n");
  EXPECT_EQ(rows(), "2");
}

TEST_F(BadInput, OfACsvRecordIsNamed) {
  initialise();
  const Arguments load{"load", "--table", "orders", "--topic", "orders", "--key", "id", "in.csv"};
  int count = 0;
  const auto expect_line = [&](const std::string& content, int status, const std::string& message) {
    write_file("in.csv", content);
    Arguments arguments = load;
    arguments.push_back("--source=" + std::to_string(++count));
    const Finished refused = run(arguments);
    EXPECT_EQ(refused.status, status);
    EXPECT_EQ(refused.err, "write-aside: in.csv:" + message + "\n");
  };
  expect_line("a,b\n1,2\n", 2, R"(1:1: the header has no column "id", which --key names)");
  expect_line("id,state\n1,new\n2\n", 1, "3:1: the record has 1 fields, the header has 2");
  expect_line("id,state\n\"2\",\"a\nb\"c\n", 1,
              "3:3: text behind a closing quote; a comma or the line end must follow");
  expect_line("id,state\n7,\"x\n\n", 1, "2:3: this quote is never closed");
  EXPECT_EQ(rows(), "1");
}

TEST_F(BadInput, OfTheCommandLineIsNamed) {
  const std::string help = " (see 'write-aside --help')";
  expect_refusal({}, 2, "A subcommand is required" + help);
  expect_refusal({"apply", "--batch", "0", "x"}, 2, "--batch: '0' is no whole number from 1 to 10000" + help);
  expect_refusal({"apply", "--guarantee", "maybe", "x"}, 2,
                 "--guarantee: 'maybe' is none of exactly_once, transactional, at_least_once" + help);
  expect_refusal({"tail", "orders", "--count", "-1"}, 2,
                 "--count: '-1' is no whole number from 0 to 18446744073709551615" + help);
  expect_refusal({"frobnicate"}, 2, "there is no command 'frobnicate'" + help);
  expect_refusal(
      {"init", "--topic", "orders"}, 2,
      "--topic orders: the number of partitions is missing; write NAME:PARTITIONS or NAME:PARTITIONS:compacted");
  expect_refusal({"status", "--database", "oracle:x"}, 2,
                 "unknown database scheme 'oracle:'; known: sqlite:PATH, postgresql://USER@HOST/DATABASE");
  write_file("a.jsonl", unit(1));
  expect_refusal({"apply", "a.jsonl", "--rejects", "r"}, 2, "--rejects goes with --on-error skip");
}

TEST_F(BadInput, OfTheConfigurationIsNamed) {
  write_file("write-aside.toml", "database = \"sqlite:shop.db\"\nstraem = \"x\"\n");
  expect_refusal(
      {"status"}, 2,
      "write-aside.toml:2:10: unknown key 'straem'; known: database, stream, source, ledger_topic, [stream_config]");
  write_file("write-aside.toml", "source = 1\n");
  expect_refusal({"status"}, 2, "write-aside.toml:1:10: the value of 'source' must be a string");
  write_file("write-aside.toml", "source\n");
  const Finished broken = run({"status"});
  EXPECT_EQ(broken.status, 2);
  EXPECT_TRUE(broken.err.starts_with("write-aside: write-aside.toml:1:7: not valid TOML: ")) << broken.err;
  expect_refusal({"status", "--config", "other.toml"}, 2, "cannot open the configuration other.toml: no such file");
}

TEST_F(BadInput, OfStoresThatAreNotThereIsNamed) {
  write_file("in.jsonl", unit(1));
  const std::string remedy = " does not exist; make it with 'write-aside init', or mend the path";
  expect_refusal({"apply", "in.jsonl"}, 4, "sqlite:shop.db" + remedy);
  expect_refusal({"tail", "orders"}, 4, "local:shop.events" + remedy);
  initialise();
  expect_refusal({"tail", "other"}, 2, "there is no topic 'other' in local:shop.events; there are: orders");
}

}  // namespace
}  // namespace write_aside::integration
