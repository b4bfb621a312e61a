// expect: (deleted|unique_ptr)
// A unit of work has one owner, so that it is committed once.
#include <utility>

#include "write_aside/unit_of_work.hpp"

write_aside::UnitOfWork hand_over(write_aside::UnitOfWork& unit) {
#ifdef WRITE_ASIDE_MISTAKE
  return unit;
#else
  return std::move(unit);
#endif
}
