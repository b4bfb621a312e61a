#include "support/deterministic_runtime.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

namespace write_aside::support {

using namespace std::chrono_literals;

namespace {

constexpr TimePoint world_begin{std::chrono::hours(1000)};
constexpr std::uint64_t run_out_steps_max = 200'000;
// A dead process's clock does not run further ahead than this: sums of times must not overflow.
constexpr auto after_death_max = std::chrono::hours(24 * 365);

[[noreturn]] void abort_with(const char* what) {
  std::fprintf(stderr, "deterministic runtime: %s\n", what);
  std::abort();
}

}  // namespace

struct Task {
  Task(std::uint64_t task_number, SimulatedProcess& task_process, std::string task_name, std::function<void()> body)
      : number(task_number), process(task_process), name(std::move(task_name)), fiber(std::move(body)) {}

  std::uint64_t number;
  SimulatedProcess& process;
  std::string name;
  Fiber fiber;
  bool waiting = false;
  TimePoint deadline = TimePoint::max();
  const char* reason = "";
  std::vector<Task*> joining;
};

std::uint64_t Randomness::next() {
  std::uint64_t mixed = (state_ += 0x9e3779b97f4a7c15u);
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return mixed ^ (mixed >> 31);
}

// Locked by a fiber, or by the thread itself outside of run().
class SimulatedMutex final : public ports::Mutex {
 public:
  explicit SimulatedMutex(World& world) : world_(world) {}
  void lock() override {
    world_.maybe_give_way_at_lock();
    acquire();
  }
  void acquire() {
    while (locked_) {
      if (world_.current_ == nullptr) abort_with("a locked mutex was waited for outside of World::run");
      waiters_.push_back(world_.current_);
      world_.wait(TimePoint::max(), "a mutex");
      std::erase(waiters_, world_.current_);
    }
    locked_ = true;
  }
  void unlock() override {
    if (!locked_) abort_with("a mutex was unlocked that is not locked");
    locked_ = false;
    for (Task* waiter : waiters_) world_.wake(*waiter);
    waiters_.clear();
  }

 private:
  World& world_;
  bool locked_ = false;
  std::vector<Task*> waiters_;
};

class SimulatedCondition final : public ports::Condition {
 public:
  explicit SimulatedCondition(World& world) : world_(world) {}
  void wait_until(std::unique_lock<ports::Mutex>& lock, TimePoint deadline) override {
    Task* self = world_.current_;
    if (self == nullptr) abort_with("a condition was waited for outside of World::run");
    auto& mutex = static_cast<SimulatedMutex&>(*lock.mutex());
    mutex.unlock();
    if (self->process.killed() || deadline <= self->process.now()) {
      world_.give_way(deadline);
    } else {
      waiters_.push_back(self);
      world_.wait(deadline, "a condition");
      std::erase(waiters_, self);
    }
    mutex.acquire();
  }
  void notify_all() override {
    for (Task* waiter : waiters_) world_.wake(*waiter);
    waiters_.clear();
  }

 private:
  World& world_;
  std::vector<Task*> waiters_;
};

// Joined when destroyed.
class SimulatedThread final : public ports::Thread {
 public:
  SimulatedThread(World& world, std::shared_ptr<Task> task) : world_(world), task_(std::move(task)) {}
  SimulatedThread(const SimulatedThread&) = delete;
  SimulatedThread& operator=(const SimulatedThread&) = delete;
  ~SimulatedThread() override { world_.join(*task_); }

