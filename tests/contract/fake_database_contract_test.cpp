// Goal: the fake database of the simulations keeps every promise of the Database port.
#include <memory>

#include "contract/database_contract.hpp"
#include "support/fake_database.hpp"

namespace write_aside::contract {

class FakeDatabaseHarness {
 public:
  std::shared_ptr<ports::Database> open() {
    return std::make_shared<support::FakeDatabase>(state_, ports::system_runtime());
  }
  static Result<void> write_row(ports::Session& session, int id, const std::string& text) {
    const Parameter parameters[] = {id, text};
    auto written = session.execute("insert ? ?", parameters);
    if (!written) return failure(written);
    return {};
  }
  std::map<int, std::string> rows() {
    std::map<int, std::string> rows;
    for (const auto& [id, text] : state_->user_rows()) rows.emplace(std::stoi(id), text);
    return rows;
  }
  void pass_time(std::chrono::milliseconds time) { state_->pass_time(time); }
  static std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

 private:
  std::shared_ptr<support::FakeDatabaseState> state_ =
      std::make_shared<support::FakeDatabaseState>(ports::system_runtime());
};

}  // namespace write_aside::contract

WRITE_ASIDE_DATABASE_CONTRACT(Fake, write_aside::contract::FakeDatabaseHarness);
