// A fiber: a body with a stack of its own, which runs on its creator's thread whenever it is resumed, until it
// suspends itself or ends. The sanitizers are told of every switch.
//
// On x86-64 a switch exchanges the registers that a call has to keep and nothing else. Elsewhere it is swapcontext,
// which also asks the kernel for the signal mask, twice: half of the time of a simulation.
//
// One thread only: a fiber is resumed by the thread that made it. A fiber that is destroyed before its body ended
// leaves what its stack held behind.
#pragma once

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#include <array>
#include <cstddef>
#include <functional>
#include <memory>

namespace write_aside::support {

class FiberStack {
 public:
  FiberStack();
  FiberStack(const FiberStack&) = delete;
  FiberStack& operator=(const FiberStack&) = delete;
  ~FiberStack();
  [[nodiscard]] void* bottom() const;
  [[nodiscard]] std::size_t size() const;

 private:
  void* mapping_ = nullptr;
};

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Runs the body until it suspends or ends. Not from within a fiber.
  void resume();
  // From within the body: back to the caller of resume().
  void suspend();
  [[nodiscard]] bool has_ended() const { return ended_; }

 private:
  // What the C++ runtime keeps per thread about exceptions in flight; each fiber has its own.
  using ExceptionState = std::array<std::byte, 16>;

#if defined(__x86_64__)
  using Context = void*;  // the top of its stack, where its registers are
  static void enter(Fiber* fiber);
#else
  using Context = ucontext_t;
  static void enter(unsigned int high, unsigned int low);
#endif
  static void switch_context(Context& from, Context& to);
  void make_context();
  void run();
  void switch_to_resumer(bool for_ever);

  std::function<void()> body_;
  std::unique_ptr<FiberStack> stack_;
  Context own_{};
  Context resumer_{};
  ExceptionState exceptions_{};
  bool ended_ = false;
  // For the sanitizers.
  [[maybe_unused]] void* own_shadow_ = nullptr;
  [[maybe_unused]] void* resumer_shadow_ = nullptr;
  [[maybe_unused]] const void* resumer_bottom_ = nullptr;
  [[maybe_unused]] std::size_t resumer_size_ = 0;
};

}  // namespace write_aside::support
