// What the program sets for SQLite as a whole. Called once, before any file is opened.
#pragma once

namespace write_aside::cli {

void set_up_sqlite();

}  // namespace write_aside::cli
