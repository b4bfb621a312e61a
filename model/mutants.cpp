#include "mutants.hpp"

namespace write_aside::model {

namespace {

constexpr Bounds smallest{2, 1, 1};
constexpr Bounds two_units{2, 2, 1};
constexpr Bounds two_faults{2, 1, 2};
constexpr Bounds two_each{2, 2, 2};
constexpr Bounds three_faults{2, 2, 3};

}  // namespace

const std::vector<Mutant>& mutants() {
  using enum Rule;
  using enum Violation;
  static const std::vector<Mutant> list{
      {"k_never_changes", "a member that votes again gets a new key", {k_never_changes}, two_faults, dishonest},
      {"k_without_label", "the label is part of the key", {k_without_label}, two_faults, dishonest},
      {"c5_journal_row_first",
       "COMMIT goes out behind an INSERT that fails",
       {c5_journal_row_first, j_count},
       two_faults,
       dishonest},
      {"c5_lost_reply_is_in_doubt",
       "a lost reply is taken for a rollback",
       {c5_lost_reply_is_in_doubt},
       smallest,
       dishonest},
      {"b2_all_members_decided", "commits a batch with undecided members", {b2_all_members_decided}, smallest, orphan},
      {"b3_abort_broken_batch", "commits a batch though a member did not", {b3_abort_broken_batch}, two_units, orphan},
      {"b3_carry_the_rest",
       "forgets committed members of an aborted batch",
       {b3_carry_the_rest},
       smallest,
       undelivered},
      {"b3_carry_in_join_order", "carries the last first", {b3_carry_in_join_order}, two_units, disorder},
      {"b3_number_used_once", "uses n again in the same epoch", {b3_number_used_once}, two_units, lost},
      {"b4_destroy_instance",
       "goes on with the instance after an unclean end",
       {b4_destroy_instance},
       smallest,
       duplicate},
      {"b4_one_commit_request",
       "takes a commit with two requests for clean",
       {b4_one_commit_request},
       two_units,
       orphan},
      {"b4_one_abort_request",
       "takes an abort with two requests for clean",
       {b4_one_abort_request},
       two_each,
       lost,
       Order::none},
      {"b4_read_lane_row", "recovers without a look at the lane row", {b4_read_lane_row}, smallest, duplicate},
      {"b4_initialise_before_lane_row",
       "looks at the lane row first",
       {b4_initialise_before_lane_row},
       two_faults,
       duplicate},
      {"b4_ledger_decides", "takes an unanswered commit for an abort", {b4_ledger_decides}, smallest, duplicate},
      {"d1_doubtful_stays_member",
       "the others move on without the doubtful one",
       {d1_doubtful_stays_member},
       two_each,
       lost,
       Order::none},
      {"d2_read_row_after_conflict",
       "takes every conflict for the unit's row",
       {d2_read_row_after_conflict},
       smallest,
       dishonest},
      {"d2_tombstone_is_delivered",
       "takes a tombstone for an undelivered row",
       {d2_tombstone_is_delivered},
       two_faults,
       orphan},
      {"d4_keep_row_in_doubt",
       "deletes the row of a unit that was in doubt",
       {d4_keep_row_in_doubt},
       smallest,
       dishonest},
      {"d4_watermark", "purges without a watermark", {d4_watermark}, two_faults, dishonest},
      {"d4_own_members", "asks the watermark about its own members, too", {d4_own_members}, two_faults, stuck},
      {"j_own_epoch", "deletes rows of earlier epochs", {j_own_epoch, j_count}, two_units, lost},
      {"j_mine", "clears though the lane is another's", {j_mine}, two_each, false_halt},
      {"t1_epoch_goes_up", "takes the lane within the same epoch", {t1_epoch_goes_up}, smallest, undelivered},
      {"t2_fence", "does not initialise before it reads", {t2_fence}, smallest, duplicate},
      {"t3_fence", "reads what it can get", {t3_fence, t4_halts}, smallest, duplicate},
      {"t4_mine", "adopts without a look at the lane row", {t4_mine, t4_halts, j_count}, two_faults, duplicate},
      {"t4_halt_behind_mine",
       "halts before it knows that the lane is its own",
       {t4_halt_behind_mine},
       two_faults,
       false_halt},
      {"t4_deliver_covered", "does not mark what S covers", {t4_deliver_covered}, smallest, duplicate},
      {"t4_cover_one_epoch", "S covers older epochs too", {t4_cover_one_epoch}, two_each, lost},
      {"t4_reply_to_each_statement",
       "pipelines, and leaves the session behind",
       {t4_reply_to_each_statement},
       two_faults,
       undelivered},
      {"t5_adoption_known", "produces though T4 was not answered", {t5_adoption_known, j_count}, two_faults, duplicate},
      {"t5_every_labelled_row",
       "produces only what its last T4 changed",
       {t5_every_labelled_row},
       two_faults,
       undelivered},
      {"t5_key_order", "sorts by label", {t5_key_order}, two_each, disorder},
      {"w_sweep", "does not sweep", {w_sweep}, smallest, undelivered},
      {"w_condition, w_lane_lock",
       "adopts whatever the row has become",
       {w_condition, w_lane_lock, j_count},
       two_faults,
       duplicate},
      {"w_doubt_blocks", "goes on without an adoption in doubt", {w_doubt_blocks}, two_faults, undelivered},
      {"w_nobody_joins", "lets units join during an adoption", {w_nobody_joins}, two_units, disorder},
      {"w_not_past_joined",
       "adopts a late row behind a unit that has joined",
       {w_not_past_joined},
       two_units,
       disorder},
      {"s_insert_refused", "joins while an older row is undelivered", {s_insert_refused}, two_units, disorder},
  };
  return list;
}

const std::vector<Mutant>& spare_rules() {
  using enum Rule;
  static const std::vector<Mutant> list{
      {"c4_vote_first", "an event that cannot be sent would wedge the lane", {c4_vote_first}, three_faults},
      {"d1_nobody_joins", "a member that would be produced in vain", {d1_nobody_joins}, three_faults},
      {"d2_end_session", "the tombstone would wait for the lost session", {d2_end_session}, three_faults},
      {"j_count", "notices a damaged journal", {j_count}, three_faults},
      {"j_never_adopted", "implied by j_own_epoch", {j_never_adopted}, three_faults},
      {"t4_halts", "notices a store that lost data", {t4_halts}, three_faults},
      {"t4_label_below_mine", "implied by t4_mine", {t4_label_below_mine}, three_faults},
      {"w_condition", "w_lane_lock guards the same", {w_condition}, three_faults},
      {"w_lane_lock", "w_condition guards the same", {w_lane_lock}, three_faults},
      {"w_key_order", "late rows have no order that was promised", {w_key_order}, three_faults},
  };
  return list;
}

Settings settings_of(const Mutant& mutant) {
  Settings settings{mutant.bounds, mutant.order};
  for (const Rule rule : mutant.without) settings.rules.leave_out(rule);
  return settings;
}

}  // namespace write_aside::model
