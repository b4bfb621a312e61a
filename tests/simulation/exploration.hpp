// Every choice instead of random ones: one to three units, two processes one after the other, and at every port call of
// either of them every way to go wrong, for one fault and for every pair of them.
//
// Process "a" commits the units at the same time, on one lane, so that they share a batch; process "b" follows and
// commits one more. A second fault is chosen among the calls that are made after the first one, as the first one has
// changed them; so each pair is played once. Fibers take turns in the order of their readiness.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace write_aside::simulation {

// One fault: what goes wrong at which port call.
struct Choice {
  std::size_t process = 0;  // 0: "a", 1: "b"
  std::size_t step = 0;
  std::size_t way = 0;  // one of ways_to_fail()
};

// What can go wrong at a call of that name.
[[nodiscard]] std::vector<std::size_t> ways_to_fail(const std::string& step);
[[nodiscard]] std::string to_string(const Choice& choice, const std::string& step);

struct Explored {
  std::string wrong;                              // empty: all is well
  std::vector<std::vector<std::string>> steps{};  // the port calls of each process
};
[[nodiscard]] Explored play_choices(int units, const std::vector<Choice>& choices);

// What one choice may be when those before it are made, in the order in which calls are made.
[[nodiscard]] std::vector<Choice> next_choices(const Explored& played, const std::vector<Choice>& made);

struct Exploration {
  std::size_t runs = 0;
  std::string wrong;  // the first violation, with the choices that lead there
};
// Plays `choices` and every way to go on with up to `more` further faults.
void explore(int units, const std::vector<Choice>& choices, std::size_t more, Exploration& exploration);

}  // namespace write_aside::simulation
