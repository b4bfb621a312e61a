// Something of a test's own between the in-memory stores and the processes.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "simulation/fake_pair.hpp"

namespace write_aside::simulation {

// The in-memory pair, with something of the test's own between it and the processes.
class WrappedPair final : public StorePair {
 public:
  template <class Port>
  using Wrap = std::function<std::shared_ptr<Port>(std::shared_ptr<Port>)>;

  WrappedPair(World& world, std::uint32_t lanes, support::FakeStreamOptions stream = {}) : pair(world, lanes, stream) {}
  std::shared_ptr<ports::Database> database(SimulatedProcess& process) override {
    return wrap_database ? wrap_database(pair.database(process)) : pair.database(process);
  }
  std::shared_ptr<ports::EventStream> stream(SimulatedProcess& process) override {
    return wrap_stream ? wrap_stream(pair.stream(process)) : pair.stream(process);
  }
  Result<void> write_row(UnitOfWork& unit, int id) override { return pair.write_row(unit, id); }
  std::set<int> rows() override { return pair.rows(); }
  std::vector<int> events() override { return pair.events(); }

  FakePair pair;
  Wrap<ports::Database> wrap_database;
  Wrap<ports::EventStream> wrap_stream;
};

}  // namespace write_aside::simulation
