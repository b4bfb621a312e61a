// The contract of ports/database.hpp, one test per promise. Any adapter can be put to it:
//
//   struct PostgresHarness { … };                       // database_harness.hpp says what it needs
//   WRITE_ASIDE_DATABASE_CONTRACT(Postgres, PostgresHarness);
#pragma once

#include "contract/database_harness.hpp"
#include "contract/database_journal_contract.hpp"
#include "contract/database_lane_contract.hpp"
#include "contract/database_unit_contract.hpp"

#define WRITE_ASIDE_DATABASE_CONTRACT(Name, Harness)                                \
  namespace write_aside::contract {                                                 \
  INSTANTIATE_TYPED_TEST_SUITE_P(Name, DatabaseUnits, ::testing::Types<Harness>);   \
  INSTANTIATE_TYPED_TEST_SUITE_P(Name, DatabaseJournal, ::testing::Types<Harness>); \
  INSTANTIATE_TYPED_TEST_SUITE_P(Name, DatabaseLanes, ::testing::Types<Harness>);   \
  }                                                                                 \
  static_assert(true, "a semicolon follows")
