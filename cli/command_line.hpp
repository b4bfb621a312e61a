// The command line: commands, their options, and where the values go. What parses it stays behind this file, for it
// takes long to compile.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "write_aside/result.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace write_aside::cli {

// Both included.
template <class Number>
struct Bounds {
  Number least;
  Number most;
};

// What a number's target takes: the number itself, or one for std::optional, or several for std::vector.
template <class Target>
struct NumberIn {
  using type = Target;
};
template <class Target>
requires requires { typename Target::value_type; }
struct NumberIn<Target> {
  using type = typename Target::value_type;
};

template <class Value>
using Choices = std::vector<std::pair<std::string, Value>>;

class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option required();
  // Gives the value when the command line does not.
  Option environment(const std::string& variable);
  // One argument may hold several values.
  Option separated_by(char separator);
  Option needs(Option other);
  Option excludes(Option other);

 private:
  CLI::Option* option_;
};

// A command, or the program itself. Each function adds an option; a target is written when the command line was read
// and is right, and keeps its value when the option is not given.
//
// `names` are as typed, "-d,--database"; without dashes it is an argument that is known by its place. `value` stands
// for the value in the help, and is empty for an argument, whose name does. What takes several values may be given
// several times; an argument takes all that come.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  Command command(const std::string& name, const std::string& help);
  void footer(const std::string& text);
  // Runs when the command line was read, is right, and chose this command.
  void when_chosen(std::function<void()> act);

  Option flag(const std::string& names, bool& target, const std::string& help);
  Option text(const std::string& names, std::string& target, const std::string& value, const std::string& help);
  Option text(const std::string& names, std::optional<std::string>& target, const std::string& value,
              const std::string& help);
  Option texts(const std::string& names, std::vector<std::string>& targets, const std::string& value,
               const std::string& help);
  // For the targets that command_line.cpp lists.
  template <class Target>
  Option number(const std::string& names, Target& target, Bounds<typename NumberIn<Target>::type> bounds,
                const std::string& value, const std::string& help);
  // With a fraction, if need be.
  Option seconds(const std::string& names, std::chrono::milliseconds& target, Bounds<double> bounds,
                 const std::string& value, const std::string& help);
  Option seconds(const std::string& names, std::chrono::duration<double>& target, Bounds<double> bounds,
                 const std::string& value, const std::string& help);
  // 16777216, 16M, 16MiB: all the same.
  Option bytes(const std::string& names, std::size_t& target, Bounds<std::size_t> bounds, const std::string& value,
               const std::string& help);
  template <class Value>
  Option choice(const std::string& names, Value& target, const std::type_identity_t<Choices<Value>>& choices,
                const std::string& value, const std::string& help) {
    const auto take = [&target, choices](std::size_t place) { target = choices[place].second; };
    return word(names, words_of(choices), take, value, help);
  }
  template <class Value>
  Option choices(const std::string& names, std::vector<Value>& targets,
                 const std::type_identity_t<Choices<Value>>& choices, const std::string& value,
                 const std::string& help) {
    const auto take = [&targets, choices](const std::vector<std::size_t>& places) {
      targets.clear();
      for (const std::size_t place : places) targets.push_back(choices[place].second);
    };
    return words(names, words_of(choices), take, value, help);
  }

 private:
  using Words = std::vector<std::string>;

  template <class Value>
  static Words words_of(const Choices<Value>& choices) {
    Words words;
    for (const auto& choice : choices) words.push_back(choice.first);
    return words;
  }
  // One of `known`, or several; tells the places in it.
  Option word(const std::string& names, const Words& known, const std::function<void(std::size_t)>& take,
              const std::string& value, const std::string& help);
  Option words(const std::string& names, const Words& known,
               const std::function<void(const std::vector<std::size_t>&)>& take, const std::string& value,
               const std::string& help);

  CLI::App* app_;
};

class CommandLine {
 public:
  CommandLine(const std::string& program, const std::string& version, const std::string& help);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // Its options may stand behind a command's name too.
  [[nodiscard]] Command program();
  // Chooses exactly one command. False when it has answered --help or --version, and nothing is left to do. The error
  // is one line about the first mistake; no target is to be relied on then.
  [[nodiscard]] Result<bool> read(std::span<const char* const> arguments);

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace write_aside::cli
