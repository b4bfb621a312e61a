// The command line: where values go, and what is said of those that are wrong.
#include "command_line.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;

enum class Colour { red, green };

class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() {
    Command paint = line_.program().command("paint", "");
    paint.text("FILE", file_, "", "").required();
    paint.text("--name", name_, "NAME", "").environment("WRITE_ASIDE_TEST_NAME");
    paint.text("--note", note_, "TEXT", "");
    paint.texts("--with", with_, "NAME", "");
    paint.number("--layers", layers_, {1, 8}, "N", "");
    paint.number("--width", width_, {0.5, 2}, "N", "");
    paint.number("--count", count_, {0, std::numeric_limits<std::uint64_t>::max()}, "N", "");
    paint.number("--sizes", sizes_, {1, 99}, "N,N", "").separated_by(',');
    paint.seconds("--dry", dry_, {0, 60}, "SECONDS", "");
    paint.bytes("--room", room_, {16, 1 << 30}, "BYTES", "");
    paint.choice("--colour", colour_, {{"red", Colour::red}, {"green", Colour::green}}, "red|green", "");
    paint.choices("--mixed", mixed_, {{"red", Colour::red}, {"green", Colour::green}}, "COLOUR", "").separated_by(',');
    const Option wet = paint.flag("--wet", wet_, "");
    const Option matt = paint.flag("--matt", matt_, "").excludes(wet);
    paint.flag("--smooth", smooth_, "").needs(matt);
    paint.when_chosen([this] { chosen_ = "paint"; });
    line_.program().command("wash", "").when_chosen([this] { chosen_ = "wash"; });
  }

  Result<bool> read(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "studio");
    return line_.read(arguments);
  }
  // What is said of the mistake, without the hint at its end.
  std::string refusal(const std::vector<const char*>& arguments) {
    const auto read_it = read(arguments);
    if (read_it) return "taken";
    const std::string hint = " (see 'studio --help')";
    const std::string& message = read_it.error().message;
    return message.ends_with(hint) ? message.substr(0, message.size() - hint.size()) : "no hint: " + message;
  }

  CommandLine line_{"studio", "1.0", ""};
  std::string chosen_;
  std::string file_;
  std::string name_ = "mine";
  std::optional<std::string> note_;
  std::vector<std::string> with_;
  std::uint32_t layers_ = 3;
  std::optional<double> width_;
  std::optional<std::uint64_t> count_;
  std::vector<std::uint32_t> sizes_{5};
  std::chrono::milliseconds dry_ = 7ms;
  std::size_t room_ = 64;
  Colour colour_ = Colour::green;
  std::vector<Colour> mixed_{Colour::green};
  bool wet_ = false;
  bool matt_ = false;
  bool smooth_ = false;
};

