#include "support/faulty_ports.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "support/faulty_call.hpp"

namespace write_aside::support {

std::string_view to_string(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::crash_before:
      return "crash before";
    case Fault::Kind::crash_after:
      return "crash after";
    case Fault::Kind::fail:
      return "error";
    case Fault::Kind::lose_reply:
      return "reply lost";
    case Fault::Kind::delay:
      return "delay";
    case Fault::Kind::late_reply:
      return "late reply";
  }
  return "?";
}

FaultyProcess::FaultyProcess(SimulatedProcess& process) : name_(process.name()), process_(&process) {
  process.on_kill([this, exists = std::weak_ptr<bool>(exists_)] {
    if (!exists.expired()) drop_connections();
  });
}

FaultyProcess::FaultyProcess(std::string name) : name_(std::move(name)) {}

FaultyProcess::~FaultyProcess() = default;

void FaultyProcess::plan(std::size_t step, Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_.insert_or_assign(step, std::move(fault));
}

void FaultyProcess::plan_next(std::string name, Fault fault, std::size_t passed) {
  const std::lock_guard lock(mutex_);
  named_faults_.push_back({std::move(name), std::move(fault), passed});
}

std::size_t FaultyProcess::planned() const {
  const std::lock_guard lock(mutex_);
  return faults_.size() + named_faults_.size();
}

std::vector<std::string> FaultyProcess::steps() const {
  const std::lock_guard lock(mutex_);
  return {steps_.begin(), steps_.end()};
}

void FaultyProcess::kill() {
  if (process_ != nullptr) return process_->world().kill(*process_);
  if (death_) death_();
  drop_connections();
}

bool FaultyProcess::killed() const {
  if (process_ != nullptr) return process_->killed();
  const std::lock_guard lock(mutex_);
  return killed_;
}

void FaultyProcess::drop_connections() {
  std::unique_lock lock(mutex_);
  killed_ = true;
  // One at a time without the lock: what goes may give way to other fibers, and those may disconnect.
  while (!connections_.empty()) {
    Connected* connection = connections_.back();
    connections_.pop_back();
    lock.unlock();
    connection->drop();
    lock.lock();
  }
}

void FaultyProcess::yield() const {
  if (process_ != nullptr) process_->world().yield();
}

void FaultyProcess::sleep(std::chrono::nanoseconds span) const {
  if (process_ != nullptr) return process_->world().sleep(span);
  std::this_thread::sleep_for(span);
}

std::optional<Fault> FaultyProcess::next_step(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const std::size_t step = steps_.size();
  steps_.push_back(name);
  std::optional<Fault> fault;
  if (const auto planned = faults_.find(step); planned != faults_.end()) {
    fault = std::move(planned->second);
    faults_.erase(planned);
  }
  for (auto named = named_faults_.begin(); named != named_faults_.end(); ++named) {
    if (named->name != name || named->passed-- > 0) continue;
    if (!fault) fault = std::move(named->fault);
    named_faults_.erase(named);
    break;
  }
  if (watcher_) watcher_(name, fault);
  return fault;
}

void FaultyProcess::later(std::chrono::nanoseconds delay, std::function<void()> action) {
  World& world = process_->world();
  under_way_.push_back(
      world.outside().start_thread("under way for " + name_, [&world, delay, action = std::move(action)] {
        world.sleep(delay);
        action();
      }));
}

void FaultyProcess::connected(Connected& connection) {
  const std::lock_guard lock(mutex_);
  connections_.push_back(&connection);
}

void FaultyProcess::disconnected(Connected& connection) {
  const std::lock_guard lock(mutex_);
  std::erase(connections_, &connection);
}

Error FaultyProcess::death() const {
  return {.code = ErrorCode::unreachable,
          .side = Side::coordinator,
          .effect = Effect::unknown,
          .message = "process " + name_ + " is dead"};
}

Error lost_connection(std::string_view step) {
  return {.code = ErrorCode::unreachable,
          .side = Side::coordinator,
          .effect = Effect::no,
          .retriable = true,
          .message = std::string(step) + ": the connection is lost"};
}

Error lost_reply(std::string_view step, Effect effect) {
  return {.code = ErrorCode::timeout,
          .side = Side::coordinator,
          .effect = effect,
          .message = std::string(step) + ": the reply was lost"};
}

}  // namespace write_aside::support
