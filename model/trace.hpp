// From a state back to the first one, and that way in words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rules.hpp"
#include "state.hpp"

namespace write_aside::model {

// One process owns the lane in epoch 1; nothing was done yet.
[[nodiscard]] State initial_state(const Settings& settings);

// For every state, from which it was reached, and by which of that state's moves.
class Path {
 public:
  void add(std::uint32_t from, std::uint8_t move) {
    from_.push_back(from);
    move_.push_back(move);
  }
  [[nodiscard]] std::size_t size() const { return from_.size(); }
  // One line for each move from the first state to `index`.
  [[nodiscard]] std::vector<std::string> describe(std::uint32_t index, const Settings& settings) const;

 private:
  std::vector<std::uint32_t> from_;
  std::vector<std::uint8_t> move_;
};

}  // namespace write_aside::model
