#include "search.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "canonical.hpp"
#include "invariants.hpp"
#include "moves.hpp"
#include "trace.hpp"

namespace write_aside::model {

namespace {

using Index = std::uint32_t;  // of a state, in the order of discovery

// The fingerprints of the states that were seen. Two states with one fingerprint would be taken for one: with 20
// million states the chance of that is about one in 100,000.
class SeenStates {
 public:
  // Without indices a known state is known as 0; that saves a third of the memory.
  explicit SeenStates(bool with_indices) : fingerprints_(1 << 16), indices_(with_indices ? 1 << 16 : 0) {}

  // The index under which it is known already; or none, and then it is known as `index`.
  std::optional<Index> find_or_add(std::uint64_t fingerprint, Index index) {
    if (count_ * 3 > fingerprints_.size() * 2) grow();
    const std::size_t place = find(fingerprint);
    if (fingerprints_[place] == fingerprint) return indices_.empty() ? 0 : indices_[place];
    fingerprints_[place] = fingerprint;
    if (!indices_.empty()) indices_[place] = index;
    ++count_;
    return std::nullopt;
  }

 private:
  [[nodiscard]] std::size_t find(std::uint64_t fingerprint) const {
    const std::size_t mask = fingerprints_.size() - 1;
    std::size_t place = fingerprint & mask;
    while (fingerprints_[place] != 0 && fingerprints_[place] != fingerprint) place = (place + 1) & mask;
    return place;
  }

  void grow() {
    std::vector<std::uint64_t> fingerprints(fingerprints_.size() * 2);
    std::vector<Index> indices(indices_.size() * 2);
    fingerprints.swap(fingerprints_);
    indices.swap(indices_);
    for (std::size_t i = 0; i < fingerprints.size(); ++i) {
      if (fingerprints[i] == 0) continue;
      const std::size_t place = find(fingerprints[i]);
      fingerprints_[place] = fingerprints[i];
      if (!indices_.empty()) indices_[place] = indices[i];
    }
  }

  std::vector<std::uint64_t> fingerprints_;
  std::vector<Index> indices_;
  std::size_t count_ = 0;
};

// Which state leads to which.
class Graph {
 public:
  void begin_state() { first_.push_back(targets_.size()); }
  void add(Index target) { targets_.push_back(target); }

  // Takes away states that nothing leads to, until none is left: then there is no cycle.
  [[nodiscard]] bool has_no_cycle(std::size_t states) const {
    std::vector<Index> into(states);
    for (const Index target : targets_) ++into[target];
    std::vector<Index> free;
    for (std::size_t state = 0; state < states; ++state) {
      if (into[state] == 0) free.push_back(static_cast<Index>(state));
    }
    std::size_t taken = 0;
    for (; !free.empty(); ++taken) {
      const Index state = free.back();
      free.pop_back();
      const std::size_t end = state + 1 < first_.size() ? first_[state + 1] : targets_.size();
      for (std::size_t i = first_[state]; i < end; ++i) {
        if (--into[targets_[i]] == 0) free.push_back(targets_[i]);
      }
    }
    return taken == states;
  }

 private:
  std::vector<std::size_t> first_;  // by state, its first place in targets_
  std::vector<Index> targets_;
};

class Explorer {
 public:
  Explorer(const Settings& settings, std::uint64_t states_max, bool check_that_runs_end)
      : settings_(settings),
        moves_(settings_),
        states_max_(std::min<std::uint64_t>(states_max, std::numeric_limits<Index>::max() - 1)),
        wants_graph_(check_that_runs_end),
        seen_(check_that_runs_end) {}

  Search run() {
    State first = initial_state(settings_);
    make_canonical(first, settings_);
    (void)seen_.find_or_add(fingerprint(first), 0);
    path_.add(0, 0);
    level_.push_back(first);
    while (!level_.empty() && !found_ && path_.size() <= states_max_) {
      next_level_.clear();
      for (const State& state : level_) {
        expand(state);
        if (found_ || path_.size() > states_max_) break;
      }
      level_.swap(next_level_);
      if (!level_.empty()) ++result_.depth;
    }
    result_.states = path_.size();
    result_.complete = !found_ && path_.size() <= states_max_;
    if (found_) {
      result_.trace = path_.describe(*found_, settings_);
      result_.depth = static_cast<int>(result_.trace.size());
    }
    if (result_.complete && wants_graph_) result_.always_ends = graph_.has_no_cycle(path_.size());
    return std::move(result_);
  }

 private:
  void expand(const State& state) {
    const Index index = expanded_++;
    if (wants_graph_) graph_.begin_state();
    list_moves(state, moves_);
    if (moves_.states().empty()) {
      ++result_.ends;
      return note(check_rest(state, settings_.bounds.units), index);
    }
    for (std::size_t i = 0; i < moves_.states().size() && !found_; ++i) {
      State& next = moves_.states()[i];
      ++result_.moves;
      make_canonical(next, settings_);
      const auto fresh = static_cast<Index>(path_.size());
      const auto known = seen_.find_or_add(fingerprint(next), fresh);
      if (wants_graph_) graph_.add(known.value_or(fresh));
      if (known) continue;
      path_.add(index, static_cast<std::uint8_t>(i));
      next_level_.push_back(next);
      note(next.violation, fresh);
    }
  }

  void note(Violation violation, Index where) {
    if (violation == Violation::none) return;
    result_.violation = violation;
    found_ = where;
  }

  const Settings settings_;
  Moves moves_;
  const std::uint64_t states_max_;
  const bool wants_graph_;
  SeenStates seen_;
  Path path_;
  Graph graph_;
  std::vector<State> level_;  // states of the same distance from the first, in the order of their indices
  std::vector<State> next_level_;
  Index expanded_ = 0;
  std::optional<Index> found_;
  Search result_;
};

}  // namespace

Search search(const Settings& settings, std::uint64_t states_max, bool check_that_runs_end) {
  return Explorer(settings, states_max, check_that_runs_end).run();
}

}  // namespace write_aside::model
