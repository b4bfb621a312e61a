// SQLite's file system with a witness: counts syncs and writes, fails them on demand. Registered as the default,
// so that the library under test uses it without knowing.
#pragma once

#include <sqlite3.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace write_aside::local_stream_test {

class WatchedFiles {
 public:
  enum class Call { write, sync };
  // Called before each write and sync of a file whose name ends in "-wal" or of the main file; an SQLite result
  // code other than SQLITE_OK fails the call.
  using Rule = std::function<int(Call, bool is_wal)>;

  static WatchedFiles& instance() {
    static WatchedFiles only;
    return only;
  }
  void reset() {
    rule = nullptr;
    wal_syncs = 0;
    file_syncs = 0;
    wal_writes = 0;
  }

  Rule rule;
  std::atomic<int> wal_syncs = 0;
  std::atomic<int> file_syncs = 0;
  std::atomic<int> wal_writes = 0;

 private:
  // SQLite gives `szOsFile` bytes: this header, then the file of the real VFS.
  struct File {
    sqlite3_file base;
    bool is_wal;
  };
  static sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
  }
  static bool is_wal(sqlite3_file* file) { return reinterpret_cast<File*>(file)->is_wal; }

  WatchedFiles() {
    real_vfs_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_vfs_;
    vfs_.zName = "watched";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_vfs_->szOsFile;
    vfs_.xOpen = &WatchedFiles::open;
    sqlite3_vfs_register(&vfs_, 1);
  }

  static int open(sqlite3_vfs* /*vfs*/, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
    auto* mine = reinterpret_cast<File*>(file);
    mine->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    mine->base.pMethods = nullptr;
    real(file)->pMethods = nullptr;
    sqlite3_vfs* real_vfs = instance().real_vfs_;
    const int code = real_vfs->xOpen(real_vfs, name, real(file), flags, out_flags);
    if (real(file)->pMethods != nullptr) mine->base.pMethods = &methods();
    return code;
  }
  static int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 at) {
    WatchedFiles& self = instance();
    if (is_wal(file)) ++self.wal_writes;
    const int code = self.rule ? self.rule(Call::write, is_wal(file)) : SQLITE_OK;
    return code != SQLITE_OK ? code : real(file)->pMethods->xWrite(real(file), bytes, count, at);
  }
  static int sync(sqlite3_file* file, int flags) {
    WatchedFiles& self = instance();
    ++(is_wal(file) ? self.wal_syncs : self.file_syncs);
    const int code = self.rule ? self.rule(Call::sync, is_wal(file)) : SQLITE_OK;
    return code != SQLITE_OK ? code : real(file)->pMethods->xSync(real(file), flags);
  }
  static const sqlite3_io_methods& methods() {
    // Version 2: with shared memory, which WAL needs, and without memory-mapped reads.
    static const sqlite3_io_methods all = {
        2,
        [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
        [](sqlite3_file* f, void* bytes, int n, sqlite3_int64 at) {
          return real(f)->pMethods->xRead(real(f), bytes, n, at);
        },
        &WatchedFiles::write,
        [](sqlite3_file* f, sqlite3_int64 size) { return real(f)->pMethods->xTruncate(real(f), size); },
        &WatchedFiles::sync,
        [](sqlite3_file* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); },
        [](sqlite3_file* f, int lock) { return real(f)->pMethods->xLock(real(f), lock); },
        [](sqlite3_file* f, int lock) { return real(f)->pMethods->xUnlock(real(f), lock); },
        [](sqlite3_file* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); },
        [](sqlite3_file* f, int op, void* arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); },
        [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
        [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
        [](sqlite3_file* f, int page, int size, int extend, volatile void** out) {
          return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
        },
        [](sqlite3_file* f, int offset, int n, int flags) {
          return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
        },
        [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
        [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
        nullptr,
        nullptr};
    return all;
  }

  sqlite3_vfs* real_vfs_ = nullptr;
  sqlite3_vfs vfs_{};
};

}  // namespace write_aside::local_stream_test
