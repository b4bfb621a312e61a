// A coordinator on SQLite and a local stream, and a look at both stores: the table `orders(id)`, whose rows each have
// an event of the same id in the topic `orders`.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "write_aside/adapters/local_stream.hpp"
#include "write_aside/adapters/sqlite.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::integration {

class EmbeddedFixture : public testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;
  using Ids = std::vector<std::int64_t>;

  EmbeddedFixture() {
    std::string pattern = testing::TempDir() + "write-aside-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    database_ = sqlite::open((folder_ / "shop.db").string()).value();
    stream_ = local_stream::open((folder_ / "shop.events").string()).value();
    initialise(*database_, *stream_, 2).value();
    stream_->create_topic({.name = "orders"}, Clock::now() + std::chrono::seconds(10)).value();
  }
  ~EmbeddedFixture() override {
    coordinator_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open(CoordinatorOptions options = {}) {
    options.lanes_max = 1;
    coordinator_ = Coordinator::open(database_, stream_, std::move(options)).value();
    const auto make = [](UnitOfWork& unit) -> Result<void> {
      if (auto made = unit.execute("create table orders (id integer primary key)"); !made) return failure(made);
      return {};
    };
    ASSERT_TRUE(coordinator_->run(make).is_committed());
  }

  static Result<void> write(UnitOfWork& unit, std::int64_t id) {
    if (auto inserted = unit.execute("insert into orders values (?)", {id}); !inserted) return failure(inserted);
    return unit.publish({.topic = "orders", .key = "k", .type = "order", .value = std::to_string(id)});
  }
  Outcome commit(std::int64_t id) {
    return coordinator_->run([id](UnitOfWork& unit) { return write(unit, id); }, {.wait = Wait::visible});
  }

  Ids rows() {
    Ids ids;
    const auto look = [&ids](UnitOfWork& unit) -> Result<void> {
      auto found = unit.execute("select id from orders order by id");
      if (!found) return failure(found);
      for (const auto& row : found->rows) ids.push_back(std::get<std::int64_t>(row.at(0)));
      return {};
    };
    EXPECT_TRUE(coordinator_->run(look).is_committed());
    return ids;
  }
  Ids events() {
    Ids ids;
    const auto reader =
        stream_->reader({{"orders", 0, ports::offset_beginning}}, ports::Isolation::read_committed).value();
    const auto end = stream_->bounds("orders", 0, ports::Isolation::read_committed).value().end;
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (reader->position("orders", 0).value() < end && Clock::now() < deadline) {
      const auto records = reader->poll(100, deadline).value();
      for (const auto& record : records) ids.push_back(std::stoll(*record.value));
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::filesystem::path folder_;
  std::shared_ptr<ports::Database> database_;
  std::shared_ptr<ports::EventStream> stream_;
  std::unique_ptr<Coordinator> coordinator_;
};

}  // namespace write_aside::integration
