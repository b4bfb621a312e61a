"""A clock that is wrong, for a process: what it takes for the time of day is moved, by libfaketime."""

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
