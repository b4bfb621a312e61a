// expect: ignoring
// An outcome that nobody looks at is a unit that nobody knows the fate of.
#include "write_aside/coordinator.hpp"

void pay(write_aside::Coordinator& coordinator) {
  const auto work = [](write_aside::UnitOfWork&) -> write_aside::Result<void> { return {}; };
#ifdef WRITE_ASIDE_MISTAKE
  coordinator.run(work);
#else
  const write_aside::Outcome outcome = coordinator.run(work);
  (void)outcome.is_committed();
#endif
}
