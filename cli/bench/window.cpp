#include "bench/window.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <charconv>
#include <mutex>
#include <thread>

#include "interruption.hpp"

namespace write_aside::cli::bench {
namespace {

using Clock = std::chrono::steady_clock;

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Small and fast; all that matters is that workers seldom meet on an account.
class Accounts {
 public:
  explicit Accounts(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % Workload::accounts;
  }

 private:
  std::uint64_t state_;
};

class Run {
 public:
  Run(Contender& contender, const WindowSettings& settings) : contender_(contender), settings_(settings) {
    window_.committed.resize(settings.threads);
    window_.ids.resize(settings.threads);
  }

  Window run() {
    window_.begun = std::chrono::system_clock::now();
    begun_ = window_.steady_begun = Clock::now();
    end_ = begun_ + std::chrono::duration_cast<Clock::duration>(settings_.seconds);
    const double processor = processor_seconds();
    {
      std::vector<std::jthread> workers;
      for (std::uint32_t worker = 0; worker < settings_.threads; ++worker) {
        workers.emplace_back([this, worker] { work(worker); });
      }
    }
    window_.processor_seconds = processor_seconds() - processor;
    window_.seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
    return std::move(window_);
  }

 private:
  void work(std::uint32_t worker) {
    Accounts accounts(worker + 1);
    for (std::uint64_t count = 0; begin_next(); ++count) {
      Timing timing;
      const Outcome outcome =
          contender_.run_unit(accounts.next(), event_id(settings_.event_prefix, {worker, count}), timing);
      if (outcome.is_committed()) {
        window_.committed[worker].push_back(timing);
        window_.ids[worker].push_back(count);
      } else {
        note_failure(outcome);
      }
    }
  }

  // With a rate, units take turns at even distances, whichever thread is free; one that is late begins at once.
  bool begin_next() {
    auto due = Clock::now();
    if (settings_.rate) {
      const double at = static_cast<double>(turn_.fetch_add(1)) / *settings_.rate;
      due = begun_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(at));
    }
    if (due >= end_ || interruption::requested() || failed_.load()) return false;
    if (settings_.rate) std::this_thread::sleep_until(due);
    return true;
  }

  void note_failure(const Outcome& outcome) {
    const std::lock_guard guard(lock_);
    ++(outcome.state() == Outcome::State::in_doubt ? window_.in_doubt : window_.aborted);
    if (!window_.error) window_.error = outcome.error();
    // A store that is gone would be asked again at once, by every thread, until the end of the window.
    constexpr std::uint64_t failures_max = 10'000;
    if (window_.aborted + window_.in_doubt >= failures_max) failed_ = true;
  }

  Contender& contender_;
  const WindowSettings& settings_;
  Window window_;
  Clock::time_point begun_;
  Clock::time_point end_;
  std::atomic<std::uint64_t> turn_{0};
  std::atomic<bool> failed_{false};
  std::mutex lock_;
};

}  // namespace

std::uint64_t Window::commits() const {
  std::uint64_t sum = 0;
  for (const auto& timings : committed) sum += timings.size();
  return sum;
}

Window run_window(Contender& contender, const WindowSettings& settings) { return Run(contender, settings).run(); }

std::string event_id(const std::string& prefix, const UnitName& name) {
  return fmt::format("{}-{}-{}", prefix, name.worker, name.count);
}

std::optional<UnitName> parse_event_id(std::string_view id, std::string_view prefix) {
  if (!id.starts_with(prefix)) return std::nullopt;
  id.remove_prefix(prefix.size());
  UnitName name;
  const auto take = [&id](auto& number) {
    if (!id.starts_with('-')) return false;
    const auto [end, error] = std::from_chars(id.data() + 1, id.data() + id.size(), number);
    if (error != std::errc()) return false;
    id.remove_prefix(static_cast<std::size_t>(end - id.data()));
    return true;
  };
  if (!take(name.worker) || !take(name.count) || !id.empty()) return std::nullopt;
  return name;
}

}  // namespace write_aside::cli::bench
