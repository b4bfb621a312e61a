// How a decorator of faulty_ports.hpp makes one call: the same for every port.
#pragma once

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "support/faulty_ports.hpp"

namespace write_aside::support {

// The real object behind a decorated one. It is destroyed when the process dies; if another fiber or thread is inside
// one of its calls just then, when that call returns.
template <class Inner>
class Connection final : public Connected {
 public:
  Connection(FaultyProcess& process, std::unique_ptr<Inner> inner) : process_(process), inner_(std::move(inner)) {
    process_.connected(*this);
    if (process_.killed()) drop();
  }
  ~Connection() override { process_.disconnected(*this); }

  // None: the connection is lost.
  Inner* begin_use() {
    const std::lock_guard lock(mutex_);
    if (inner_ != nullptr) ++users_;
    return inner_.get();
  }
  void end_use() {
    std::unique_ptr<Inner> gone;
    const std::lock_guard lock(mutex_);
    if (--users_ == 0 && doomed_) gone = std::move(inner_);
    // `gone` is destroyed after the lock is given back.
  }
  void lose() { drop(); }
  void drop() override {
    std::shared_ptr<Inner> lingering;
    const bool lingers = process_.world() != nullptr && process_.linger().count() > 0;
    let_go(lingers ? &lingering : nullptr);
    if (lingering != nullptr) process_.later(process_.linger(), [lingering]() mutable { lingering.reset(); });
  }
  // Takes the object away, for a request that is under way on its own.
  std::shared_ptr<Inner> detach() {
    const std::lock_guard lock(mutex_);
    return std::shared_ptr<Inner>(std::move(inner_));
  }

 private:
  void let_go(std::shared_ptr<Inner>* to) {
    std::unique_ptr<Inner> gone;
    const std::lock_guard lock(mutex_);
    doomed_ = true;
    if (users_ > 0) return;
    if (to != nullptr) {
      *to = std::move(inner_);
    } else {
      gone = std::move(inner_);
    }
  }

  FaultyProcess& process_;
  std::mutex mutex_;
  std::unique_ptr<Inner> inner_;
  int users_ = 0;
  bool doomed_ = false;
};

template <class Inner>
class Use {
 public:
  explicit Use(Connection<Inner>& connection) : connection_(connection), inner_(connection.begin_use()) {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    if (inner_ != nullptr) connection_.end_use();
  }
  [[nodiscard]] Inner* get() const { return inner_; }

 private:
  Connection<Inner>& connection_;
  Inner* inner_;
};

// What a call answers that failed, without effect, or whose reply was lost.
template <class Reply>
struct Answer {
  static Reply failed(Error error) { return failure(std::move(error)); }
  static Reply lost(Error error) { return failure(std::move(error)); }
};
template <>
struct Answer<ports::CommitReply> {
  static ports::CommitReply failed(Error error) { return {ports::CommitReply::State::aborted, std::move(error)}; }
  static ports::CommitReply lost(Error error) {
    error.effect = Effect::unknown;
    return {ports::CommitReply::State::in_doubt, std::move(error)};
  }
};
template <>
struct Answer<ports::EndReport> {
  static ports::EndReport failed(Error error) { return {false, std::move(error)}; }
  static ports::EndReport lost(Error error) { return {false, std::move(error)}; }
};

[[nodiscard]] Error lost_connection(std::string_view step);
[[nodiscard]] Error lost_reply(std::string_view step, Effect effect);

// Makes one call. `make` does it and gives its reply; `lose` is told that the reply was lost, and says with which
// effect; `under_way` takes a request that lands later, if this call has such.
template <class Make, class Lose, class UnderWay>
auto make_call(FaultyProcess& process, std::string_view name, Make make, Lose lose, UnderWay under_way)
    -> decltype(make()) {
  using Reply = decltype(make());
  using Kind = Fault::Kind;
  process.yield();
  if (process.killed()) return Answer<Reply>::lost(process.death());
  const std::optional<Fault> fault = process.next_step(name);
  const auto is = [&fault](Kind kind) { return fault && fault->kind == kind; };
  if (is(Kind::crash_before)) {
    process.kill();
    return Answer<Reply>::lost(process.death());
  }
  if (is(Kind::fail)) return Answer<Reply>::failed(fault->error);
  if (is(Kind::delay)) process.sleep(fault->delay);
  if (process.killed()) return Answer<Reply>::lost(process.death());
  const bool lands_late = (is(Kind::crash_after) || is(Kind::lose_reply)) && fault->delay.count() > 0 &&
                          process.world() != nullptr && under_way(fault->delay);
  if (!lands_late) {
    Reply reply = make();
    if (is(Kind::late_reply)) process.sleep(fault->delay);
    if (!fault || is(Kind::delay) || is(Kind::late_reply)) {
      process.yield();
      if (process.killed()) return Answer<Reply>::lost(process.death());
      return reply;
    }
  }
  if (is(Kind::crash_after)) {
    process.kill();
    return Answer<Reply>::lost(process.death());
  }
  return Answer<Reply>::lost(lost_reply(name, lose()));
}

// A call to the object behind a connection. With `Lost::connection` a lost reply takes the connection with it.
enum class Lost { reply_only, connection };

template <class Inner, class Make>
auto make_call(FaultyProcess& process, std::string_view name, Connection<Inner>& connection, Lost lost, Effect effect,
               Make make) -> decltype(make(std::declval<Inner&>())) {
  using Reply = decltype(make(std::declval<Inner&>()));
  return make_call(
      process, name,
      [&]() -> Reply {
        const Use<Inner> use(connection);
        if (use.get() == nullptr) return Answer<Reply>::lost(lost_connection(name));
        return make(*use.get());
      },
      [&] {
        if (lost == Lost::connection) connection.lose();
        return effect;
      },
      [](std::chrono::nanoseconds) { return false; });
}

// The same for a request that may land late: `land` makes it then, on the object taken from its connection.
template <class Inner, class Make, class Land>
auto make_call_that_may_land_late(FaultyProcess& process, std::string_view name, Connection<Inner>& connection,
                                  Lost lost, Make make, Land land) -> decltype(make(std::declval<Inner&>())) {
  using Reply = decltype(make(std::declval<Inner&>()));
  return make_call(
      process, name,
      [&]() -> Reply {
        const Use<Inner> use(connection);
        if (use.get() == nullptr) return Answer<Reply>::lost(lost_connection(name));
        return make(*use.get());
      },
      [&] {
        if (lost == Lost::connection) connection.lose();
        return Effect::unknown;
      },
      [&](std::chrono::nanoseconds delay) {
        std::shared_ptr<Inner> inner = connection.detach();
        if (inner == nullptr) return false;
        process.later(delay, [inner, land]() mutable {
          land(*inner);
          inner.reset();
        });
        return true;
      });
}

// Repeats an attempt that found the store locked, in simulated time, until the deadline.
template <class Attempt>
auto wait_while_busy(FaultyProcess& process, ports::Deadline deadline, Attempt attempt) -> decltype(attempt()) {
  constexpr auto pause = std::chrono::milliseconds(1);
  for (;;) {
    auto result = attempt();
    if (result || process.world() == nullptr || result.error().code != ErrorCode::busy) return result;
    if (process.killed() || process.world()->now() >= deadline) return result;
    process.sleep(pause);
  }
}

}  // namespace write_aside::support
