// A savepoint takes rows and events back together.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

class Savepoint : public Stage {
 protected:
  Actor a{world, "a"};
  // Writes the row and publishes the event.
  void add(UnitOfWork& unit, int id) {
    ASSERT_TRUE(pair.write_row(unit, id));
    ASSERT_TRUE(unit.publish(event(id)));
  }
};

TEST_F(Savepoint, TakesItsEventsBack) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      auto unit = coordinator.begin().value();
      add(unit, 1);
      ASSERT_TRUE(unit.savepoint());
      add(unit, 2);
      ASSERT_TRUE(unit.rollback_to_savepoint());
      EXPECT_TRUE(unit.commit(Wait::visible).is_committed());
    });
  });
  EXPECT_EQ(pair.events(), std::vector{1});
}

TEST_F(Savepoint, EndsInnermostFirst) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      auto unit = coordinator.begin().value();
      add(unit, 1);
      ASSERT_TRUE(unit.savepoint());
      for (const int id : {2, 3}) {
        ASSERT_TRUE(unit.savepoint());
        add(unit, id);
        ASSERT_TRUE(unit.release_savepoint());
      }
      ASSERT_TRUE(unit.rollback_to_savepoint()) << "of the outer one, with what was released in it";
      EXPECT_FALSE(unit.rollback_to_savepoint());
      EXPECT_FALSE(unit.release_savepoint());
      EXPECT_TRUE(unit.commit(Wait::visible).is_committed());
    });
  });
  EXPECT_EQ(pair.events(), std::vector{1});
}

}  // namespace
}  // namespace write_aside::simulation
