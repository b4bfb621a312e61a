#include "write_aside/unit_of_work.hpp"

#include "coordination/unit.hpp"

namespace write_aside {

UnitOfWork::UnitOfWork(std::unique_ptr<coordination::Unit> unit) : unit_(std::move(unit)) {}
UnitOfWork::UnitOfWork(UnitOfWork&&) noexcept = default;
UnitOfWork& UnitOfWork::operator=(UnitOfWork&&) noexcept = default;
UnitOfWork::~UnitOfWork() = default;

Result<Rows> UnitOfWork::execute(std::string_view sql, std::span<const Parameter> parameters) {
  return unit_->execute(sql, parameters);
}
Result<Rows> UnitOfWork::execute(std::string_view sql, std::initializer_list<Parameter> parameters) {
  return unit_->execute(sql, std::span(parameters.begin(), parameters.size()));
}
Result<void> UnitOfWork::execute_all(std::span<const Statement> statements, std::size_t& failed) {
  return unit_->execute_all(statements, failed);
}
Result<void> UnitOfWork::publish(Event event) { return unit_->publish(std::move(event)); }
Result<void> UnitOfWork::savepoint() { return unit_->savepoint(); }
Result<void> UnitOfWork::rollback_to_savepoint() { return unit_->rollback_to_savepoint(); }
Result<void> UnitOfWork::release_savepoint() { return unit_->release_savepoint(); }
Result<std::optional<std::string>> UnitOfWork::progress(std::string_view source) { return unit_->progress(source); }
Result<bool> UnitOfWork::advance(std::string_view source, std::optional<std::string_view> expected,
                                 std::string_view position) {
  return unit_->advance(source, expected, position);
}
Outcome UnitOfWork::commit(Wait wait) { return unit_->commit(wait); }
void UnitOfWork::rollback() noexcept { unit_->rollback(); }

}  // namespace write_aside