TEST_F(CommandLineTest, WritesWhatIsGiven) {
  const auto done =
      read({"paint",    "wall", "--name",   "a",   "--note",  "n",         "--with",  "b",       "--with", "c",
            "--layers", "8",    "--width",  "0.5", "--count", "0",         "--sizes", "1,2",     "--dry",  "0.25",
            "--room",   "2k",   "--colour", "red", "--mixed", "red,green", "--matt",  "--smooth"});
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_TRUE(*done);
  EXPECT_EQ(chosen_, "paint");
  EXPECT_EQ(file_, "wall");
  EXPECT_EQ(name_, "a");
  EXPECT_EQ(note_, "n");
  EXPECT_EQ(with_, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(layers_, 8u);
  EXPECT_EQ(width_, 0.5);
  EXPECT_EQ(count_, 0u);
  EXPECT_EQ(sizes_, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(dry_, 250ms);
  EXPECT_EQ(room_, 2048u);
  EXPECT_EQ(colour_, Colour::red);
  EXPECT_EQ(mixed_, (std::vector<Colour>{Colour::red, Colour::green}));
  EXPECT_TRUE(matt_ && smooth_ && !wet_);
}

TEST_F(CommandLineTest, KeepsWhatIsNotGiven) {
  ASSERT_TRUE(read({"paint", "wall"}).has_value());
  EXPECT_EQ(name_, "mine");
  EXPECT_EQ(note_, std::nullopt);
  EXPECT_EQ(layers_, 3u);
  EXPECT_EQ(width_, std::nullopt);
  EXPECT_EQ(sizes_, (std::vector<std::uint32_t>{5}));
  EXPECT_EQ(dry_, 7ms);
  EXPECT_EQ(room_, 64u);
  EXPECT_EQ(colour_, Colour::green);
  EXPECT_EQ(mixed_, (std::vector<Colour>{Colour::green}));
  EXPECT_FALSE(wet_ || matt_ || smooth_);
}

TEST_F(CommandLineTest, PrefersAnOptionToItsVariable) {
  ::setenv("WRITE_ASIDE_TEST_NAME", "theirs", 1);
  const auto from_variable = read({"paint", "wall"});
  EXPECT_EQ(name_, "theirs");
  const auto from_option = read({"paint", "wall", "--name", "yours"});
  EXPECT_EQ(name_, "yours");
  ::unsetenv("WRITE_ASIDE_TEST_NAME");
  EXPECT_TRUE(from_variable.has_value() && from_option.has_value());
}

TEST_F(CommandLineTest, SaysWhatAValueMayBe) {
  EXPECT_EQ(refusal({"paint", "wall", "--colour", "blue"}), "--colour: 'blue' is none of red, green");
  EXPECT_EQ(refusal({"paint", "wall", "--colour", "0"}), "--colour: '0' is none of red, green");
  EXPECT_EQ(refusal({"paint", "wall", "--mixed", "red,blue"}), "--mixed: 'blue' is none of red, green");
  for (const char* wrong : {"0", "9", "-1", "1.5", "x", ""}) {
    EXPECT_EQ(refusal({"paint", "wall", "--layers", wrong}),
              "--layers: '" + std::string(wrong) + "' is no whole number from 1 to 8");
  }
  for (const char* wrong : {"0.4", "2.1", "nan", "x"}) {
    EXPECT_EQ(refusal({"paint", "wall", "--width", wrong}),
              "--width: '" + std::string(wrong) + "' is no number from 0.5 to 2");
  }
  EXPECT_EQ(refusal({"paint", "wall", "--count", "-1"}),
            "--count: '-1' is no whole number from 0 to 18446744073709551615");
  EXPECT_EQ(refusal({"paint", "wall", "--sizes", "1,100"}), "--sizes: '100' is no whole number from 1 to 99");
  EXPECT_EQ(refusal({"paint", "wall", "--dry", "61"}), "--dry: '61' is no number from 0 to 60");
  EXPECT_EQ(refusal({"paint", "wall", "--room", "2G"}),
            "--room: '2147483648' is no whole number from 16 to 1073741824");
}

TEST_F(CommandLineTest, SaysWhatIsMissingOrTooMuch) {
  EXPECT_EQ(refusal({}), "A subcommand is required");
  EXPECT_EQ(refusal({"sing"}), "there is no command 'sing'");
  EXPECT_EQ(refusal({"paint"}), "FILE is required");
  EXPECT_EQ(refusal({"paint", "wall", "--layers"}), "--layers: 1 required N missing");
  EXPECT_EQ(refusal({"paint", "wall", "--layers", "1", "--layers", "2"}),
            "--layers: At Most 1 required but received 2");
  EXPECT_EQ(refusal({"paint", "wall", "floor"}), "The following argument was not expected: floor");
  EXPECT_EQ(refusal({"paint", "wall", "--loud"}), "The following argument was not expected: --loud");
  EXPECT_EQ(refusal({"paint", "wall", "--smooth"}), "--smooth requires --matt");
  EXPECT_EQ(refusal({"paint", "wall", "--matt", "--wet"}), "--wet excludes --matt");
}

TEST_F(CommandLineTest, LeavesNothingToDoAfterVersionAndHelp) {
  for (const char* question : {"--version", "--help"}) {
    testing::internal::CaptureStdout();
    const auto done = read({question});
    const std::string answer = testing::internal::GetCapturedStdout();
    ASSERT_TRUE(done.has_value()) << done.error().message;
    EXPECT_FALSE(*done);
    EXPECT_NE(answer.find("studio"), std::string::npos) << answer;
  }
  EXPECT_EQ(chosen_, "");
}

}  // namespace
}  // namespace write_aside::cli
