// What a figure depends on: the machine, and that nothing was bought with durability.
#pragma once

#include <sqlite3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace write_aside::bench {

inline std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

// A folder of the benchmark's own, made anew, in the one that the command line names, or else in `build`.
inline std::filesystem::path own_folder(int argc, char** argv, const char* usage) {
  if (argc > 1 && argv[1][0] == '-') {
    std::fprintf(stderr, "usage: %s\n", usage);
    std::exit(std::string_view(argv[1]) == "--help" ? 0 : 2);
  }
  const std::filesystem::path folder = std::filesystem::path(argc > 1 ? argv[1] : "build") / "write-aside-bench";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

inline void print_machine() {
  std::printf("%ld x %s; SQLite %s\n", sysconf(_SC_NPROCESSORS_ONLN), processor().c_str(), sqlite3_libversion());
}

inline int pragma(sqlite3* handle, const char* sql, std::string& text) {
  sqlite3_stmt* statement = nullptr;
  int number = -1;
  if (sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
    text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    number = sqlite3_column_int(statement, 0);
  }
  sqlite3_finalize(statement);
  return number;
}

// Refuses to go on unless a power cut would lose nothing that was committed through this handle.
inline void refuse_unsafe(sqlite3* handle, const char* what) {
  std::string journal;
  std::string synchronous;
  pragma(handle, "pragma journal_mode", journal);
  const int level = pragma(handle, "pragma synchronous", synchronous);
  if (journal == "wal" && level >= 2) return;
  std::fprintf(stderr, "bench: %s has journal_mode=%s, synchronous=%s; these figures are for WAL and FULL only\n", what,
               journal.c_str(), synchronous.c_str());
  std::exit(2);
}

}  // namespace write_aside::bench
