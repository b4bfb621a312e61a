// Reads and translates the input ahead of the database, on a thread of its own, and hands its units to the workers.
//
// Memory is bounded by a fixed number of chunks, whatever the input's length and the workers' number: a worker that lags
// keeps the chunks with units of its own, and when there is no other one left the reader waits.
//
// The constructor starts the thread; the destructor ends and joins it. What takes a worker's number belongs to that
// worker's thread; the rest is safe from many threads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "input/record_reader.hpp"
#include "input/translator.hpp"
#include "job/dealer.hpp"
#include "job/planned_unit.hpp"
#include "write_aside/error.hpp"

namespace write_aside::cli {

// Some records of the input, as units, with the memory they refer to.
struct Chunk {
  Block block;
  Arena arena;
  std::vector<PlannedUnit> units;
  std::vector<std::vector<PlannedUnit*>> shares;  // by worker
  std::size_t holders = 0;                        // workers that are not done with it

  void clear();
};

class Feed {
 public:
  // `reader` stands behind the units that `dealer` counts as before the first one.
  Feed(RecordReader reader, std::unique_ptr<Translator> translator, Dealer dealer);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // The worker's next unit; it lives until release(). Without one in hand within `patience`, none. None also when the
  // units not yet released hold all the memory there is to hold; release() helps then.
  [[nodiscard]] PlannedUnit* next(std::uint32_t worker, std::chrono::milliseconds patience);
  // Gives back every unit that the worker was handed so far.
  void release(std::uint32_t worker);
  // True once the worker was handed every unit of its own, or the input failed.
  [[nodiscard]] bool ended(std::uint32_t worker);
  // Why the input could not be read to its end.
  [[nodiscard]] std::optional<Error> error();
  // The last unit of the input as far as it was read: its number, and the place behind it. None: there was no unit.
  struct End {
    std::uint64_t units = 0;
    Mark mark;
  };
  [[nodiscard]] std::optional<End> end();

 private:
  // A worker's side.
  struct Share {
    // The worker's own.
    std::deque<Chunk*> held;
    std::size_t next_unit = 0;  // in the last held chunk
    // Guarded by the mutex.
    std::deque<Chunk*> full;
    std::condition_variable changed;
  };

  void run();
  void translate(Chunk& chunk);
  void deal(Chunk& chunk);
  // What the dealer found wrong; `last`: there are no more units.
  [[nodiscard]] std::optional<Error> trouble(bool last) const;
  void hand_over(Chunk& chunk, bool last, std::optional<Error> error);
  // With the mutex held.
  void wake_workers();
  [[nodiscard]] bool has_unit_in_hand(const Share& share, std::uint32_t worker) const;
  // Waits for memory to read into; none: the workers are gone.
  [[nodiscard]] Chunk* wait_for_chunk();

  // The reading thread's own.
  RecordReader reader_;
  std::unique_ptr<Translator> translator_;
  Dealer dealer_;
  std::optional<RawRecord> blank_;  // a blank line, refused if anything follows it

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::unique_ptr<Share>> shares_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable freed_;
  std::deque<Chunk*> free_;
  std::optional<Error> error_;
  std::optional<End> end_;
  // Nothing is handed out while the reader has not passed the places where an earlier run stopped, if memory allows: what
  // is no longer the same input is then refused before anything more of it is applied.
  bool open_ = false;
  bool reader_waits_ = false;
  bool ended_ = false;
  bool abandoned_ = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace write_aside::cli
