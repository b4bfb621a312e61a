"""A clock that is wrong, for a process: what it takes for the time of day is moved, by libfaketime."""

import contextlib
import glob
import os

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


def environment(seconds):
    """For a process whose clock is ahead by so many seconds. Its monotonic clock is right, as after a clock was set."""
    found = glob.glob(LIBRARY)
    if not found:
        raise RuntimeError(f"no {LIBRARY}; run tools/install-packages")
    return {**os.environ, "LD_PRELOAD": found[0], "FAKETIME": f"{seconds:+.3f}", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


def clean_up():
    """Removes what the library leaves in memory of processes that were killed."""
    for path in glob.glob("/dev/shm/*faketime_*_*"):
        process = path.rpartition("_")[2]
        if process.isdigit() and not os.path.exists(f"/proc/{process}"):
            with contextlib.suppress(OSError):
                os.unlink(path)
