#!/usr/bin/env python3
"""Strikes a process at every call that it makes to one of its stores, in every way, and asks the oracle.

  call_loop.py --program PATH --striker PATH --pair embedded|servers [--levels LEVEL,...] [--kinds KIND,...]
               [--share SHARE] [--recoveries N] [--shops N]

The process is tests/programs/strike_at_call.cpp: it runs a small input, two units at a time, at a guarantee level. Runs
without a fault tell which calls there are, by name and number. Then there is a case for every call and every way to go
wrong there: killed before or after it, refused, reply lost, made late, answered late. Behind a kill comes a run that is
killed as well, at a call of its own: over all cases every call of a recovery is struck, --recoveries times. Then the
input is run to its end without faults.

Of the levels below exactly_once, a share of the cases is drawn (--share), with all of those around the two commits.
There the oracle allows what docs/guarantees.md says of that level, and must find it: a matrix that does not show what
they lose or repeat shows nothing for exactly_once. What was said of a single unit must be true at every level.

Several shops, with stores of their own, work side by side, because most of a case's time is waiting. Prints one JSON
object. On failure the folder is kept, and its path and the seed are printed; a violation's unit names its case.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import functools
import itertools
import json
import operator
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import servers.environment  # noqa: E402

servers.environment.enter()

import campaigns  # noqa: E402
import make_input  # noqa: E402
from oracle import VIOLATIONS  # noqa: E402
from server_stores import Addresses, ServerStores  # noqa: E402
from stores import ReportingJob, Stores  # noqa: E402

KINDS = ("crash_before", "crash_after", "fail", "lose_reply", "delay", "late_reply")
CRASHES = KINDS[:2]
COMMITS = ("session.commit", "producer.end")
UNITS = 3  # two that share a batch, and one behind them with the key of one of them
CUSTOMERS = 2
CLEAN_RUNS = 3
AGAIN_MAX = 2  # is tried what did not come to pass
CASES = 30  # on the same stores
RESTARTS_MAX = 6
RUN_SECONDS_MAX = 60
EXIT_STATUSES = (0, 3, 4)  # done; something has no outcome yet; a store did not do what it was asked
TRANSACTION_SECONDS = 6  # until a stream transaction of a dead process ends, as strike_at_call.cpp has it
PROBLEMS_MAX = 10


@dataclasses.dataclass(frozen=True)
class Level:
    """`allowed`: violations of the promise of exactly_once that are none here, and are to be found."""

    name: str
    allowed: tuple = ()


LEVELS = {level.name: level for level in (
    Level("exactly_once"),
    Level("transactional", ("lost",)),
    Level("at_least_once", ("orphan", "duplicate")))}


@dataclasses.dataclass(frozen=True)
class Strike:
    call: str
    number: int  # among the calls of that name, from 1
    kind: str

    def words(self):
        return [self.call, str(self.number), self.kind]

    def __str__(self):
        return "-".join(self.words())


def every_call(calls):
    """Of a run that made so many of each name."""
    return [(call, number) for call, count in sorted(calls.items()) for number in range(1, count + 1)]


def most(calls):
    return functools.reduce(operator.or_, calls)


def of_every_run(strikes, calls):
    """At calls that each of the runs made; others come only now and then."""
    least = functools.reduce(operator.and_, calls)
    return [strike for strike in strikes if strike.number <= least[strike.call]]


def begins_with_two_keys(*numbers):
    first, second, *_ = make_input.units(*numbers, CUSTOMERS)
    return first["ordering_key"] != second["ordering_key"]


@dataclasses.dataclass
class Run:
    status: int
    struck: bool
    calls: collections.Counter

    def is_killed(self):
        return self.status == -signal.SIGKILL


class StruckJob(ReportingJob):
    def play(self, level, strike=None):
        _, _, database, _, stream = self.stores.command()
        command = [self.program, database, stream, str(self.path), self.source, level.name, str(self.outcomes_path),
                   *(strike.words() if strike else [])]
        try:
            ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                 timeout=RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self.source} with {strike} did not end within {RUN_SECONDS_MAX} s") from None
        with open(self.log_path, "a", encoding="utf-8") as log:
            print("$", *command, f"\n{ran.stdout}{ran.stderr}ended with {ran.returncode}", file=log)
        calls = collections.Counter(ran.stdout.splitlines())
        run = Run(ran.returncode, calls.pop("struck", 0) > 0, calls)
        if not (run.struck and run.is_killed() and strike.kind in CRASHES) and ran.returncode not in EXIT_STATUSES:
            raise RuntimeError(f"{self.source} with {strike} ended with {ran.returncode}: {ran.stderr}")
        return run


class Shop:
    """Stores on which cases are played one after the other."""

    def __init__(self, options, folder, level):
        folder.mkdir()
        self.options = options
        self.level = level
        self.jobs = []
        self.runs = 0
        if options.pair == "servers":
            self.stores = ServerStores(options.program, folder, 1, Addresses.given())
        else:
            self.stores = Stores(options.program, folder, 1)

    def next_job(self, name):
        number = len(self.jobs)
        source = f"{number}-{name}"
        numbers = (UNITS, number * UNITS + 1, str(number))
        seed = next(seed for seed in itertools.count(self.options.seed) if begins_with_two_keys(*numbers, seed))
        path = self.stores.add_input(source, *numbers, seed, CUSTOMERS)
        self.jobs.append(StruckJob(self.options.striker, self.stores, source, path))
        return self.jobs[-1]

    def play(self, job, strike=None):
        if time.monotonic() > self.options.deadline:
            raise RuntimeError(f"not at the end after {self.options.seconds_max:.0f} s")
        self.runs += 1
        return job.play(self.level, strike)

    def finish(self, job):
        for _ in range(RESTARTS_MAX):
            run = self.play(job)
            if run.status == 0:
                return run
        raise RuntimeError(f"{job.source} is not at its end after {RESTARTS_MAX} runs without a fault: {job.log_path}")

    def strike(self, strike, recoveries):
        """What came to pass of the strike, and of the next one of `recoveries` behind a kill."""
        job = self.next_job(strike)
        first = self.play(job, strike)
        recovery = next(recoveries, None) if first.is_killed() else None
        recovery_struck = recovery and self.play(job, recovery).struck
        if first.status != 0:
            self.finish(job)
        return strike if first.struck else None, recovery if recovery_struck else None

    def judge(self):
        # What the dead left open ends by its time-out: in a file when somebody writes after it, on a broker by itself.
        if self.level.name == "transactional" and self.options.pair == "embedded":
            self.stores.await_time_outs(2 * TRANSACTION_SECONDS)
        self.finish(self.next_job("last"))
        self.stores.recover()
        outcomes = [outcome for job in self.jobs for outcome in job.outcomes()]
        verdict = self.stores.judge(outcomes=outcomes, allowed=self.level.allowed)
        if self.options.pair == "servers":
            self.stores.remove() if verdict["ok"] else self.stores.save_evidence()
        return verdict, len(outcomes)


class Matrix:
    """All cases of a level. A case is a strike at a fresh input, and behind a kill a strike at the recovery."""

    def __init__(self, options, folder, level, executor):
        self.options = options
        self.folder = folder / level.name
        self.folder.mkdir()
        self.level = level
        self.executor = executor
        self.share = 1 if level.name == "exactly_once" else min(1, options.share)
        self.random = random.Random(f"{options.seed} {level.name}")
        self.shops = itertools.count()
        self.problems = []
        self.counts = collections.Counter()
        self.oracle = collections.Counter()
        self.struck, self.recoveries_struck = set(), set()

    def run(self):
        began = time.monotonic()
        calls, recovery_calls = self.count_calls()
        strikes = [Strike(*call, kind) for call in every_call(most(calls)) for kind in self.options.kinds]
        strikes = [strike for strike in strikes if strike.call in COMMITS or self.random.random() < self.share]
        # A kill behind a call is almost one before the next.
        recoveries = [Strike(*call, self.random.choice(CRASHES))
                      for call in every_call(most(recovery_calls)) * self.options.recoveries]
        if not set(CRASHES) & set(self.options.kinds):
            recoveries = []
        self.random.shuffle(strikes)
        self.random.shuffle(recoveries)
        self.play(strikes, recoveries)
        if self.share == 1:
            self.play_again(of_every_run(strikes, calls), of_every_run(recoveries, recovery_calls))
            self.check_reached(calls, strikes, self.struck, "")
            self.check_reached(recovery_calls, recoveries, self.recoveries_struck, "recovering: ")
        if self.options.kinds == KINDS:
            self.problems += [f"not found: {kind}" for kind in self.level.allowed if not self.oracle[kind]]
        return {"seconds": round(time.monotonic() - began, 1), "calls": sum(most(calls).values()),
                "recovery_calls": sum(most(recovery_calls).values()), **self.counts, "oracle": dict(self.oracle)}

    def shop(self):
        return Shop(self.options, self.folder / str(next(self.shops)), self.level)

    def count_calls(self):
        """The calls of some first runs, and of some that find units to be delivered."""
        shop = self.shop()
        calls = [shop.finish(shop.next_job("count")).calls for _ in range(CLEAN_RUNS)]
        recoveries = []
        for number in range(CLEAN_RUNS):
            job = shop.next_job("count-recovering")
            shop.play(job, Strike("session.commit", number % UNITS + 1, "crash_after"))
            recoveries.append(shop.finish(job).calls)
        return calls, recoveries

    def play(self, strikes, recoveries):
        chunks = [strikes[first:first + CASES] for first in range(0, len(strikes), CASES)]
        left = iter(recoveries)  # one for whoever comes next
        for future in [self.executor.submit(self.play_chunk, chunk, left) for chunk in chunks]:
            try:
                struck, verdict, counts = future.result()
            except RuntimeError as error:
                self.problems.append(f"{self.level.name}: {error}")
                continue
            for first, recovery in struck:
                self.struck.add(first)
                self.recoveries_struck.add(recovery)
            self.counts.update(counts)
            self.oracle.update({name: verdict[name] for name in ("units", "committed", "events", *VIOLATIONS)})
            if not verdict["ok"]:
                self.problems.append(f"{self.level.name}: {json.dumps(verdict)}")

    def play_again(self, strikes, recoveries):
        """What a run did not come to another one may; a recovery does behind a kill that leaves much to be done."""
        for _ in range(AGAIN_MAX):
            strikes = sorted(set(strikes) - self.struck, key=str)
            recoveries = sorted(set(recoveries) - self.recoveries_struck, key=str)
            telling = [Strike("session.commit", 1, "crash_after")] * len(recoveries)
            self.play(strikes + telling, recoveries)

    def play_chunk(self, strikes, recoveries):
        shop = self.shop()
        struck = [shop.strike(strike, recoveries) for strike in strikes]
        verdict, outcomes = shop.judge()
        return struck, verdict, {"cases": len(strikes), "runs": shop.runs, "outcomes": outcomes}

    def check_reached(self, calls, strikes, struck, where):
        """A call that a run makes only now and then need not come again; one that every run makes must."""
        self.counts[f"{where}struck"] = len(struck & set(strikes))
        self.counts[f"{where}not reached"] = len(set(strikes) - struck)
        never = {one.call for one in of_every_run(strikes, calls)} - {one.call for one in struck if one}
        if never:
            self.problems.append(f"{self.level.name}: {where}never struck: {sorted(never)}")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__ + campaigns.ENVIRONMENT,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--striker", required=True, metavar="PATH", help="of strike_at_call")
    parser.add_argument("--pair", required=True, choices=("embedded", "servers"))
    parser.add_argument("--levels", default=",".join(LEVELS))
    parser.add_argument("--kinds", default=",".join(KINDS), help="of faults; default: all of them")
    parser.add_argument("--share", type=float, default=0.2, help="of the cases below exactly_once")
    parser.add_argument("--recoveries", type=int, default=1, help="how often each call of a recovery is struck")
    parser.add_argument("--shops", type=int, default=12, help="that work at the same time")
    campaigns.add_options(parser, seconds_max=900)
    options = parser.parse_args()
    options.kinds = tuple(options.kinds.split(","))
    options.seconds_max *= campaigns.factor()
    options.deadline = time.monotonic() + options.seconds_max
    options.share *= campaigns.factor()
    options.recoveries = int(options.recoveries * campaigns.factor())
    return options


def run_matrices(options, folder):
    with concurrent.futures.ThreadPoolExecutor(options.shops) as executor, \
            concurrent.futures.ThreadPoolExecutor(len(LEVELS)) as levels:
        matrices = [Matrix(options, folder, LEVELS[name], executor) for name in options.levels.split(",")]
        futures = {matrix.level.name: levels.submit(matrix.run) for matrix in matrices}
        reports = {name: future.result() for name, future in futures.items()}
    problems = [problem for matrix in matrices for problem in matrix.problems]
    return {"problems": problems[:PROBLEMS_MAX], "pair": options.pair, **reports}


def main():
    options = parse_options()
    campaigns.run(f"calls-{options.pair}", options.seed, lambda folder: run_matrices(options, folder))


if __name__ == "__main__":
    main()
