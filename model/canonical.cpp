#include "canonical.hpp"

#include <algorithm>
#include <cstring>

namespace write_aside::model {

namespace {

bool is_away(const Process& process) { return process.phase == Phase::idle || process.phase == Phase::lost; }

void tidy_process(Process& process) {
  // B5: free for another lane, or this one, once its last doubt is resolved.
  const bool over = std::all_of(process.is.begin(), process.is.end(), [](Member is) { return is == Member::none; });
  if (process.phase == Phase::lost && over) process.phase = Phase::idle;
}

void forget_names(State& state) {
  for (int p = 0; p < processes_max; ++p) {
    const Process& process = state.processes[p];
    if (!is_away(process)) continue;
    if (state.lane.owner == p && process.left_behind == 0) state.lane.owner = nobody;
    const bool speaks = process.request != Ending::none || process.copy != Ending::none;
    if (state.stream.holder == p && !speaks) state.stream.holder = nobody;
  }
}

void forget_unit(State& state, int u) {
  Unit& unit = state.units[u];
  unit.after = static_cast<Byte>(unit.after & ~state.stream.visible);
  for (const Process& process : state.processes) {
    if (process.is[u] != Member::none || (process.adoption != Adoption::none && process.adopted_unit == u)) return;
  }
  const bool may_ask = unit.told_in_doubt && !unit.asked;
  const bool visible = has(state.stream.visible, u);
  const bool committed_and_over = unit.decision == Decision::committed && visible && !unit.undelivered();
  if (committed_and_over || unit.decision == Decision::rolled_back) {
    if (may_ask || unit.tombstone) return;
    const bool may_be_purged = unit.row && state.faults_left > 0;
    const Batch key = unit.key;
    const Decision decision = unit.decision;
    const bool row = unit.row;
    unit = {};
    unit.decision = decision;
    unit.row = unit.delivered = row;
    if (may_be_purged) unit.key = key;
  }
}

int compare(const State& state, Byte left, Byte right) {
  const int by_content = std::memcmp(&state.processes[left], &state.processes[right], sizeof(Process));
  if (by_content != 0) return by_content;
  const auto role = [&state](Byte p) { return (state.lane.owner == p ? 2 : 0) + (state.stream.holder == p ? 1 : 0); };
  return role(left) - role(right);
}

}  // namespace

Places make_canonical(State& state, const Settings& settings) {
  for (Process& process : state.processes) tidy_process(process);
  forget_names(state);
  for (int u = 0; u < state.begun; ++u) forget_unit(state, u);

  Places places{};
  for (Byte p = 0; p < processes_max; ++p) places[p] = p;
  for (int sorted = 1; sorted < settings.bounds.processes; ++sorted) {
    for (int p = sorted; p > 0 && compare(state, places[p], places[p - 1]) < 0; --p)
      std::swap(places[p], places[p - 1]);
  }
  if (std::is_sorted(places.begin(), places.end())) return places;
  const std::array<Process, processes_max> processes = state.processes;
  const Byte owner = state.lane.owner;
  const Byte holder = state.stream.holder;
  for (Byte p = 0; p < processes_max; ++p) {
    state.processes[p] = processes[places[p]];
    if (owner == places[p]) state.lane.owner = p;
    if (holder == places[p]) state.stream.holder = p;
  }
  return places;
}

std::uint64_t fingerprint(const State& state) {
  constexpr std::uint64_t multiplier = 0x9FB21C651E98DF25ull;
  std::array<std::uint64_t, (sizeof(State) + 7) / 8> words{};
  std::memcpy(words.data(), &state, sizeof(State));
  std::uint64_t hash = 0x2545F4914F6CDD1Dull;
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * multiplier;
    hash ^= hash >> 29;
  }
  hash ^= hash >> 32;
  hash *= multiplier;
  hash ^= hash >> 30;
  return hash != 0 ? hash : 1;  // 0 marks an empty place
}

}  // namespace write_aside::model
