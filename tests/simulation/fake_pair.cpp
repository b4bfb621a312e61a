#include "simulation/fake_pair.hpp"

namespace write_aside::simulation {

FakePair::FakePair(World& world, std::uint32_t lanes, support::FakeStreamOptions options)
    : database_(std::make_shared<support::FakeDatabaseState>(world.outside())),
      stream_(std::make_shared<support::FakeEventStreamState>(world.outside(), options)) {
  support::FakeDatabase database(database_, world.outside());
  support::FakeEventStream stream(stream_, world.outside());
  initialise(database, stream, lanes).value();
  (void)stream.create_topic({.name = "t", .partitions = 1}, world.now() + std::chrono::seconds(5)).value();
}

std::shared_ptr<ports::Database> FakePair::database(SimulatedProcess& process) {
  return std::make_shared<support::FakeDatabase>(database_, process);
}

std::shared_ptr<ports::EventStream> FakePair::stream(SimulatedProcess& process) {
  return std::make_shared<support::FakeEventStream>(stream_, process);
}

Result<void> FakePair::write_row(UnitOfWork& unit, int id) {
  const std::string key = std::to_string(id);
  auto written = unit.execute("insert ? ?", {key, "x"});
  if (!written) return failure(written);
  return {};
}

std::set<int> FakePair::rows() {
  std::set<int> result;
  for (const auto& [key, value] : database_->user_rows()) {
    if (!key.empty() && key.front() >= '0' && key.front() <= '9') result.insert(std::stoi(key));
  }
  return result;
}

std::vector<int> FakePair::events() {
  std::vector<int> result;
  for (const auto& record : stream_->committed("t")) result.push_back(std::stoi(*record.value));
  return result;
}

}  // namespace write_aside::simulation
