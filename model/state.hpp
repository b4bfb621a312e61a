// One state of the world: the database, the stream, and up to three processes that want the same lane.
//
// Plain bytes without padding, so that a state can be hashed, compared and copied as memory.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <type_traits>

namespace write_aside::model {

using Byte = std::uint8_t;

inline constexpr int processes_max = 3;
inline constexpr int units_max = 3;
// Whether a set of units, a bit each, has this one.
[[nodiscard]] constexpr bool has(Byte set, int unit) { return ((set >> unit) & 1) != 0; }

inline constexpr Byte nobody = 0xFF;  // no process, no unit

// (epoch, n). The default is no batch.
struct Batch {
  Byte epoch = 0;
  Byte n = 0;
  friend auto operator<=>(const Batch&, const Batch&) = default;
};

// S, as it stands in the ledger. No epoch: none.
struct LedgerRecord {
  Batch batch = {};
  Byte first = nobody;
};

enum class Violation : Byte { none, orphan, lost, undelivered, duplicate, dishonest, disorder, false_halt, stuck };

// ---- The database -----------------------------------------------------------------------------------------------

enum class Decision : Byte { not_begun, open, in_flight, committed, rolled_back };

// A unit of work: its database transaction, and the journal row or tombstone under its key.
struct Unit {
  Decision decision = Decision::not_begun;
  Batch key = {};
  Byte member = 0;
  Batch label = {};
  bool row = false;
  bool adopted = false;
  bool delivered = false;
  bool tombstone = false;
  bool key_changed = false;      // by a mutant
  bool journal_missing = false;  // COMMIT goes out though the INSERT inserted nothing; a mutant
  bool told_in_doubt = false;    // to the caller, who may ask again from anywhere
  bool asked = false;
  Byte after = 0;  // units (a bit each) that had committed when it joined, so it may depend on them

  [[nodiscard]] bool undelivered() const { return row && !delivered; }
};

struct LaneRow {
  Byte epoch = 1;
  Byte owner = 0;
  Batch settled = {};
  Batch purged = {};
};

// ---- The stream -------------------------------------------------------------------------------------------------

enum class StreamTransaction : Byte { none, open, prepared };  // prepared: committed, not yet visible

inline constexpr int contents_max = 2 * units_max;

// What belongs to the lane's transactional id.
struct Stream {
  Byte holder = 0;  // the process whose producer instance is not fenced
  StreamTransaction transaction = StreamTransaction::none;
  LedgerRecord pending = {};
  Byte count = 0;
  std::array<Byte, contents_max> contents = {};  // units, in the order of production
  LedgerRecord last = {};                        // the last visible S
  LedgerRecord last_but_one = {};                // what a reader without a fence may take for it
  Byte visible = 0;                              // units whose event is visible, a bit each
};

// ---- A process --------------------------------------------------------------------------------------------------

enum class Phase : Byte {
  idle,
  t2,  // owns the lane row
  t3,
  t4,
  open,
  ending,
  recovering_producer,  // B4, in this order
  recovering_lane_row,
  recovering_ledger,
  lost,  // B5: still resolves its doubtful units
};

enum class Member : Byte {
  none,
  unwritten,  // joined and produced; the journal INSERT is not answered
  joined,
  sent,
  committed,
  doubtful,
  adopting,
  adoption_doubtful,
  settled,   // its row waits for the janitor
  clearing,  // the janitor's transaction was not answered
};

enum class ClientTransaction : Byte { closed, begun, produced };
enum class Ending : Byte { none, commit, abort };
enum class Reply : Byte { none, success, refused };
enum class Adoption : Byte { none, in_flight, changed, unchanged };

struct Process {
  Phase phase = Phase::idle;
  Byte epoch = 0;
  Byte n = 0;
  Byte settled = 0;  // n of the last settled batch of this epoch
  ClientTransaction transaction = ClientTransaction::closed;
  bool broken = false;
  Byte count = 0;
  std::array<Byte, units_max> members = {};  // of the batch, in join order
  std::array<Member, units_max> is = {};     // by unit
  LedgerRecord ledger = {};                  // what T3 read

  Ending ending = Ending::none;  // what the process waits for
  Reply reply = Reply::none;
  bool sent_twice = false;
  Ending request = Ending::none;  // end requests under way; they outlive the process
  Ending copy = Ending::none;

  Adoption adoption = Adoption::none;  // W's transaction, which outlives the process
  Byte adopted_unit = 0;
  Batch adoption_label = {};

  Byte unanswered_janitor = 0;  // the settled n that it wrote, if it landed
  Byte left_behind = 0;         // epoch of a T4 whose statements a lost session may still run; a mutant
  LedgerRecord left_behind_ledger = {};
};

struct State {
  std::array<Unit, units_max> units = {};
  LaneRow lane = {};
  Stream stream = {};
  std::array<Process, processes_max> processes = {};
  Byte begun = 0;  // units
  Byte faults_left = 0;
  Violation violation = Violation::none;
};

static_assert(std::has_unique_object_representations_v<State>);

}  // namespace write_aside::model
