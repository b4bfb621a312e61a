// SQLite + local stream, on real files, for scenarios. Each process opens the files for itself.
#pragma once

#include <filesystem>
#include <string>

#include "simulation/scenario.hpp"

namespace write_aside::simulation {

class EmbeddedPair final : public StorePair {
 public:
  explicit EmbeddedPair(std::uint32_t lanes);
  ~EmbeddedPair() override;

  std::shared_ptr<ports::Database> database(SimulatedProcess& process) override;
  std::shared_ptr<ports::EventStream> stream(SimulatedProcess& process) override;
  Result<void> write_row(UnitOfWork& unit, int id) override;
  std::set<int> rows() override;
  std::vector<int> events() override;

 private:
  [[nodiscard]] std::vector<int> read(const std::filesystem::path& file, const std::string& sql) const;

  std::filesystem::path folder_;
};

}  // namespace write_aside::simulation
