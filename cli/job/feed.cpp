#include "job/feed.hpp"

#include <fmt/format.h>

#include <utility>

namespace write_aside::cli {
namespace {

// Enough that the reader stays ahead while a batch is being committed.
constexpr std::size_t chunk_count = 8;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

Feed::Feed(RecordReader reader, std::unique_ptr<Translator> translator)
    : reader_(std::move(reader)), translator_(std::move(translator)) {
  for (std::size_t i = 0; i < chunk_count; ++i) free_.push_back(std::make_unique<Chunk>());
  thread_ = std::thread([this] { run(); });
}

Feed::~Feed() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::unique_ptr<Chunk> Feed::wait_for_chunk() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return abandoned_ || !free_.empty(); });
  if (abandoned_) return nullptr;
  auto chunk = std::move(free_.front());
  free_.pop_front();
  return chunk;
}

void Feed::run() {
  for (;;) {
    std::unique_ptr<Chunk> chunk = wait_for_chunk();
    if (!chunk) return;
    chunk->units.clear();
    chunk->arena.clear();
    const auto filled = reader_.fill(chunk->block);
    translate(*chunk);
    const bool last = !filled || chunk->block.records.empty();
    {
      const std::lock_guard lock(mutex_);
      if (!filled) error_ = filled.error();
      if (chunk->units.empty()) {
        free_.push_back(std::move(chunk));
      } else {
        full_.push_back(std::move(chunk));
      }
      ended_ = last;
    }
    changed_.notify_all();
    if (last) return;
  }
}

void Feed::translate(Chunk& chunk) {
  chunk.units.reserve(chunk.block.records.size() + 1);
  for (const RawRecord& record : chunk.block.records) {
    if (blank_) {
      PlannedUnit& blank = chunk.units.emplace_back();
      blank.line = blank_->line;
      blank.after = blank_->after;
      blank.refusal = Refusal{0, "empty line between units; remove it"};
      blank_.reset();
    }
    if (!record.too_long && is_blank(record.text)) {
      blank_ = record;
      blank_->text = {};
      continue;
    }
    PlannedUnit& unit = chunk.units.emplace_back();
    unit.line = record.line;
    unit.text = record.text;
    unit.after = record.after;
    if (record.too_long) {
      unit.refusal =
          Refusal{0, "the record is too long; raise --line-bytes-max, or look for a missing line end or quote"};
    } else {
      translator_->translate(record.text, chunk.arena, unit);
    }
  }
}

PlannedUnit* Feed::next(std::chrono::milliseconds patience) {
  if (held_.empty() || next_unit_ == held_.back()->units.size()) {
    std::unique_lock lock(mutex_);
    // The reader needs one chunk to go on with.
    if (full_.empty() && held_.size() + 1 >= chunk_count) return nullptr;
    changed_.wait_for(lock, patience, [this] { return ended_ || !full_.empty(); });
    if (full_.empty()) return nullptr;
    held_.push_back(std::move(full_.front()));
    full_.pop_front();
    next_unit_ = 0;
  }
  return &held_.back()->units[next_unit_++];
}

void Feed::release() {
  const std::lock_guard lock(mutex_);
  while (!held_.empty()) {
    // The last one may still have units to hand out.
    if (held_.size() == 1 && next_unit_ < held_.front()->units.size()) break;
    free_.push_back(std::move(held_.front()));
    held_.pop_front();
  }
  changed_.notify_all();
}

bool Feed::ended() {
  const std::lock_guard lock(mutex_);
  const bool handed_out = held_.empty() || next_unit_ == held_.back()->units.size();
  return ended_ && full_.empty() && handed_out;
}

std::optional<Error> Feed::error() {
  const std::lock_guard lock(mutex_);
  return error_;
}

}  // namespace write_aside::cli
