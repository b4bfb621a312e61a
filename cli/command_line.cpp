#include "command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>

#include "exit_status.hpp"

namespace write_aside::cli {
namespace {

using Check = std::function<std::string(const std::string&)>;  // says what is wrong, or nothing

template <class Number>
Check within(Bounds<Number> bounds) {
  return [bounds](const std::string& text) -> std::string {
    Number number{};
    // The conversion would take -1 as the largest number that there is.
    const bool negative = std::is_unsigned_v<Number> && text.starts_with('-');
    const bool converted = !negative && CLI::detail::lexical_cast(text, number);
    if (converted && number >= bounds.least && number <= bounds.most) return {};
    return fmt::format("'{}' is no {}number from {} to {}", text, std::is_integral_v<Number> ? "whole " : "",
                       bounds.least, bounds.most);
  };
}

std::size_t place_in(const std::vector<std::string>& known, const std::string& word) {
  return static_cast<std::size_t>(std::find(known.begin(), known.end(), word) - known.begin());
}

Check among(const std::vector<std::string>& known) {
  return [known](const std::string& word) -> std::string {
    if (place_in(known, word) < known.size()) return {};
    return fmt::format("'{}' is none of {}", word, fmt::join(known, ", "));
  };
}

CLI::Option* each_by_itself(CLI::Option* option) {
  return option->get_positional() ? option : option->expected(1)->take_all();
}

}  // namespace

Option Option::required() {
  option_->required();
  return *this;
}

Option Option::environment(const std::string& variable) {
  option_->envname(variable);
  return *this;
}

Option Option::separated_by(char separator) {
  option_->delimiter(separator);
  return *this;
}

// Where a value stands, the help shows that alone; a flag has none, and shows what it goes with.
Option Option::needs(Option other) {
  option_->needs(other.option_)->option_text(option_->get_type_name());
  return *this;
}

Option Option::excludes(Option other) {
  option_->excludes(other.option_)->option_text(option_->get_type_name());
  return *this;
}

Command Command::command(const std::string& name, const std::string& help) {
  return Command(app_->add_subcommand(name, help));
}

void Command::footer(const std::string& text) { app_->footer(text); }

void Command::when_chosen(std::function<void()> act) { app_->callback(std::move(act)); }

Option Command::flag(const std::string& names, bool& target, const std::string& help) {
  return Option(app_->add_flag(names, target, help));
}

Option Command::text(const std::string& names, std::string& target, const std::string& value, const std::string& help) {
  return Option(app_->add_option(names, target, help)->type_name(value));
}

Option Command::text(const std::string& names, std::optional<std::string>& target, const std::string& value,
                     const std::string& help) {
  return Option(app_->add_option(names, target, help)->type_name(value));
}

Option Command::texts(const std::string& names, std::vector<std::string>& targets, const std::string& value,
                      const std::string& help) {
  return Option(each_by_itself(app_->add_option(names, targets, help)->type_name(value)));
}

template <class Target>
Option Command::number(const std::string& names, Target& target, Bounds<typename NumberIn<Target>::type> bounds,
                       const std::string& value, const std::string& help) {
  CLI::Option* option = app_->add_option(names, target, help)->type_name(value)->check(within(bounds));
  if constexpr (requires { target.push_back(bounds.least); }) option = each_by_itself(option);
  return Option(option);
}

template Option Command::number(const std::string&, std::uint32_t&, Bounds<std::uint32_t>, const std::string&,
                                const std::string&);
template Option Command::number(const std::string&, std::uint64_t&, Bounds<std::uint64_t>, const std::string&,
                                const std::string&);
template Option Command::number(const std::string&, std::optional<std::int32_t>&, Bounds<std::int32_t>,
                                const std::string&, const std::string&);
template Option Command::number(const std::string&, std::optional<std::uint32_t>&, Bounds<std::uint32_t>,
                                const std::string&, const std::string&);
template Option Command::number(const std::string&, std::optional<std::uint64_t>&, Bounds<std::uint64_t>,
                                const std::string&, const std::string&);
template Option Command::number(const std::string&, std::optional<double>&, Bounds<double>, const std::string&,
                                const std::string&);
template Option Command::number(const std::string&, std::vector<std::uint32_t>&, Bounds<std::uint32_t>,
                                const std::string&, const std::string&);

Option Command::seconds(const std::string& names, std::chrono::milliseconds& target, Bounds<double> bounds,
                        const std::string& value, const std::string& help) {
  const auto take = [&target](double seconds) {
    target = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  };
  return Option(app_->add_option_function<double>(names, take, help)->type_name(value)->check(within(bounds)));
}

Option Command::seconds(const std::string& names, std::chrono::duration<double>& target, Bounds<double> bounds,
                        const std::string& value, const std::string& help) {
  const auto take = [&target](double seconds) { target = std::chrono::duration<double>(seconds); };
  return Option(app_->add_option_function<double>(names, take, help)->type_name(value)->check(within(bounds)));
}

Option Command::bytes(const std::string& names, std::size_t& target, Bounds<std::size_t> bounds,
                      const std::string& value, const std::string& help) {
  const CLI::Validator with_unit = CLI::AsSizeValue(false).description("");
  return Option(app_->add_option(names, target, help)->type_name(value)->transform(with_unit)->check(within(bounds)));
}

Option Command::word(const std::string& names, const Words& known, const std::function<void(std::size_t)>& take,
                     const std::string& value, const std::string& help) {
  const auto take_place = [known, take](const std::string& word) { take(place_in(known, word)); };
  return Option(app_->add_option_function<std::string>(names, take_place, help)->type_name(value)->check(among(known)));
}

Option Command::words(const std::string& names, const Words& known,
                      const std::function<void(const std::vector<std::size_t>&)>& take, const std::string& value,
                      const std::string& help) {
  const auto take_places = [known, take](const Words& given) {
    std::vector<std::size_t> places;
    for (const std::string& word : given) places.push_back(place_in(known, word));
    take(places);
  };
  return Option(each_by_itself(
      app_->add_option_function<Words>(names, take_places, help)->type_name(value)->check(among(known))));
}

CommandLine::CommandLine(const std::string& program, const std::string& version, const std::string& help)
    : app_(std::make_unique<CLI::App>(help, program)) {
  app_->require_subcommand(1);
  app_->fallthrough();
  app_->set_version_flag("--version", fmt::format("{} {}", program, version));
  app_->get_formatter()->column_width(34);
}

CommandLine::~CommandLine() = default;

Command CommandLine::program() { return Command(app_.get()); }

Result<bool> CommandLine::read(std::span<const char* const> arguments) {
  try {
    app_->parse(static_cast<int>(arguments.size()), arguments.data());
    return true;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app_->exit(error);
      return false;
    }
    const bool no_command = app_->get_subcommands().empty();
    if (no_command && arguments.size() > 1 && arguments[1][0] != '-') {
      return failure(
          usage_error(fmt::format("there is no command '{}' (see '{} --help')", arguments[1], app_->get_name())));
    }
    return failure(usage_error(fmt::format("{} (see '{} --help')", error.what(), app_->get_name())));
  }
}

}  // namespace write_aside::cli
