#include "contract/database_contract.hpp"
#include "contract/postgresql_harness.hpp"

WRITE_ASIDE_DATABASE_CONTRACT(Postgresql, write_aside::contract::PostgresqlHarness);
