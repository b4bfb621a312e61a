// The rules of docs/protocol.md, one bit each. The faithful model keeps them all; a mutant leaves some out.
//
// A rule is named after the letter and number that it has in the protocol and in the code; `k` is the key, `s`
// strict_order.
#pragma once

#include <bitset>
#include <cstddef>

namespace write_aside::model {

enum class Rule {
  k_never_changes,  // k: the key of a journal row
  k_without_label,
  c4_vote_first,  // COMMIT is sent only with a valid vote
  c5_journal_row_first,
  c5_lost_reply_is_in_doubt,
  b2_all_members_decided,
  b3_abort_broken_batch,
  b3_carry_the_rest,
  b3_carry_in_join_order,
  b3_number_used_once,
  b4_destroy_instance,
  b4_one_commit_request,  // a second end request makes the end of a commit unclean
  b4_one_abort_request,   // ... of an abort
  b4_read_lane_row,
  b4_initialise_before_lane_row,
  b4_ledger_decides,
  d1_doubtful_stays_member,
  d1_nobody_joins,  // ... while a unit is in doubt
  d2_end_session,
  d2_read_row_after_conflict,
  d2_tombstone_is_delivered,  // T4 and W pass it over
  d4_keep_row_in_doubt,
  d4_watermark,
  d4_own_members,  // the watermark does not concern a member of the asker's own lane
  j_own_epoch,
  j_count,  // the number of rows must be the number settled
  j_never_adopted,
  j_mine,
  t1_epoch_goes_up,
  t2_fence,
  t3_fence,
  t4_mine,
  t4_halts,             // T4, B4: a lane whose stores contradict each other is halted
  t4_halt_behind_mine,  // the reasons to halt are looked at after the lane row is locked and found to be mine
  t4_deliver_covered,
  t4_cover_one_epoch,  // S covers rows of its own epoch only
  t4_label_below_mine,
  t4_reply_to_each_statement,  // COMMIT is not sent behind statements that are not answered
  t5_adoption_known,           // T4 is known to be committed
  t5_every_labelled_row,
  t5_key_order,
  w_sweep,
  w_key_order,
  w_condition,
  w_lane_lock,
  w_doubt_blocks,     // an adoption in doubt stays a member
  w_nobody_joins,     // ... between an adoption's start and its production
  w_not_past_joined,  // strict_order: nothing is adopted while a member's COMMIT was not sent
  s_insert_refused,   // strict_order: the journal INSERT inserts nothing while an older row is undelivered
  count
};

class Rules {
 public:
  Rules() { kept_.set(); }
  [[nodiscard]] bool keep(Rule rule) const { return kept_[static_cast<std::size_t>(rule)]; }
  void leave_out(Rule rule) { kept_.reset(static_cast<std::size_t>(rule)); }

 private:
  std::bitset<static_cast<std::size_t>(Rule::count)> kept_;
};

// How far a search goes.
struct Bounds {
  int processes = 2;
  int units = 2;
  int faults = 3;
};

// The order that is promised on a lane. The owners' is that of strict_order.
enum class Order { none, within_epoch, over_owners };

struct Settings {
  Bounds bounds = {};
  Order order = Order::over_owners;
  Rules rules = {};
};

}  // namespace write_aside::model
