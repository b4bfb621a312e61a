// The library's own short transactions on PostgreSQL, at READ COMMITTED whatever the role's default: each statement
// sees what was committed before it.
#pragma once

#include <optional>

#include "adapters/postgresql/arguments.hpp"
#include "adapters/postgresql/store.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::postgresql {

class OwnTransaction final : public ports::OwnTransaction {
 public:
  OwnTransaction(Lease lease, ports::Deadline deadline);
  ~OwnTransaction() override;

  Result<std::optional<ports::LaneRow>> lock_lane(LaneNumber lane) override;
  Result<void> write_lane(const ports::LaneRow& row, bool beat) override;
  Result<std::vector<ports::JournalRow>> undelivered_below(LaneNumber lane, std::uint64_t epoch,
                                                           std::size_t limit) override;
  Result<std::vector<ports::JournalRow>> undelivered_labelled(LaneNumber lane, BatchId label,
                                                              std::size_t limit) override;
  Result<std::optional<ports::JournalRow>> row(const UnitId& key) override;
  Result<std::uint64_t> deliver_covered(LaneNumber lane, BatchId label) override;
  Result<std::uint64_t> deliver(const UnitId& key) override;
  Result<std::uint64_t> adopt_all(LaneNumber lane, BatchId label) override;
  Result<bool> adopt(const UnitId& key, BatchId label) override;
  Result<std::uint64_t> delete_settled(LaneNumber lane, BatchId upto) override;
  Result<bool> insert_tombstone(const UnitId& key) override;
  Result<std::optional<BatchId>> purge(LaneNumber lane, std::chrono::seconds retention) override;
  ports::CommitReply commit() override;

 private:
  [[nodiscard]] Result<ResultHandle> run(std::string_view sql, std::string_view what, const Arguments& arguments);
  [[nodiscard]] Result<std::uint64_t> change(std::string_view sql, std::string_view what, const Arguments& arguments);
  [[nodiscard]] Result<std::vector<ports::JournalRow>> select(std::string_view sql, const Arguments& arguments);

  std::optional<Lease> lease_;  // none: over
  ports::Deadline deadline_;
};

}  // namespace write_aside::postgresql
