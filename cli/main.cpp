// The program `write-aside`: what there is to choose from, and what the shell is told.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <system_error>

#include "command.hpp"
#include "interruption.hpp"
#include "printable.hpp"
#include "sqlite_settings.hpp"

namespace {

using namespace write_aside::cli;

constexpr const char* footer = R"help(
Stores are named by URLs, such as sqlite:PATH, local:PATH and kafka://HOST:PORT. Each can come
from its option, from WRITE_ASIDE_DATABASE and WRITE_ASIDE_STREAM, or from the TOML file, in
this order. Keys of the file, all strings: database, stream, source, ledger_topic; and the
table [stream_config] with properties of the stream's client. Secrets belong into that file, the
file of --stream-config or, in a URL, the environment, never on the command line.

Exit status:
  0    all committed
  1    some unit aborted or was rejected, or verify found a violation
  2    usage, configuration or unreadable input
  3    something is in doubt, or a lane is halted
  4    a store cannot be reached or used
  130  interrupted (SIGINT), 143 ended (SIGTERM); run it again to go on

Example:
  export WRITE_ASIDE_DATABASE=sqlite:shop.db WRITE_ASIDE_STREAM=local:shop.events
  write-aside init --topic orders:4
  write-aside apply orders.jsonl
  write-aside tail orders --from beginning
)help";

int status_of(ExitStatus status) { return static_cast<int>(status); }

// One line, whatever a driver put into the message.
int fail(const std::string& message, ExitStatus status) {
  fmt::print(stderr, "write-aside: {}\n", printable(message));
  return status_of(status);
}

void add_commands(Command program, Invocation& invocation) {
  program.footer(footer);
  invocation.settings.add_options(program);
  add_init(program, invocation);
  add_apply(program, invocation);
  add_load(program, invocation);
  add_tail(program, invocation);
  add_consume(program, invocation);
  add_parked(program, invocation);
  add_status(program, invocation);
  add_recover(program, invocation);
  add_resolve(program, invocation);
  add_verify(program, invocation);
  add_bench(program, invocation);
}

int run(std::span<const char* const> arguments) {
  CommandLine command_line("write-aside", WRITE_ASIDE_VERSION,
                           "Commits database rows and stream events together: both or neither.");
  Invocation invocation;
  add_commands(command_line.program(), invocation);
  // First: what is said of a wrong argument shows it.
  if (auto checked = refuse_visible_secrets(arguments); !checked) {
    return fail(checked.error().message, ExitStatus::usage);
  }
  const auto read = command_line.read(arguments);
  if (!read) return fail(read.error().message, ExitStatus::usage);
  if (!*read) return status_of(ExitStatus::committed);
  set_up_sqlite();
  interruption::install();
  if (auto configured = invocation.settings.read_config(); !configured) {
    return fail(configured.error().message, ExitStatus::usage);
  }
  const auto status = invocation.run();
  if (!status) return fail(status.error().message, exit_status_of(status.error()));
  // Whoever closed the pipe has read enough; anything else, a full disk for instance, is worth a word.
  if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && errno != EPIPE) {
    return fail(fmt::format("cannot write to standard output: {}", std::generic_category().message(errno)),
                *status == ExitStatus::committed ? ExitStatus::rejected : *status);
  }
  return status_of(*status);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv, static_cast<std::size_t>(argc)});
  } catch (const std::exception& error) {
    // Out of memory, for instance: nothing else of ours throws. What was not committed is not.
    return fail(fmt::format("ended by an unexpected error: {}; run it again to go on", error.what()),
                ExitStatus::unreachable);
  }
}
