// The coordinator: makes the rows and the events of a unit of work commit together.
//
// It takes some of the database's lanes for itself, keeps them alive, and settles what dead owners of those
// lanes left behind. What they left on lanes that nobody takes it settles, too, and releases those lanes (T6). Open one
// for each pair of stores in a process, and keep it.
//
// Promise, by guarantee level:
//   exactly_once   rows and events never disagree for good: every committed unit's events are in the stream
//                  exactly once (seen by read_committed readers), an aborted unit's never. Holds over crashes
//                  at any point, lost replies, fenced and paused processes.
//   transactional  no orphan event while the database answers; a crash between the two commits loses events.
//   at_least_once  no event is lost; a COMMIT that fails after the publish leaves an orphan, which is reported.
// Not covered by any level: a store that loses data it acknowledged (docs/guarantees.md).
//
// Threads: safe from many threads. The library starts one thread per lane it holds and one for housekeeping,
// and one more while it settles a lane for somebody else.
// Lifetime: the stores are shared; units must be gone before the coordinator is destroyed. The destructor waits,
// bounded by `close_timeout`, for open batches to settle and releases the lanes.
// Processes: a coordinator belongs to the process that opened it. In a child of fork() begin() and run() refuse, and
// the destructors of a coordinator, unit or consumer that it inherited do nothing: what these hold stays open until the
// child ends or calls exec. Fork first, then open the stores and a coordinator in each process. SQLite demands more: no
// child may open a file that its parent has open at the fork, not even anew; the child would mistake its parent's locks
// for its own.
//
//   auto coordinator = Coordinator::open(sqlite::open("shop.db").value(), local_stream::open("shop.events").value(), {}).value();
//   Outcome outcome = coordinator->run([&](UnitOfWork& unit) -> Result<void> { … });
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/observer.hpp"
#include "write_aside/outcome.hpp"
#include "write_aside/ports/database.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/ports/runtime.hpp"
#include "write_aside/result.hpp"
#include "write_aside/unit_of_work.hpp"

namespace write_aside {

enum class Guarantee { exactly_once, transactional, at_least_once };

struct CoordinatorOptions {
  Guarantee guarantee = Guarantee::exactly_once;
  std::string source = {};        // ce_source of the events; empty: "write-aside/<database id>"
  std::uint32_t lanes_max = 2;    // lanes held by this coordinator
  bool strict_order = false;      // order per lane also over a change of owner (protocol, section 6)
  std::string ledger_topic = {};  // empty: "write-aside-ledger.<database id>"

