// Runs a campaign's input like report_outcomes, and is struck at one call to one of the two stores.
//
//   strike_at_call DATABASE STREAM INPUT SOURCE LEVEL LOG [CALL NUMBER KIND]
//
// CALL is a call's name as tests/support/faulty_ports.hpp has it, NUMBER counts the calls of that name from 1, KIND is
// one of those below. A crash kills this process, with SIGKILL. Standard output gets `struck` when it comes to that, and
// at the end the name of every call that was made, each on a line.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "programs/reporting.hpp"
#include "stores.hpp"
#include "support/faulty_ports.hpp"

namespace {

using namespace write_aside;
using namespace std::chrono_literals;
using support::Fault;

constexpr std::size_t threads = 2;  // so that units share a batch
constexpr std::chrono::milliseconds late{300};
constexpr std::array<std::pair<std::string_view, Fault::Kind>, Fault::kind_count> kinds{{
    {"crash_before", Fault::Kind::crash_before},
    {"crash_after", Fault::Kind::crash_after},
    {"fail", Fault::Kind::fail},
    {"lose_reply", Fault::Kind::lose_reply},
    {"delay", Fault::Kind::delay},
    {"late_reply", Fault::Kind::late_reply},
}};

// A reply that never comes is not to be waited for long.
CoordinatorOptions options_of(const std::string& source, const std::string& level) {
  CoordinatorOptions options{.source = source, .lanes_max = 1, .strict_order = true};
  if (level == "transactional") options.guarantee = Guarantee::transactional;
  if (level == "at_least_once") options.guarantee = Guarantee::at_least_once;
  options.transaction_timeout = 6s;
  options.open_timeout = 5s;
  options.session_timeout = 2s;
  options.join_timeout = 1s;
  options.publish_timeout = 1500ms;
  options.commit_timeout = 1500ms;
  options.doubt_timeout = 1500ms;
  options.visible_timeout = 5s;
  options.close_timeout = 1500ms;
  return options;
}

bool plan(support::FaultyProcess& process, const std::string& call, std::size_t number, const std::string& kind) {
  const auto* const known =
      std::find_if(kinds.begin(), kinds.end(), [&](const auto& one) { return one.first == kind; });
  if (known == kinds.end() || number == 0) return false;
  process.plan_next(call, {.kind = known->second, .delay = late}, number - 1);
  return true;
}

int run(const std::vector<std::string>& words) {
  support::FaultyProcess process("struck");
  process.set_death([] { std::raise(SIGKILL); });
  process.watch([](std::string_view, const std::optional<Fault>& fault) {
    constexpr std::string_view text = "struck\n";
    if (fault && ::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::perror("struck");
  });
  if (words.size() == 9 && !plan(process, words[6], std::stoul(words[7]), words[8])) return 2;
  const auto database = cli::open_database(words[0], cli::Missing::refuse);
  if (!database) return programs::fail(database.error());
  const auto stream = cli::open_stream(words[1], cli::Missing::refuse);
  if (!stream) return programs::fail(stream.error());
  const int status = programs::run_input(process.decorate(*database), process.decorate(*stream),
                                         options_of(words[3], words[4]), {words[2], threads, words[5]});
  for (const std::string& call : process.steps()) fmt::print("{}\n", call);
  return status;
}

}  // namespace

int main(int count, char** words) {
  if (count != 7 && count != 10) {
    fmt::print(stderr, "usage: strike_at_call DATABASE STREAM INPUT SOURCE LEVEL LOG [CALL NUMBER KIND]\n");
    return 2;
  }
  try {
    return run({words + 1, words + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "strike_at_call: {}\n", error.what());
    return 1;
  }
}
