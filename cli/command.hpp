// The commands: each adds itself to the command line, and leaves in `run` what is to be done when it was asked for.
#pragma once

#include <functional>

#include "command_line.hpp"
#include "exit_status.hpp"
#include "settings.hpp"
#include "write_aside/result.hpp"

namespace write_aside::cli {

struct Invocation {
  Settings settings;
  std::function<Result<ExitStatus>()> run;
};

// `invocation` outlives `program`'s parsing and the run.
void add_init(Command program, Invocation& invocation);
void add_apply(Command program, Invocation& invocation);
void add_load(Command program, Invocation& invocation);
void add_tail(Command program, Invocation& invocation);
void add_consume(Command program, Invocation& invocation);
void add_parked(Command program, Invocation& invocation);
void add_status(Command program, Invocation& invocation);
void add_recover(Command program, Invocation& invocation);
void add_resolve(Command program, Invocation& invocation);
void add_verify(Command program, Invocation& invocation);
void add_bench(Command program, Invocation& invocation);

}  // namespace write_aside::cli
