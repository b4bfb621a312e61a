#!/usr/bin/env python3
"""Breaks the coordination in one place at a time, and asks the suites whether they notice.

  run.py [--only FILE[,FILE]] [--kinds KIND[,KIND]] [--limit N] [--seed S] [--again] [--list]

The mutants (mutations.py) are made in copies of the sources, build/mutants/N/tree, with builds of their own, $JOBS side
by side. For each, the suites run from the cheapest on until one fails; one that does not end counts as failed, as it
does for whoever runs it. --limit takes N mutants at random, over all files; the same for the same --seed. Results are kept in
build/mutants/results.jsonl, so that a run that was stopped goes on; they count while the file that was mutated stays as
it was. --again tries only those once more that survived unexplained.

A mutant that no suite notices must be explained in survivors.toml, else the exit status is 1.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib

from mutations import function_at, mutations

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = "src/coordination"
FOLDER = ROOT / "build" / "mutants"
RESULTS = FOLDER / "results.jsonl"
EXPLAINED = pathlib.Path(__file__).with_name("survivors.toml")
BUILD_SECONDS_MAX = 900
SLOWER_MAX, SECONDS_MIN = 5, 20  # a suite's limit, beside what it takes without a mutant
MEMORY_MAX = 6 << 30
COORDINATION = "LaneTest*:Janitor*:Ledger*:LedgerRecord*:Resolver*:SealPolicy*:Takeover*:HaltTest*:Publication*"


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    program: str
    arguments: tuple


SUITES = (
    Suite("unit", "unit_tests", ("--gtest_fail_fast", f"--gtest_filter={COORDINATION}")),
    Suite("2,000 seeds", "simulate", ("--seeds", "2000", "--jobs", "1")),
    Suite("simulation", "simulation_tests", ("--gtest_fail_fast", "--gtest_filter=-RandomFaults*:EmbeddedCrash*")),
    Suite("embedded crash", "simulation_tests", ("--gtest_fail_fast", "--gtest_filter=EmbeddedCrash*")),
    Suite("8,000 seeds more", "simulate", ("--first", "2001", "--seeds", "8000", "--jobs", "1")),
)


class MillError(RuntimeError):
    pass


class Mill:
    """A copy of the sources, and its build."""

    def __init__(self, number):
        self.folder = FOLDER / str(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tree, self.building = self.folder / "tree", self.folder / "build"
        self.log = open(self.folder / "log", "w")
        self.limits = {}
        files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                               capture_output=True, check=True, text=True).stdout.split("\0")
        for name in filter(None, files):
            source, copy = ROOT / name, self.tree / name
            if source.is_file() and (not copy.exists() or copy.read_bytes() != source.read_bytes()):
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, copy)  # with the time of now: it is to be built
        configure = ["cmake", "-S", self.tree, "-B", self.building, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     "-DCMAKE_CXX_FLAGS_RELEASE=-O1", "-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=gold",
                     "-DWRITE_ASIDE_INSTALL=OFF", "-DWRITE_ASIDE_EXAMPLES=OFF"]
        if self.run(configure, BUILD_SECONDS_MAX) != 0:
            raise MillError(f"cannot configure; see {self.log.name}")

    def run(self, command, seconds):
        """The exit status; None after so many seconds."""
        environment = {**os.environ, "TMPDIR": str(self.folder / "tmp")}
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=self.log,
                                   stderr=self.log, cwd=self.folder, env=environment, start_new_session=True)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # the simulation has children
            except ProcessLookupError:
                pass
            process.wait()

    def build(self, program):
        return self.run(["ninja", "-C", self.building, "-j", "1", program], BUILD_SECONDS_MAX) == 0

    def passes(self, suite):
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        (self.folder / "tmp").mkdir()
        return self.run([self.building / "bin" / suite.program, *suite.arguments],
                        self.limits.get(suite, BUILD_SECONDS_MAX)) == 0

    def measure(self):
        """What the suites take, and that they pass, without a mutant."""
        for suite in SUITES:
            if not self.build(suite.program):
                raise MillError(f"{suite.program} does not build; see {self.log.name}")
            began = time.monotonic()
            if not self.passes(suite):
                raise MillError(f"{suite.name} does not pass without any mutant; see {self.log.name}")
            took = time.monotonic() - began
            self.limits[suite] = max(SLOWER_MAX * took, SECONDS_MIN)
            print(f"{suite.name:16} {took:6.1f} s", flush=True)

    def judge(self, file, mutation):
        """`uncompilable`, `killed by SUITE` or `survived`."""
        path = self.tree / file
        text = path.read_text()
        path.write_text(mutation.apply(text))
        try:
            for suite in SUITES:
                if not self.build(suite.program):
                    return "uncompilable"
                if not self.passes(suite):
                    return f"killed by {suite.name}"
            return "survived"
        finally:
            path.write_text(text)


def judge_all(due, results):
    """On several mills; a file's mutants go to one of them, which builds it alone."""
    files = queue.SimpleQueue()
    for _, group in itertools.groupby(enumerate(due, start=1), lambda one: one[1][0]):
        files.put(list(group))
    lock, stopped = threading.Lock(), threading.Event()

    def work(number):
        mill = Mill(number)
        mill.measure()
        while not stopped.is_set():
            try:
                group = files.get_nowait()
            except queue.Empty:
                return
            for place, (file, mutation, own) in group:
                if stopped.is_set():
                    return
                began = time.monotonic()
                result = mill.judge(file, mutation)
                with lock, open(RESULTS, "a") as kept:
                    results[own] = result
                    kept.write(json.dumps({"key": own, "result": result}) + "\n")
                    print(f"{place}/{len(due)}  {file}:{mutation.line}  {mutation.kind}: {result}  "
                          f"{time.monotonic() - began:.0f} s", flush=True)

    mills = int(os.environ.get("JOBS", "1"))
    with concurrent.futures.ThreadPoolExecutor(mills) as executor:
        working = [executor.submit(work, number) for number in range(mills)]
        try:
            for one in working:
                one.result()
        except KeyboardInterrupt:
            print("interrupted: the same command goes on from here; what is being judged is judged yet", flush=True)
        finally:
            stopped.set()


