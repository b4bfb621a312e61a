#include "support/fiber.hpp"

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define WRITE_ASIDE_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define WRITE_ASIDE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WRITE_ASIDE_ASAN 1
#elif __has_feature(thread_sanitizer)
#define WRITE_ASIDE_TSAN 1
#endif
#endif

#if defined(WRITE_ASIDE_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(WRITE_ASIDE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace write_aside::support {
namespace {

constexpr std::size_t guard_bytes = std::size_t{16} << 10;
constexpr std::size_t stack_bytes = std::size_t{1} << 20;  // mapped, not touched: pages come as they are used
constexpr std::size_t idle_stacks_max = 256;

// Stacks that ended fibers left. A simulation makes thousands of fibers, and a fresh stack costs its page faults.
class IdleStacks {
 public:
  IdleStacks() = default;
  IdleStacks(const IdleStacks&) = delete;
  IdleStacks& operator=(const IdleStacks&) = delete;
  ~IdleStacks() {
    for (void* mapping : mappings_) ::munmap(mapping, guard_bytes + stack_bytes);
  }
  void* take() {
    if (!mappings_.empty()) {
      void* mapping = mappings_.back();
      mappings_.pop_back();
      return mapping;
    }
    void* mapping = ::mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    ::mprotect(mapping, guard_bytes, PROT_NONE);
    return mapping;
  }
  void give_back(void* mapping) {
    if (mappings_.size() < idle_stacks_max) {
      mappings_.push_back(mapping);
    } else {
      ::munmap(mapping, guard_bytes + stack_bytes);
    }
  }

 private:
  std::vector<void*> mappings_;
};

IdleStacks& idle_stacks() {
  thread_local IdleStacks stacks;
  return stacks;
}

template <class State>
void exchange_exceptions(State& mine) {
  State theirs;
  void* globals = abi::__cxa_get_globals();
  std::memcpy(theirs.data(), globals, theirs.size());
  std::memcpy(globals, mine.data(), mine.size());
  mine = theirs;
}

}  // namespace

FiberStack::FiberStack() : mapping_(idle_stacks().take()) {}

FiberStack::~FiberStack() {
#if defined(WRITE_ASIDE_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(bottom(), size());
#endif
  idle_stacks().give_back(mapping_);
}

void* FiberStack::bottom() const { return static_cast<std::byte*>(mapping_) + guard_bytes; }
std::size_t FiberStack::size() const { return stack_bytes; }

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(std::make_unique<FiberStack>()) {
  make_context();
#if defined(WRITE_ASIDE_TSAN)
  own_shadow_ = __tsan_create_fiber(0);
#endif
}

#if defined(WRITE_ASIDE_TSAN)
Fiber::~Fiber() { __tsan_destroy_fiber(own_shadow_); }
#else
Fiber::~Fiber() = default;
#endif

#if defined(__x86_64__)

// write_aside_switch_stack(from, to) keeps its caller's registers on its stack, notes the top of that in *from, and goes
// on where `to` was left. A new fiber is left at write_aside_fiber_begin.
extern "C" void write_aside_switch_stack(void** from, void* to);
extern "C" void write_aside_fiber_begin();
asm(R"(
.text
.p2align 4
.type write_aside_switch_stack,@function
write_aside_switch_stack:
  .cfi_startproc
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  retq
  .cfi_endproc
.size write_aside_switch_stack,.-write_aside_switch_stack
.p2align 4
.type write_aside_fiber_begin,@function
write_aside_fiber_begin:
  .cfi_startproc
  .cfi_undefined rip
  movq %r12, %rdi
  callq *%r13
  ud2
  .cfi_endproc
.size write_aside_fiber_begin,.-write_aside_fiber_begin
)");

void Fiber::enter(Fiber* fiber) { fiber->run(); }

void Fiber::switch_context(Context& from, Context& to) { write_aside_switch_stack(&from, to); }

void Fiber::make_context() {
  const auto word = [](auto pointer) { return reinterpret_cast<std::uintptr_t>(pointer); };
  // In the order in which they are taken off; the last two give the stack the alignment that a call expects.
  const std::array<std::uintptr_t, 9> frame{0, 0, word(&Fiber::enter), word(this), 0, 0, word(&write_aside_fiber_begin),
                                            0, 0};
  std::byte* top = static_cast<std::byte*>(stack_->bottom()) + stack_->size() - sizeof(frame);
  std::memcpy(top, frame.data(), sizeof(frame));
  own_ = top;
}

#else

void Fiber::enter(unsigned int high, unsigned int low) {
  const std::uintptr_t address = (std::uintptr_t{high} << 32) | low;
  reinterpret_cast<Fiber*>(address)->run();
}

void Fiber::switch_context(Context& from, Context& to) { ::swapcontext(&from, &to); }

void Fiber::make_context() {
  ::getcontext(&own_);
  own_.uc_stack.ss_sp = stack_->bottom();
  own_.uc_stack.ss_size = stack_->size();
  own_.uc_link = nullptr;
  // makecontext passes ints; a pointer takes two of them.
  const auto address = reinterpret_cast<std::uintptr_t>(this);
  ::makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned int>(address >> 32),
                static_cast<unsigned int>(address));
}

#endif

void Fiber::run() {
#if defined(WRITE_ASIDE_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &resumer_bottom_, &resumer_size_);
#endif
  body_();
  body_ = nullptr;
  ended_ = true;
  switch_to_resumer(true);
}

void Fiber::resume() {
  exchange_exceptions(exceptions_);
#if defined(WRITE_ASIDE_ASAN)
  __sanitizer_start_switch_fiber(&resumer_shadow_, stack_->bottom(), stack_->size());
#elif defined(WRITE_ASIDE_TSAN)
  resumer_shadow_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(own_shadow_, 0);
#endif
  switch_context(resumer_, own_);
#if defined(WRITE_ASIDE_ASAN)
  __sanitizer_finish_switch_fiber(resumer_shadow_, nullptr, nullptr);
#endif
  exchange_exceptions(exceptions_);
}

void Fiber::suspend() { switch_to_resumer(false); }

void Fiber::switch_to_resumer([[maybe_unused]] bool for_ever) {
#if defined(WRITE_ASIDE_ASAN)
  // Without a place to save it, the sanitizer frees what it knows of this stack.
  __sanitizer_start_switch_fiber(for_ever ? nullptr : &own_shadow_, resumer_bottom_, resumer_size_);
#elif defined(WRITE_ASIDE_TSAN)
  __tsan_switch_to_fiber(resumer_shadow_, 0);
#endif
  switch_context(own_, resumer_);
#if defined(WRITE_ASIDE_ASAN)
  __sanitizer_finish_switch_fiber(own_shadow_, &resumer_bottom_, &resumer_size_);
#endif
}

}  // namespace write_aside::support
