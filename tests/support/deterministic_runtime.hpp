// A world for tests: simulated processes whose threads are fibers of one thread, run one at a time in an order that a
// seed decides, with a clock that stands still while any of them can run. The same seed gives the same run.
//
//   World world(seed);
//   EXPECT_EQ(world.run([&] {
//     SimulatedProcess& worker = world.process("worker");     // a ports::Runtime
//     auto thread = worker.start_thread("main", [&] { ... }); // a fiber; joined when the handle is destroyed
//   }), "");
//
// run() returns when every fiber has ended, with the empty text, or says what went wrong and under which seed: nothing
// can run any more (a deadlock), or a bound on steps or simulated time was reached.
//
// Where a fiber may give way to others: World::yield, every wait on a Condition, a contended lock, joining a thread;
// with random scheduling also some locks that are free. Between those, code runs undisturbed.
//
// Death: from kill() on, the process's waits return at once, its own clock running ahead to their deadlines, so that
// its code runs out through its error paths while the world hardly moves: a dead fiber gets one turn each time the
// world's clock is about to move. What keeps it from having effects are the decorators of faulty_ports.hpp.
//
// Everything belongs to the thread that made the World. Mutexes and conditions must not outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/fiber.hpp"
#include "write_aside/ports/runtime.hpp"

namespace write_aside::support {

using TimePoint = std::chrono::steady_clock::time_point;

enum class Scheduling { random, first_come };

struct WorldOptions {
  std::uint64_t seed = 1;
  Scheduling scheduling = Scheduling::random;
  std::uint64_t steps_max = 2'000'000;                        // switches to a fiber
  std::chrono::nanoseconds time_max = std::chrono::hours(2);  // of the simulated clock
  unsigned lock_yield_percent = 10;  // how many free locks give way first; none with first_come
};

// Numbers from a seed (splitmix64).
class Randomness {
 public:
  explicit Randomness(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // From 0 to `count` - 1.
  std::uint64_t below(std::uint64_t count) { return next() % count; }

 private:
  std::uint64_t state_;
};

class World;
class SimulatedCondition;
struct Task;  // a fiber and what it waits for

class SimulatedProcess final : public ports::Runtime {
 public:
  SimulatedProcess(World& world, std::string name, std::uint64_t pid, std::uint64_t seed);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool killed() const { return killed_; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] World& world() { return world_; }
  // Called once, when the process is killed, in the order of registration.
  void on_kill(std::function<void()> action) { on_kill_.push_back(std::move(action)); }

  TimePoint now() override;
  std::chrono::system_clock::time_point wall_clock() override;
  std::uint64_t random() override { return randomness_.next(); }
  std::unique_ptr<ports::Mutex> mutex() override;
  std::unique_ptr<ports::Condition> condition() override;
  std::unique_ptr<ports::Thread> start_thread(std::string name, std::function<void()> body) override;
  ports::ProcessIdentity process() override { return identity_; }
  bool is_dead(const ports::ProcessIdentity& identity) override;

 private:
  friend class World;

  World& world_;
  std::string name_;
  ports::ProcessIdentity identity_;
  Randomness randomness_;
  void pass_after_death(TimePoint deadline);

  bool killed_ = false;
  bool paused_ = false;
  TimePoint after_death_{};  // a dead process's own clock, where it is ahead of the world's
  std::vector<std::function<void()>> on_kill_;
};

class World {
 public:
  explicit World(std::uint64_t seed) : World(WorldOptions{.seed = seed}) {}
  explicit World(WorldOptions options);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // The living process of that name. A new one, with an identity of its own, if there is none or it was killed.
  SimulatedProcess& process(const std::string& name);
  // The process of run()'s `main` and of everything that belongs to the world itself. It is not to be killed.
  SimulatedProcess& outside() { return *processes_.front(); }

  [[nodiscard]] std::string run(std::function<void()> main);

  // Lets others run. Does nothing outside of run().
  void yield();
  // Lets simulated time pass for the calling fiber.
  void sleep(std::chrono::nanoseconds span);
  // No effect on a process that is dead already. The caller may be one of its fibers, and goes on.
  void kill(SimulatedProcess& process);
  // Its fibers do not run, and time passes without them.
  void pause(SimulatedProcess& process) { set_paused(process, true); }
  void resume(SimulatedProcess& process);

  [[nodiscard]] TimePoint now() const { return now_; }
  // For traces: the simulated time so far, and the name of the fiber that runs.
  [[nodiscard]] std::chrono::nanoseconds elapsed() const;
  [[nodiscard]] std::string_view fiber() const;
  [[nodiscard]] std::uint64_t seed() const { return options_.seed; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // Of the order in which everything ran, and when.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }
  [[nodiscard]] Randomness& randomness() { return randomness_; }

 private:
  friend class SimulatedProcess;
  friend class SimulatedMutex;
  friend class SimulatedCondition;
  friend class SimulatedThread;
  using TaskPointer = std::shared_ptr<Task>;

  TaskPointer start(SimulatedProcess& process, std::string name, std::function<void()> body);
  void join(Task& task);
  // Gives the thread back to the scheduler until somebody wakes the calling fiber or `deadline` passes.
  void wait(TimePoint deadline, const char* reason);
  void wake(Task& task);
  // The calling fiber runs again after the others; for a dead one the time until `deadline` is over then.
  void give_way(TimePoint deadline);
  void maybe_give_way_at_lock();

  std::string drive(const std::function<bool()>& done);
  Task* choose();
  void run_one(Task& task);
  bool move_on();
  TimePoint earliest_deadline() const;
  void make_ready(Task& task);
  void set_paused(SimulatedProcess& process, bool paused);
  [[nodiscard]] std::string everyones_state() const;
  void run_out();

  WorldOptions options_;
  Randomness randomness_;
  TimePoint now_;
  std::uint64_t steps_ = 0;
  std::uint64_t fingerprint_ = 0xcbf29ce484222325u;
  std::uint64_t tasks_started_ = 0;
  std::vector<std::unique_ptr<SimulatedProcess>> processes_;
  std::vector<TaskPointer> tasks_;  // that have not ended
  std::vector<Task*> ready_;
  std::vector<Task*> dying_;
  std::size_t paused_count_ = 0;  // of processes
  bool dying_had_their_turn_ = false;
  Task* current_ = nullptr;
  std::string thrown_;
  bool running_out_ = false;
  bool abandoned_ = false;
};

}  // namespace write_aside::support
