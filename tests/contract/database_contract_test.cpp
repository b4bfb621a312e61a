#include "contract/database_contract.hpp"

#include "contract/sqlite_harness.hpp"

WRITE_ASIDE_DATABASE_CONTRACT(Sqlite, write_aside::contract::SqliteHarness);
