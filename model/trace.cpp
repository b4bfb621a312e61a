#include "trace.hpp"

#include <algorithm>

#include "canonical.hpp"
#include "moves.hpp"

namespace write_aside::model {

namespace {

std::string text(Batch batch) { return '(' + std::to_string(batch.epoch) + ',' + std::to_string(batch.n) + ')'; }

// What is worth knowing about the state that a move leads to.
std::string circumstances(const State& state, const Move& move) {
  std::string words;
  if (move.unit != nobody && move.unit < units_max) {
    const Unit& unit = state.units[move.unit];
    if (unit.key.epoch != 0) words += "; key " + text(unit.key) + '.' + std::to_string(unit.member);
    if (unit.label != unit.key && unit.label.epoch != 0) words += ", label " + text(unit.label);
  }
  if (move.process != nobody) {
    const Process& process = state.processes[move.process];
    if (process.epoch != 0) words += "; batch " + text({process.epoch, process.n});
    if (process.phase == Phase::t4) words += ", S " + text(process.ledger.batch);
  }
  return words;
}

std::string line(const State& state, const Move& move, const Places& names) {
  std::string words =
      move.process == nobody ? "   " : std::string(1, static_cast<char>('A' + names[move.process])) + "  ";
  words += move.rule;
  words.resize(std::max<std::size_t>(words.size() + 1, 22), ' ');
  if (move.unit != nobody) words += "u" + std::to_string(move.unit) + ": ";
  return words + move.effect + circumstances(state, move);
}

}  // namespace

State initial_state(const Settings& settings) {
  State state;
  state.faults_left = static_cast<Byte>(settings.bounds.faults);
  state.processes[0].phase = Phase::open;
  state.processes[0].epoch = state.lane.epoch;
  return state;
}

std::vector<std::string> Path::describe(std::uint32_t index, const Settings& settings) const {
  std::vector<std::uint8_t> choices;
  for (; index != 0; index = from_[index]) choices.push_back(move_[index]);
  std::reverse(choices.begin(), choices.end());

  // Processes change their places in canonical states; in the trace they keep their names.
  Places names{0, 1, 2};
  const auto follow = [&names](const Places& places) {
    const Places before = names;
    for (int i = 0; i < processes_max; ++i) names[i] = before[places[i]];
  };
  State state = initial_state(settings);
  follow(make_canonical(state, settings));
  Moves moves(settings);
  std::vector<std::string> lines;
  for (const std::uint8_t choice : choices) {
    list_moves(state, moves);
    state = moves.states()[choice];
    lines.push_back(line(state, moves.move(choice), names));
    follow(make_canonical(state, settings));
  }
  return lines;
}

}  // namespace write_aside::model
