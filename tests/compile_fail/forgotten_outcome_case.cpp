// expect: in_doubt
// A switch over the outcome that forgets a case does not compile clean.
#include "write_aside/outcome.hpp"

int exit_status(const write_aside::Outcome& outcome) {
  switch (outcome.state()) {
    case write_aside::Outcome::State::committed:
      return 0;
    case write_aside::Outcome::State::aborted:
      return 1;
#ifndef WRITE_ASIDE_MISTAKE
    case write_aside::Outcome::State::in_doubt:
      return 3;
#endif
  }
  return 2;
}
