#include "job/progress_display.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t bar_width = 24;

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::max(seconds, 0.0));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1 << 20) return fmt::format("{:.0f} KiB", static_cast<double>(bytes) / 1024);
  if (bytes < 1 << 30) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30));
}

}  // namespace

ProgressDisplay::ProgressDisplay(bool quiet, std::optional<std::uint64_t> input_bytes, std::uint64_t offset)
    : quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) != 0),
      input_bytes_(input_bytes),
      first_offset_(offset),
      begin_(Clock::now()),
      next_(begin_ + (terminal_ ? 200ms : 5s)) {}

std::string ProgressDisplay::line(const Tally& tally, std::uint64_t offset, double seconds) const {
  const std::uint64_t done = tally.committed + tally.aborted;
  const std::string units = fmt::format("{} units, {:.0f}/s", grouped(done), static_cast<double>(done) / seconds);
  if (!input_bytes_ || *input_bytes_ == 0) return fmt::format("{}, {}", units, size_text(offset));
  const double part = std::min(1.0, static_cast<double>(offset) / static_cast<double>(*input_bytes_));
  const auto moved = static_cast<double>(offset - std::min(offset, first_offset_));
  const double left =
      moved > 0 ? static_cast<double>(*input_bytes_ - std::min(offset, *input_bytes_)) * seconds / moved : 0;
  std::string rest = fmt::format("{:3.0f} %  {}, {} left", part * 100, units, duration_text(left));
  if (!terminal_) return rest;
  const auto full = static_cast<std::size_t>(part * bar_width);
  return fmt::format("[{}{}] {}", std::string(full, '#'), std::string(bar_width - full, '.'), rest);
}

void ProgressDisplay::update(const Tally& tally, std::uint64_t offset) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? 200ms : 5s);
  const std::string text = line(tally, offset, std::chrono::duration<double>(now - begin_).count());
  if (terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", text);
    shown_ = true;
  } else {
    fmt::print(stderr, "{}\n", text);
  }
  std::fflush(stderr);
}

void ProgressDisplay::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace write_aside::cli