  std::chrono::milliseconds lease{3'000};                 // an owner silent for longer may be replaced
  std::chrono::milliseconds transaction_timeout{60'000};  // of a stream transaction, at the stream
  std::chrono::milliseconds open_timeout{10'000};         // taking the first lane
  std::chrono::milliseconds session_timeout{10'000};      // a session or the write lock of the database
  std::chrono::milliseconds join_timeout{2'000};          // a place in a batch
  std::chrono::milliseconds publish_timeout{10'000};      // all acknowledgements of a unit
  std::chrono::milliseconds commit_timeout{10'000};       // the reply to COMMIT
  std::chrono::milliseconds doubt_timeout{10'000};        // until a caller leaves with in_doubt
  std::chrono::milliseconds visible_timeout{30'000};      // Wait::visible
  std::chrono::milliseconds close_timeout{10'000};
  std::chrono::milliseconds janitor_interval{100};
  std::chrono::milliseconds sweep_interval{1'000};  // between two looks for late units, and for what the dead left
  std::chrono::seconds journal_retention{24 * 3600};

  std::uint32_t batch_members_max = 1'000;
  std::uint64_t batch_bytes_max = 16ull << 20;
  std::chrono::milliseconds batch_age_max{30};  // bounds what a batch that is held open costs in visibility
  std::uint32_t batch_hold_multiple = 4;  // under load: hold a batch open this many times what ending the last one cost

  Observer* observer = nullptr;       // outlives the coordinator
  ports::Runtime* runtime = nullptr;  // none: the machine's
};

struct BeginOptions {
  // Units with the same ordering key take the same lane, so their events stay in order.
  std::string_view ordering_key = {};
  // Only this lane, one of lanes(). Once the coordinator has lost it, such units abort with `lane_unavailable`, retriable:
  // a caller that keeps an order of its own first sees to what it left in that lane, then chooses another one.
  std::optional<LaneNumber> lane = {};
};

struct RunOptions {
  std::string_view ordering_key = {};
  Wait wait = Wait::decided;
  std::chrono::milliseconds deadline{30'000};  // no new attempt after it
  std::uint32_t attempt_count_max = 100;
};

// What `recover` found and did.
struct Recovery {
  struct Lane {
    LaneNumber lane = 0;
    bool settled = false;         // nothing undelivered is left
    std::uint64_t delivered = 0;  // units whose events were produced now
    std::string note;             // why it is not settled: owned by a live process, halted, …
  };
  std::vector<Lane> lanes;
  [[nodiscard]] bool complete() const {
    for (const Lane& lane : lanes) {
      if (!lane.settled) return false;
    }
    return true;
  }
};

namespace coordination {
class Core;
}

// The user's handle type of an adapter, turned into a session on which a unit can run. An adapter's header
// specialises it (`BorrowedSession<sqlite3>`).
template <class Native>
struct BorrowedSession;

class Coordinator {
 public:
  // Checks both stores, takes lanes, settles what their dead owners left. Fails with `not_initialised` before
  // `init`, with `lane_unavailable` when live processes own every lane.
  [[nodiscard]] static Result<std::unique_ptr<Coordinator>> open(std::shared_ptr<ports::Database> database,
                                                                 std::shared_ptr<ports::EventStream> stream,
                                                                 CoordinatorOptions options);
  ~Coordinator();

  // A unit on a session of the database's own pool.
  [[nodiscard]] Result<UnitOfWork> begin(BeginOptions options = {});
  // A unit on a session of the caller's. Used through begin(Native*).
  [[nodiscard]] Result<UnitOfWork> begin(std::unique_ptr<ports::Session> session, BeginOptions options = {});
  // A unit on the caller's own handle, for instance a sqlite3*; include the adapter's header.
  template <class Native>
  [[nodiscard]] Result<UnitOfWork> begin(Native* handle, BeginOptions options = {}) {
    auto session = BorrowedSession<Native>::borrow(handle);
    if (!session) return failure(session);
    return begin(std::move(*session), options);
  }

  // Runs `work` in a unit and commits it. Retries what is worth retrying, with capped, jittered backoff inside the
  // deadline: `work` may run several times, each time in a fresh unit. Never retries a unit in doubt.
  // An error returned by `work` rolls back; it is retried only if it says `retriable`.
  Outcome run(const std::function<Result<void>(UnitOfWork&)>& work, RunOptions options = {});

  // Ends a doubt (D2), from any process: committed or aborted, for ever; in_doubt when it cannot be told yet.
  // Only for units that were reported in doubt.
  Outcome resolve(const UnitId& unit);

  // Waits until every unit decided so far is visible in the stream.
  [[nodiscard]] Result<void> flush(std::chrono::milliseconds timeout);

  // Fails in any process but the one that opened this coordinator.
  [[nodiscard]] Result<void> check_process() const;

  // The lanes that this coordinator holds just now; empty at the lower levels, which have none.
  [[nodiscard]] std::vector<LaneNumber> lanes() const;

  [[nodiscard]] const std::string& source() const;

  // What it was opened with.
  [[nodiscard]] const std::shared_ptr<ports::Database>& database() const;
  [[nodiscard]] const std::shared_ptr<ports::EventStream>& stream() const;
  [[nodiscard]] ports::Runtime& runtime() const;
  [[nodiscard]] const CoordinatorOptions& options() const;

 private:
  explicit Coordinator(std::unique_ptr<coordination::Core> core);
  std::unique_ptr<coordination::Core> core_;
};

// `init` for both stores: tables with that many lanes, and the compacted ledger topic. Safe to run again.
[[nodiscard]] Result<ports::Schema> initialise(ports::Database& database, ports::EventStream& stream,
                                               std::uint32_t lanes, const std::string& ledger_topic = {});

// Takes over lanes without a live owner and settles what was left in them, then releases them. A live owner keeps its
// lane; it is waited for until what was undelivered at the first look is delivered. `only`: these lanes; empty: all. Waits up
// to `timeout` for all that, also for leases of owners on other hosts to run out.
[[nodiscard]] Result<Recovery> recover(const std::shared_ptr<ports::Database>& database,
                                       const std::shared_ptr<ports::EventStream>& stream, CoordinatorOptions options,
                                       const std::vector<LaneNumber>& only, std::chrono::milliseconds timeout);

}  // namespace write_aside
