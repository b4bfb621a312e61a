"""What the crash campaigns have in common: options for long runs, and how they report."""

import json
import os
import shutil
import sys
import time

from stores import make_folder

ENVIRONMENT = """
Environment, for long runs (`WRITE_ASIDE_CRASH_FACTOR=20 ctest -L crash` makes thousands of faults):
  WRITE_ASIDE_CRASH_FACTOR  multiplies the numbers of faults, units or rounds, and --seconds-max (default 1)
  WRITE_ASIDE_CRASH_SEED    the seed, where --seed is not given (default: another one each time)
  WRITE_ASIDE_CRASH_FOLDER  where the files are made (default: in memory, /dev/shm; a disk is slower and tries syncs)
"""


def add_options(parser, seconds_max):
    parser.add_argument("--seconds-max", type=float, default=seconds_max)
    parser.add_argument("--seed", type=int,
                        default=int(os.environ.get("WRITE_ASIDE_CRASH_SEED", time.time_ns() % 10**6)))


def factor():
    return float(os.environ.get("WRITE_ASIDE_CRASH_FACTOR", 1))


def run(name, seed, campaign):
    """Calls `campaign(folder)`, which returns a report with a list of `problems`; prints it, and ends the program."""
    folder = make_folder(name)
    began = time.monotonic()
    try:
        report = campaign(folder)
    except RuntimeError as error:
        report = {"problems": [str(error)]}
    print(json.dumps({"seed": seed, "seconds": round(time.monotonic() - began, 1), **report}))
    if report["problems"]:
        print(f"FAILED: {'; '.join(report['problems'])}\nrepeat with --seed {seed}; kept {folder}")
        sys.exit(1)
    shutil.rmtree(folder)
