#include "job/feed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "interruption.hpp"

namespace write_aside::cli {
namespace {

// Enough that the reader stays ahead while batches are being committed, and that many workers find units of their own.
constexpr std::size_t chunk_count_min = 8;
constexpr std::size_t chunk_count_max = 24;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

void Chunk::clear() {
  units.clear();
  for (auto& share : shares) share.clear();
  arena.clear();
}

Feed::Feed(RecordReader reader, std::unique_ptr<Translator> translator, Dealer dealer)
    : reader_(std::move(reader)), translator_(std::move(translator)), dealer_(std::move(dealer)) {
  const std::size_t workers = dealer_.workers();
  for (std::size_t i = 0; i < workers; ++i) shares_.push_back(std::make_unique<Share>());
  const std::size_t chunk_count = std::min(chunk_count_min + workers - 1, chunk_count_max);
  for (std::size_t i = 0; i < chunk_count; ++i) {
    chunks_.push_back(std::make_unique<Chunk>());
    chunks_.back()->shares.resize(workers);
    free_.push_back(chunks_.back().get());
  }
  thread_ = std::thread([this] { run(); });
}

Feed::~Feed() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  freed_.notify_all();
  thread_.join();
}

Chunk* Feed::wait_for_chunk() {
  std::unique_lock lock(mutex_);
  if (free_.empty()) {
    reader_waits_ = true;
    open_ = true;
    wake_workers();
  }
  freed_.wait(lock, [this] { return abandoned_ || !free_.empty(); });
  reader_waits_ = false;
  if (abandoned_) return nullptr;
  Chunk* chunk = free_.front();
  free_.pop_front();
  return chunk;
}

void Feed::run() {
  for (bool last = false; !last;) {
    Chunk* chunk = wait_for_chunk();
    if (chunk == nullptr) return;
    chunk->clear();
    const auto filled = reader_.fill(chunk->block);
    translate(*chunk);
    deal(*chunk);
    last = !filled || chunk->block.records.empty();
    std::optional<Error> error = filled ? trouble(last) : filled.error();
    last = last || error;
    hand_over(*chunk, last, std::move(error));
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

void Feed::deal(Chunk& chunk) {
  for (PlannedUnit& unit : chunk.units) {
    if (const auto worker = dealer_.deal(unit)) chunk.shares[*worker].push_back(&unit);
  }
}

std::optional<Error> Feed::trouble(bool last) const {
  const std::string& name = reader_.input().name();
  if (const auto line = dealer_.changed_line()) return changed_input(name, *line, "the input has changed");
  // A signal ends the input anywhere.
  if (!last || dealer_.has_caught_up() || interruption::requested()) return std::nullopt;
  return changed_input(name, dealer_.furthest_line(), "the input has become shorter");
}

void Feed::hand_over(Chunk& chunk, bool last, std::optional<Error> error) {
  const std::lock_guard lock(mutex_);
  if (!chunk.units.empty()) end_ = End{chunk.units.back().number, chunk.units.back().after};
  const bool changed = error && dealer_.changed_line();
  for (std::size_t worker = 0; worker < shares_.size(); ++worker) {
    if (changed) shares_[worker]->full.clear();
    if (changed || chunk.shares[worker].empty()) continue;
    shares_[worker]->full.push_back(&chunk);
    ++chunk.holders;
    shares_[worker]->changed.notify_all();
  }
  if (chunk.holders == 0) free_.push_back(&chunk);
  if (error) error_ = std::move(error);
  ended_ = last;
  if (open_ && !last) return;
  open_ = last || dealer_.has_caught_up();
  wake_workers();
}

void Feed::wake_workers() {
  for (const auto& share : shares_) share->changed.notify_all();
}

bool Feed::has_unit_in_hand(const Share& share, std::uint32_t worker) const {
  return !share.held.empty() && share.next_unit < share.held.back()->shares[worker].size();
}

PlannedUnit* Feed::next(std::uint32_t worker, std::chrono::milliseconds patience) {
  Share& share = *shares_[worker];
  if (!has_unit_in_hand(share, worker)) {
    std::unique_lock lock(mutex_);
    share.changed.wait_for(lock, patience, [&] {
      // Whoever holds memory that the reader waits for does not wait for the reader.
      return ended_ || (open_ && !share.full.empty()) || (reader_waits_ && !share.held.empty());
    });
    if (!open_ || share.full.empty()) return nullptr;
    share.held.push_back(share.full.front());
    share.full.pop_front();
    share.next_unit = 0;
  }
  return share.held.back()->shares[worker][share.next_unit++];
}

void Feed::release(std::uint32_t worker) {
  Share& share = *shares_[worker];
  const std::lock_guard lock(mutex_);
  while (!share.held.empty()) {
    // The last one may still have units to hand out.
    if (share.held.size() == 1 && has_unit_in_hand(share, worker)) break;
    Chunk* chunk = share.held.front();
    share.held.pop_front();
    if (--chunk->holders > 0) continue;
    free_.push_back(chunk);
    freed_.notify_all();
  }
}

bool Feed::ended(std::uint32_t worker) {
  const Share& share = *shares_[worker];
  const std::lock_guard lock(mutex_);
  return ended_ && share.full.empty() && !has_unit_in_hand(share, worker);
}

std::optional<Error> Feed::error() {
  const std::lock_guard lock(mutex_);
  return error_;
}

std::optional<Feed::End> Feed::end() {
  const std::lock_guard lock(mutex_);
  return end_;
}

}  // namespace write_aside::cli
