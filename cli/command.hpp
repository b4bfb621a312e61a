// The commands: each adds itself to the command line, and leaves in `run` what is to be done when it was asked for.
#pragma once

#include <functional>

#include "exit_status.hpp"
#include "settings.hpp"
#include "write_aside/result.hpp"

namespace CLI {
class App;
}

namespace write_aside::cli {

struct Invocation {
  Settings settings;
  std::function<Result<ExitStatus>()> run;
};

// `invocation` outlives `program`'s parsing and the run.
void add_init(CLI::App& program, Invocation& invocation);
void add_apply(CLI::App& program, Invocation& invocation);
void add_load(CLI::App& program, Invocation& invocation);
void add_tail(CLI::App& program, Invocation& invocation);
void add_consume(CLI::App& program, Invocation& invocation);
void add_parked(CLI::App& program, Invocation& invocation);
void add_status(CLI::App& program, Invocation& invocation);
void add_recover(CLI::App& program, Invocation& invocation);
void add_resolve(CLI::App& program, Invocation& invocation);
void add_verify(CLI::App& program, Invocation& invocation);
void add_bench(CLI::App& program, Invocation& invocation);

}  // namespace write_aside::cli
