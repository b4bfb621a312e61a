// expect: ignoring
// A statement that failed must not be followed by a commit as if nothing had happened.
#include "write_aside/unit_of_work.hpp"

write_aside::Outcome pay(write_aside::UnitOfWork& unit) {
#ifdef WRITE_ASIDE_MISTAKE
  unit.execute("update orders set state = 'paid'");
#else
  if (auto paid = unit.execute("update orders set state = 'paid'"); !paid) unit.rollback();
#endif
  return unit.commit();
}
