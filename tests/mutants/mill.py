"""Builds the program with all mutants in it, and runs suites on one of them."""

import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from schema import HEADER, Schema

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = "src/coordination"
BUILD_SECONDS_MAX = 3600
REMOVALS_MAX = 20  # rounds in which mutants that do not compile are taken out
SLOWER_MAX, SECONDS_MIN = 5, 10  # a suite's limit, beside what it takes without a mutant
COORDINATION = "Arrivals*:LaneTest*:Janitor*:Ledger*:LedgerRecord*:Resolver*:SealPolicy*:Takeover*:HaltTest*:Publication*"
WITHOUT_SERVERS = "CallersOwn*:SqliteBorrowed*:Forking*:Applying.*:Operating*"
ERROR = re.compile(rf"/{SOURCES}/([\w.]+):(\d+):\d+: (?:fatal )?error:")


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    program: str
    arguments: tuple


SUITES = (
    Suite("unit", "unit_tests", ("--gtest_fail_fast", f"--gtest_filter={COORDINATION}")),
    Suite("2,000 seeds", "simulate", ("--seeds", "2000", "--jobs", "1")),
    Suite("simulation", "simulation_tests", ("--gtest_fail_fast", "--gtest_filter=-RandomFaults*:EmbeddedCrash*")),
    Suite("8,000 seeds more", "simulate", ("--first", "2001", "--seeds", "8000", "--jobs", "1")),
    Suite("program", "integration_tests", ("--gtest_fail_fast", f"--gtest_filter={WITHOUT_SERVERS}")),
)
PROGRAMS = sorted({*(suite.program for suite in SUITES), "write-aside"})


class MillError(RuntimeError):
    pass


class Mill:
    """A copy of the sources with every mutant of `mutants` ({number: (file, mutation)}), and its build."""

    def __init__(self, folder, mutants, jobs):
        self.folder, self.mutants, self.jobs = folder, mutants, jobs
        self.tree, self.building, self.log = folder / "tree", folder / "build", folder / "log"
        self.limits = {}
        self.left_out = set()  # numbers of those that have no place in the program, or do not compile there
        self.folder.mkdir(parents=True, exist_ok=True)

    def build(self, known_to_fail):
        self.copy()
        self.left_out = known_to_fail | {number for number, (file, mutation) in self.mutants.items()
                                         if not Schema((ROOT / file).read_text()).alternatives(mutation)}
        added = self.write_mutants()
        configure = ["cmake", "-S", self.tree, "-B", self.building, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     "-DCMAKE_CXX_FLAGS_RELEASE=-O1", "-DCMAKE_CXX_FLAGS=-w",
                     "-DWRITE_ASIDE_INSTALL=OFF", "-DWRITE_ASIDE_EXAMPLES=OFF"]
        if self.call(configure) != 0:
            raise MillError(f"cannot configure; see {self.log}")
        for _ in range(REMOVALS_MAX):
            if self.call(["ninja", "-C", self.building, "-j", self.jobs, "-k", "0", *PROGRAMS]) == 0:
                return
            errors = {(name, int(line)) for name, line in ERROR.findall(self.log.read_text())}
            found = set().union(*(added.get(place, ()) for place in errors))
            if not found:
                raise MillError(f"the program does not build; see {self.log}")
            self.left_out |= found
            added = self.write_mutants()
        raise MillError(f"after {REMOVALS_MAX} rounds there are mutants that do not compile; see {self.log}")

    def copy(self):
        files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                               capture_output=True, check=True, text=True).stdout.split("\0")
        for name in filter(None, files):
            if (ROOT / name).is_file() and not name.startswith(SOURCES):
                write_if_new(self.tree / name, (ROOT / name).read_bytes())
        kept = {self.tree / name for name in files} | {self.tree / SOURCES / "mutant.hpp"}
        for file in self.tree.rglob("*"):  # the build would take up what is gone from the project
            if file.is_file() and file not in kept:
                file.unlink()
        for name in ("tools", "tests"):  # scripts stay executable
            for file in (self.tree / name).rglob("*"):
                shutil.copymode(ROOT / file.relative_to(self.tree), file)

    def write_mutants(self):
        """{(file's name, line): numbers} of what was added."""
        header = self.tree / SOURCES / "mutant.hpp"
        write_if_new(header, HEADER.encode())
        added = {}
        for path in sorted((ROOT / SOURCES).iterdir()):
            file = f"{SOURCES}/{path.name}"
            own = {number: mutation for number, (of, mutation) in self.mutants.items()
                   if of == file and number not in self.left_out}
            text, lines = Schema(path.read_text()).render(own)
            write_if_new(self.tree / file, (f'#include "{header}"\n' if own else "").encode() + text.encode())
            added |= {(path.name, line + 1): numbers for line, numbers in lines.items()}
        return added

    def call(self, command):
        with open(self.log, "w") as log:
            return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  timeout=BUILD_SECONDS_MAX).returncode

    def measure(self):
        """What the suites take, and that they pass, without a mutant."""
        for suite in SUITES:
            began = time.monotonic()
            if not self.passes(suite, 0):
                raise MillError(f"{suite.name} does not pass without any mutant")
            took = time.monotonic() - began
            self.limits[suite] = max(SLOWER_MAX * took, SECONDS_MIN)
            print(f"{suite.name:16} {took:6.1f} s", flush=True)

    def passes(self, suite, number):
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
            process = subprocess.Popen([self.building / "bin" / suite.program, *suite.arguments],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       cwd=scratch, start_new_session=True,
                                       env={**os.environ, "TMPDIR": scratch, "WRITE_ASIDE_CRASH_FOLDER": scratch,
                                            "WRITE_ASIDE_MUTANT": str(number)})
            try:
                return process.wait(self.limits.get(suite, BUILD_SECONDS_MAX)) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)  # the simulation has children
                except ProcessLookupError:
                    pass
                process.wait()

    def judge(self, number):
        """`killed by SUITE` or `survived`."""
        for suite in SUITES:
            if not self.passes(suite, number):
                return f"killed by {suite.name}"
        return "survived"


def write_if_new(path, content):
    """What is the same stays, with its time, and is not built again."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