def key(file, mutation, text):
    """The same as long as the file is the same."""
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return json.dumps([file, version, mutation.line, mutation.old, mutation.new])


def all_mutants(only):
    """(file, mutation, key) in the order of the files."""
    found = []
    for path in sorted((ROOT / SOURCES).iterdir()):
        if path.suffix in (".cpp", ".hpp") and (not only or path.name in only):
            text = path.read_text()
            file = f"{SOURCES}/{path.name}"
            found += [(file, mutation, key(file, mutation, text)) for mutation in mutations(text)]
    return found


def explanations():
    """The known survivors: (file, function, old, new), the texts without their indentation."""
    known = tomllib.loads(EXPLAINED.read_text()) if EXPLAINED.exists() else {}
    return {(one["file"], one["function"], stripped(one["old"]), stripped(one["new"]))
            for one in known.get("survivor", ()) if one["why"]}


def is_explained(explained, file, mutation):
    function = function_at((ROOT / file).read_text(), mutation.line)
    return (pathlib.Path(file).name, function, stripped(mutation.old), stripped(mutation.new)) in explained


def stripped(text):
    return "\n".join(line.strip() for line in text.strip().split("\n"))


def read_results():
    if not RESULTS.exists():
        return {}
    return {one["key"]: one["result"] for one in map(json.loads, RESULTS.read_text().splitlines())}


def report(mutants, results):
    """Prints the table; returns the survivors that nobody explained."""
    explained, unexplained = explanations(), []
    judged = [(file, mutation, results[own]) for file, mutation, own in mutants if own in results]
    columns = [*(f"killed by {suite.name}" for suite in SUITES), "explained", "survived", "uncompilable"]
    rows = collections.defaultdict(collections.Counter)
    for file, mutation, result in judged:
        if result == "survived":
            if is_explained(explained, file, mutation):
                result = "explained"
            else:
                unexplained.append((file, mutation))
        rows[pathlib.Path(file).name][result] += 1
    print(f"\n{'':32}" + "".join(f"{name.removeprefix('killed by '):>18}" for name in columns))
    for name, counts in [*sorted(rows.items()), ("all", sum(rows.values(), collections.Counter()))]:
        print(f"{name:32}" + "".join(f"{counts[column]:18}" for column in columns))
    print(f"\n{len(judged)} of {len(mutants)} mutants were tried")
    for file, mutation in unexplained:
        print(f"\nSURVIVED {file}:{mutation.line}: {mutation.kind}")
        for sign, text in (("-", mutation.old), ("+", mutation.new)):
            print("\n".join(f"  {sign} {line}" for line in text.split("\n")))
    return unexplained


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="FILE[,FILE]")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=[], metavar="KIND[,KIND]",
                        help="invert, swap, drop call, drop assignment, drop return, drop step, reorder; default: all")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="try the survivors once more, and no others")
    parser.add_argument("--list", action="store_true", help="only say what is known so far")
    return parser.parse_args()


def main():
    options = parse_options()
    mutants = [one for one in all_mutants(options.only) if not options.kinds or one[1].kind in options.kinds]
    results = read_results()
    chosen = mutants
    if options.limit is not None:
        chosen = random.Random(options.seed).sample(mutants, min(options.limit, len(mutants)))
        chosen.sort(key=mutants.index)  # neighbours share what is built
    due = [one for one in chosen if one[2] not in results]
    if options.again:
        explained = explanations()
        due = [one for one in chosen if results.get(one[2]) == "survived" and not is_explained(explained, *one[:2])]
    if not options.list and due:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            judge_all(due, results)
        except MillError as error:
            sys.exit(f"FAILED: {error}")
    sys.exit(1 if report(mutants, results) else 0)


if __name__ == "__main__":
    main()
