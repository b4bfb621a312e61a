// A file system under SQLite that fails on command: the default one, except that writes to and syncs of write-ahead
// logs fail while they are told to. Only for one thread and one test at a time.
#pragma once

#include <sqlite3.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace write_aside {

class FaultyFiles {
 public:
  enum class Fault { none, wal_write, wal_sync, disk_full };

  // While it lives, every file that SQLite opens goes through it.
  FaultyFiles() : original_(sqlite3_vfs_find(nullptr)), vfs_(*original_) {
    vfs_.pNext = nullptr;
    vfs_.zName = "write-aside-faults";
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + original_->szOsFile;
    vfs_.xOpen = &FaultyFiles::open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  FaultyFiles(const FaultyFiles&) = delete;
  FaultyFiles& operator=(const FaultyFiles&) = delete;
  ~FaultyFiles() {
    sqlite3_vfs_register(original_, 1);
    sqlite3_vfs_unregister(&vfs_);
  }
  void fail(Fault fault) { fault_ = fault; }

 private:
  // The original's file lies behind it in memory.
  struct File {
    sqlite3_file base;
    FaultyFiles* faults;
    bool is_wal;
  };
  static File* self(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(self(file) + 1); }

  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
    auto* faults = static_cast<FaultyFiles*>(vfs->pAppData);
    self(file)->base.pMethods = nullptr;
    self(file)->faults = faults;
    self(file)->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    const int code = faults->original_->xOpen(faults->original_, name, real(file), flags, out);
    if (code == SQLITE_OK) self(file)->base.pMethods = &methods();
    return code;
  }
  static const sqlite3_io_methods& methods() {
    static const sqlite3_io_methods all = {
        3,
        [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
        [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) { return real(f)->pMethods->xRead(real(f), to, n, at); },
        &FaultyFiles::write,
        [](sqlite3_file* f, sqlite3_int64 size) { return real(f)->pMethods->xTruncate(real(f), size); },
        &FaultyFiles::sync,
        [](sqlite3_file* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); },
        [](sqlite3_file* f, int lock) { return real(f)->pMethods->xLock(real(f), lock); },
        [](sqlite3_file* f, int lock) { return real(f)->pMethods->xUnlock(real(f), lock); },
        [](sqlite3_file* f, int* held) { return real(f)->pMethods->xCheckReservedLock(real(f), held); },
        [](sqlite3_file* f, int op, void* argument) { return real(f)->pMethods->xFileControl(real(f), op, argument); },
        [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
        [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
        [](sqlite3_file* f, int page, int size, int extend, volatile void** memory) {
          return real(f)->pMethods->xShmMap(real(f), page, size, extend, memory);
        },
        [](sqlite3_file* f, int at, int n, int flags) { return real(f)->pMethods->xShmLock(real(f), at, n, flags); },
        [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
        [](sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
        [](sqlite3_file* f, sqlite3_int64 at, int n, void** to) {
          return real(f)->pMethods->xFetch(real(f), at, n, to);
        },
        [](sqlite3_file* f, sqlite3_int64 at, void* from) { return real(f)->pMethods->xUnfetch(real(f), at, from); },
    };
    return all;
  }
  static int write(sqlite3_file* file, const void* from, int n, sqlite3_int64 at) {
    if (self(file)->is_wal) {
      if (self(file)->faults->fault_ == Fault::wal_write) return SQLITE_IOERR_WRITE;
      if (self(file)->faults->fault_ == Fault::disk_full) return SQLITE_FULL;
    }
    return real(file)->pMethods->xWrite(real(file), from, n, at);
  }
  static int sync(sqlite3_file* file, int flags) {
    if (self(file)->is_wal && self(file)->faults->fault_ == Fault::wal_sync) return SQLITE_IOERR_FSYNC;
    return real(file)->pMethods->xSync(real(file), flags);
  }

  sqlite3_vfs* original_;
  sqlite3_vfs vfs_;
  Fault fault_ = Fault::none;
};

}  // namespace write_aside