 private:
  World& world_;
  std::shared_ptr<Task> task_;
};

SimulatedProcess::SimulatedProcess(World& world, std::string name, std::uint64_t pid, std::uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      identity_{.host = "simulated", .boot = "boot", .pid = pid, .start_time = pid},
      randomness_(seed) {}

TimePoint SimulatedProcess::now() { return std::max(world_.now(), after_death_); }

std::chrono::system_clock::time_point SimulatedProcess::wall_clock() {
  constexpr std::chrono::system_clock::time_point wall_begin{std::chrono::hours(24 * 365 * 54)};
  const auto elapsed = now() - world_begin;
  return wall_begin + std::chrono::duration_cast<std::chrono::system_clock::duration>(elapsed);
}

std::unique_ptr<ports::Mutex> SimulatedProcess::mutex() { return std::make_unique<SimulatedMutex>(world_); }

std::unique_ptr<ports::Condition> SimulatedProcess::condition() { return std::make_unique<SimulatedCondition>(world_); }

std::unique_ptr<ports::Thread> SimulatedProcess::start_thread(std::string name, std::function<void()> body) {
  return std::make_unique<SimulatedThread>(world_, world_.start(*this, name_ + '/' + name, std::move(body)));
}

bool SimulatedProcess::is_dead(const ports::ProcessIdentity& identity) {
  if (identity.host != identity_.host) return false;
  for (const auto& process : world_.processes_) {
    if (process->identity_ == identity) return process->killed_;
  }
  return true;
}

void SimulatedProcess::pass_after_death(TimePoint deadline) {
  if (deadline < world_begin + after_death_max) after_death_ = std::max(after_death_, deadline);
}

World::World(WorldOptions options) : options_(options), randomness_(options.seed), now_(world_begin) {
  process("outside");
}

World::~World() {
  if (!tasks_.empty() && !abandoned_) run_out();
}

SimulatedProcess& World::process(const std::string& name) {
  for (const auto& process : processes_) {
    if (process->name() == name && !process->killed()) return *process;
  }
  const std::uint64_t pid = 100 + processes_.size();
  // Not from the scheduler's numbers: one process more must not change the order of everything else.
  const std::uint64_t seed = Randomness(options_.seed ^ (pid << 40)).next();
  return *processes_.emplace_back(std::make_unique<SimulatedProcess>(*this, name, pid, seed));
}

std::chrono::nanoseconds World::elapsed() const { return now_ - world_begin; }

std::string_view World::fiber() const { return current_ != nullptr ? current_->name : std::string_view(); }

std::string World::run(std::function<void()> main) {
  start(outside(), "main", std::move(main));
  std::string problem = drive([this] { return tasks_.empty(); });
  if (!problem.empty()) run_out();
  if (problem.empty()) problem = thrown_;
  if (!problem.empty()) problem = "seed " + std::to_string(options_.seed) + ": " + problem;
  return problem;
}

World::TaskPointer World::start(SimulatedProcess& process, std::string name, std::function<void()> body) {
  auto guarded = [this, name, body = std::move(body)] {
    try {
      body();
    } catch (const std::exception& error) {
      thrown_ = name + " ended with an exception: " + error.what();
    }
  };
  tasks_.push_back(std::make_shared<Task>(++tasks_started_, process, std::move(name), std::move(guarded)));
  make_ready(*tasks_.back());
  return tasks_.back();
}

void World::join(Task& task) {
  if (current_ == nullptr) {
    // Outside of run() a problem was reported by run() already, or belongs to whoever looks at the results.
    (void)drive([&task] { return task.fiber.has_ended(); });
    return;
  }
  while (!task.fiber.has_ended()) {
    task.joining.push_back(current_);
    wait(TimePoint::max(), "a thread's end");
    std::erase(task.joining, current_);
  }
}

void World::wait(TimePoint deadline, const char* reason) {
  Task& self = *current_;
  self.waiting = true;
  self.deadline = deadline;
  self.reason = reason;
  self.fiber.suspend();
}

void World::wake(Task& task) {
  if (!task.waiting) return;
  task.waiting = false;
  make_ready(task);
}

void World::make_ready(Task& task) { ready_.push_back(&task); }

void World::yield() {
  if (current_ != nullptr) give_way(TimePoint::min());
}

void World::give_way(TimePoint deadline) {
  Task& self = *current_;
  if (self.process.killed()) {
    self.process.pass_after_death(deadline);
    dying_.push_back(&self);
  } else {
    make_ready(self);
  }
  self.fiber.suspend();
}

void World::maybe_give_way_at_lock() {
  if (current_ == nullptr || options_.scheduling != Scheduling::random || current_->process.killed()) return;
  if (randomness_.below(100) < options_.lock_yield_percent) give_way(TimePoint::min());
}

void World::sleep(std::chrono::nanoseconds span) {
  if (current_ == nullptr) abort_with("a sleep outside of World::run");
  for (const TimePoint until = now_ + span; now_ < until;) {
    if (current_->process.killed()) return give_way(until);
    wait(until, "time to pass");
  }
}

void World::kill(SimulatedProcess& process) {
  if (process.killed_) return;
  process.killed_ = true;
  set_paused(process, false);
  for (const TaskPointer& task : tasks_) {
    if (&task->process != &process || !task->waiting) continue;
    process.pass_after_death(task->deadline);
    wake(*task);
  }
  for (const auto& action : std::exchange(process.on_kill_, {})) action();
}

void World::set_paused(SimulatedProcess& process, bool paused) {
  if (process.paused_ == paused) return;
  process.paused_ = paused;
  paused ? ++paused_count_ : --paused_count_;
}

void World::resume(SimulatedProcess& process) {
  set_paused(process, false);
  for (const TaskPointer& task : tasks_) {
    if (&task->process == &process && task->deadline <= now_) wake(*task);
  }
}

std::string World::drive(const std::function<bool()>& done) {
  if (current_ != nullptr) abort_with("World::run was called from within a fiber");
  if (abandoned_) return "abandoned";
  while (!done()) {
    if (steps_ >= options_.steps_max) {
      return "no end after " + std::to_string(steps_) + " steps; " + everyones_state();
    }
    if (now_ - world_begin > options_.time_max && !running_out_) {
      return "no end within the bound on simulated time; " + everyones_state();
    }
    if (Task* task = choose(); task != nullptr) {
      run_one(*task);
    } else if (!move_on()) {
      return "nothing can run any more; " + everyones_state();
    }
  }
  return {};
}

// The next fiber, taken from the ready ones; none if all that are ready are paused.
Task* World::choose() {
  const auto runs = [](const Task* task) { return !task->process.paused(); };
  const auto count =
      paused_count_ == 0 ? ready_.size() : static_cast<std::size_t>(std::count_if(ready_.begin(), ready_.end(), runs));
  if (count == 0) return nullptr;
  std::uint64_t skipped = options_.scheduling == Scheduling::random ? randomness_.below(count) : 0;
  const auto chosen = paused_count_ == 0 ? ready_.begin() + static_cast<std::ptrdiff_t>(skipped)
                                         : std::find_if(ready_.begin(), ready_.end(),
                                                        [&](const Task* task) { return runs(task) && skipped-- == 0; });
  Task* task = *chosen;
  ready_.erase(chosen);
  return task;
}

void World::run_one(Task& task) {
  ++steps_;
  fingerprint_ =
      (fingerprint_ ^ task.number ^ static_cast<std::uint64_t>(now_.time_since_epoch().count())) * 0x100000001b3u;
  current_ = &task;
  task.fiber.resume();
  current_ = nullptr;
  if (!task.fiber.has_ended()) return;
  for (Task* joining : task.joining) wake(*joining);
  std::erase_if(tasks_, [&task](const TaskPointer& other) { return other.get() == &task; });
}

// Nothing that lives can run. The dead get a turn each, and after that the clock moves.
bool World::move_on() {
  if (!dying_.empty() && !std::exchange(dying_had_their_turn_, true)) {
    for (Task* task : std::exchange(dying_, {})) make_ready(*task);
    return true;
  }
  dying_had_their_turn_ = false;
  const TimePoint earliest = earliest_deadline();
  if (earliest == TimePoint::max()) return !dying_.empty();
  now_ = std::max(now_, earliest);
  for (const TaskPointer& task : tasks_) {
    if (task->waiting && !task->process.paused() && task->deadline <= now_) wake(*task);
  }
  return true;
}

TimePoint World::earliest_deadline() const {
  TimePoint earliest = TimePoint::max();
  for (const TaskPointer& task : tasks_) {
    if (task->waiting && !task->process.paused()) earliest = std::min(earliest, task->deadline);
  }
  return earliest;
}

std::string World::everyones_state() const {
  constexpr std::size_t shown_max = 20;
  std::string text = "fibers:";
  for (std::size_t i = 0; i < std::min(tasks_.size(), shown_max); ++i) {
    const Task& task = *tasks_[i];
    text += ' ' + task.name + (task.waiting ? std::string(" waits for ") + task.reason : " can run");
    if (task.process.killed()) text += " (killed)";
    if (task.process.paused()) text += " (paused)";
    text += ';';
  }
  return text;
}

// Ends what is left by killing everybody, so that the stacks are unwound. What does not end even so is left behind.
void World::run_out() {
  running_out_ = true;
  options_.steps_max = steps_ + run_out_steps_max;
  for (const auto& process : processes_) kill(*process);
  abandoned_ = !drive([this] { return tasks_.empty(); }).empty();
}

}  // namespace write_aside::support
