#include "sqlite_settings.hpp"

#if defined(WRITE_ASIDE_HAS_SQLITE) || defined(WRITE_ASIDE_HAS_LOCAL_STREAM)
#include <sqlite3.h>
#endif

namespace write_aside::cli {

// SQLite counts what it allocates, for everybody who asks, under one mutex. Nobody here asks, and `apply` takes a
// twentieth less processor time without it. The library leaves this to its users: it concerns their whole process.
void set_up_sqlite() {
#if defined(WRITE_ASIDE_HAS_SQLITE) || defined(WRITE_ASIDE_HAS_LOCAL_STREAM)
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
#endif
}

}  // namespace write_aside::cli
