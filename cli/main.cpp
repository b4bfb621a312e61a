// The program `write-aside`: what there is to choose from, and what the shell is told.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <exception>
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

void add_commands(CLI::App& program, Invocation& invocation) {
  program.require_subcommand(1);
  program.fallthrough();
  program.footer(footer);
  program.set_version_flag("--version", "write-aside " WRITE_ASIDE_VERSION);
  program.get_formatter()->column_width(34);
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

int run(int argc, char** argv) {
  CLI::App program("Commits database rows and stream events together: both or neither.", "write-aside");
  Invocation invocation;
  add_commands(program, invocation);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);
    const bool no_command = program.get_subcommands().empty();
    if (no_command && argc > 1 && argv[1][0] != '-') {
      return fail(fmt::format("there is no command '{}' (see 'write-aside --help')", argv[1]), ExitStatus::usage);
    }
    return fail(fmt::format("{} (see 'write-aside --help')", error.what()), ExitStatus::usage);
  }
  if (auto checked = refuse_visible_secrets({argv, static_cast<std::size_t>(argc)}); !checked) {
    return fail(checked.error().message, ExitStatus::usage);
  }
  set_up_sqlite();
  interruption::install();
  if (auto read = invocation.settings.read_config(); !read) return fail(read.error().message, ExitStatus::usage);
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
    return run(argc, argv);
  } catch (const std::exception& error) {
    // Out of memory, for instance: nothing else of ours throws. What was not committed is not.
    return fail(fmt::format("ended by an unexpected error: {}; run it again to go on", error.what()),
                ExitStatus::unreachable);
  }
}
