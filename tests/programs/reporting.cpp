#include "programs/reporting.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace write_aside::programs {
namespace {

using Json = nlohmann::json;
using State = Outcome::State;

// A store that is away makes units abort at once; the input is to outlast that.
constexpr std::chrono::milliseconds pause_after_failure{20};

class Log {
 public:
  explicit Log(const std::string& path) {
    std::ifstream file(path);
    is_new_ = !file.is_open();
    for (std::string text; std::getline(file, text);) {
      const std::size_t blank = text.find(' ');
      states_[std::stoull(text)] = text.substr(blank + 1);
    }
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log() { ::close(descriptor_); }

  // No earlier process has run a unit of this input.
  [[nodiscard]] bool is_new() const { return is_new_; }
  // Of earlier runs, by line.
  [[nodiscard]] const std::map<std::uint64_t, std::string>& states() const { return states_; }

  void report(std::uint64_t line, const Outcome& outcome) const {
    const std::string text = fmt::format("{} {}\n", line, describe(outcome));
    if (::write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::perror("LOG");
  }

 private:
  static std::string describe(const Outcome& outcome) {
    switch (outcome.state()) {
      case State::committed:
        return "committed";
      case State::aborted:
        return "aborted";
      case State::in_doubt:
        break;
    }
    return "in_doubt " + (outcome.unit() ? to_string(*outcome.unit()) : std::string("-"));
  }

  bool is_new_ = true;
  std::map<std::uint64_t, std::string> states_;
  int descriptor_ = -1;
};

const std::string& key_of(const Json& unit) { return unit["ordering_key"].get_ref<const std::string&>(); }

enum class Ran {
  decided,  // the unit has a final outcome, or its row
  in_doubt,
  not_begun,  // nobody knows whether it has its row: those behind it are not to overtake it
};

class Reporter {
 public:
  Reporter(Coordinator& coordinator, const Log& log) : coordinator_(coordinator), log_(log) {}

  // True if nothing is in doubt any more.
  bool resolve() const {
    bool resolved = true;
    for (const auto& [line, state] : log_.states()) {
      if (!state.starts_with("in_doubt ")) continue;
      const auto unit = parse_unit_id(state.substr(state.find(' ') + 1));
      if (!unit) continue;  // without a key there is nothing to ask about: the rows tell
      const Outcome outcome = coordinator_.resolve(*unit);
      if (outcome.state() == State::in_doubt) {
        resolved = false;
      } else {
        log_.report(line, outcome);
      }
    }
    return resolved;
  }

  Ran run(std::uint64_t line, const Json& text, Wait wait) const {
    auto unit = coordinator_.begin({.ordering_key = key_of(text)});
    if (!unit) return not_begun(line, unit.error());
    const auto& order = text["statements"][0]["params"][0];
    const auto there = unit->execute("SELECT 1 FROM orders WHERE id = $1", {order.get<std::int64_t>()});
    if (!there) return not_begun(line, there.error());
    if (!there->rows.empty()) return Ran::decided;
    if (auto written = write(*unit, line, text); !written) {
      // The row came in between: the COMMIT of a killed process has landed.
      if (written.error().code == ErrorCode::constraint) return Ran::decided;
      return failed(line, written.error());
    }
    const Outcome outcome = unit->commit(wait);
    log_.report(line, outcome);
    if (!outcome.is_committed()) std::this_thread::sleep_for(pause_after_failure);
    return outcome.state() == State::in_doubt ? Ran::in_doubt : Ran::decided;
  }

 private:
  static Result<void> write(UnitOfWork& unit, std::uint64_t line, const Json& text) {
    for (const Json& statement : text["statements"]) {
      std::vector<Parameter> parameters;
      for (const Json& parameter : statement["params"]) {
        parameters.push_back(parameter.is_string() ? Parameter(parameter.get_ref<const std::string&>())
                                                   : Parameter(parameter.get<std::int64_t>()));
      }
      if (auto done = unit.execute(statement["sql"].get_ref<const std::string&>(), parameters); !done)
        return failure(done);
    }
    std::size_t index = 0;
    for (const Json& event : text["events"]) {
      Event one{.topic = event["topic"], .key = event["key"], .type = event["type"], .value = event["value"].dump()};
      one.id = fmt::format("{}.{}", line, index++);
      if (event.contains("headers")) {
        for (const auto& [name, value] : event["headers"].items()) one.headers.push_back({name, value});
      }
      if (auto done = unit.publish(std::move(one)); !done) return done;
    }
    return {};
  }

  // Nobody has looked whether its row is there: an earlier process may have committed the unit.
  Ran not_begun(std::uint64_t line, const Error& error) const {
    if (log_.is_new()) return failed(line, error);
    std::this_thread::sleep_for(pause_after_failure);
    return Ran::not_begun;
  }
  // Before its COMMIT was sent a unit has no effect.
  Ran failed(std::uint64_t line, const Error& error) const {
    log_.report(line, Outcome::aborted(error));
    std::this_thread::sleep_for(pause_after_failure);
    return Ran::decided;
  }

  Coordinator& coordinator_;
  const Log& log_;
};

std::vector<Json> read_lines(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) lines.push_back(Json::parse(text));
  return lines;
}

// Every unit but the last, each ordering key on a thread of its own. The worst that came of one.
Ran run_side_by_side(const Reporter& reporter, const Log& log, const std::vector<Json>& lines, std::size_t threads) {
  std::map<std::string, std::size_t> keys;
  for (const Json& line : lines) keys.try_emplace(key_of(line), keys.size());
  std::vector<Ran> worst(threads, Ran::decided);
  std::vector<std::thread> workers;
  for (std::size_t own = 0; own < threads; ++own) {
    workers.emplace_back([&, own] {
      for (std::size_t at = 0; at + 1 < lines.size(); ++at) {
        if (keys.at(key_of(lines[at])) % threads != own || log.states().contains(at + 1)) continue;
        worst[own] = std::max(worst[own], reporter.run(at + 1, lines[at], Wait::decided));
        if (worst[own] == Ran::not_begun) return;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  return *std::max_element(worst.begin(), worst.end());
}

}  // namespace

int fail(const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  return 4;
}

int run_input(const std::shared_ptr<ports::Database>& database, const std::shared_ptr<ports::EventStream>& stream,
              const CoordinatorOptions& options, const Input& input) {
  const std::vector<Json> lines = read_lines(input.path);
  const Log log(input.log);
  // What earlier runs left comes first, or it would come behind.
  if (auto recovery = recover(database, stream, options, {}, options.lease * 2); !recovery)
    return fail(recovery.error());
  const auto coordinator = Coordinator::open(database, stream, options);
  if (!coordinator) return fail(coordinator.error());
  const Reporter reporter(**coordinator, log);
  if (!reporter.resolve()) return 3;
  Ran ran = run_side_by_side(reporter, log, lines, input.threads);
  if (ran != Ran::not_begun && !log.states().contains(lines.size()))
    ran = std::max(ran, reporter.run(lines.size(), lines.back(), Wait::visible));
  if (auto flushed = (*coordinator)->flush(options.visible_timeout); !flushed) return fail(flushed.error());
  return ran == Ran::decided ? 0 : 3;
}

}  // namespace write_aside::programs
