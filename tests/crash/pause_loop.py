#!/usr/bin/env python3
"""Stops `write-aside apply` at random moments, lets another process take over, wakes the first, and asks the oracle.

  pause_loop.py --program PATH [--units N] [--rounds N] [--stores N]

Half of the stores have one lane and two inputs, the others have several lanes, and both processes apply the same input.
A round: the first process works and is stopped (SIGSTOP); the second one starts and takes the first one's lane once its
lease is over (with the same input, because its units come behind those of the first); then, at random,

  wake         the first goes on, beside the second, with what it had in hand
  wake_late    the same, after the second was killed
  exchange     the second is stopped, too, and the first wakes as the only one; then the second wakes
  die          the first is killed without waking

and both are killed before the next round. A process that is stopped inside SQLite's write lock holds everybody up, so
it is stopped again, a little later; if that does not help the round counts as `locked`. The same input is stopped
where it hurts most, between the commit of a unit and that of its events, and has few keys, so that a late event is out
of order. A round takes the lease (3 s), so several pairs of stores are used side by side.

server_pause_loop.py does the same on PostgreSQL and Kafka. Prints one JSON object. On failure the folders are kept, and
the seed is printed.
"""

import argparse
import collections
import concurrent.futures
import json
import random
import signal
import time

import campaigns
from make_input import CUSTOMERS
from oracle import VIOLATIONS
from stores import Job, Stores

TICK = 0.002
STARTS_MAX = 30.0
TAKES_OVER_MAX = 30.0
WORKS_MAX = 0.3
LANES = 4
FEW_CUSTOMERS = 5
STOPS_MAX = 300
GOES_ON_MAX = 0.003
ACTIONS = ("wake", "wake", "wake_late", "exchange", "die")
BATCHES = ("1", "1", "10", "100")
WAITS = ("decided", "visible")
WORKERS = ("1", "4")
FINISHES_MAX = 40


class Pair:
    """One pair of stores, two processes. `make_stores(program, folder, lanes)` makes the stores."""

    def __init__(self, options, folder, number, make_stores):
        self.options = options
        self.random = random.Random(f"{options.seed} {number}")
        self.same_input = number % 2 == 1
        self.stores = make_stores(options.program, folder, LANES if self.same_input else 1)
        self.inputs = [Input(self, number) for number in range(2)]
        self.next_order = 1
        self.counts = collections.Counter()
        self.deadline = time.monotonic() + options.seconds_max

    def run(self):
        try:
            for _ in range(self.options.rounds):
                self.round()
                for one in self.inputs:
                    one.kill()
            self.finish()
        finally:
            for one in self.inputs:
                one.kill()
        return self.stores.judge(), self.counts

    def wait_until(self, condition, seconds_max):
        end = min(time.monotonic() + seconds_max, self.deadline)
        while not condition():
            if time.monotonic() > self.deadline:
                raise RuntimeError(f"not at the end after {self.options.seconds_max:.0f} s: {dict(self.counts)}")
            if time.monotonic() > end:
                return False
            time.sleep(TICK)
        return True

    def work(self):
        time.sleep(self.random.uniform(0, WORKS_MAX))

    def round(self):
        first, second = self.inputs
        first.start()
        if not self.wait_until(lambda: first.has_worked() or first.has_ended(), STARTS_MAX) or first.has_ended():
            self.counts["not_started"] += 1
            return
        self.work()
        self.stop(first)
        second.start()
        self.wait_until(lambda: second.has_worked() or second.has_ended(), TAKES_OVER_MAX)
        if second.has_ended() or not second.has_worked():
            self.counts["locked"] += 1
            first.signal(signal.SIGCONT)
            self.work()
            return
        self.work()
        action = self.random.choice(ACTIONS)
        self.counts[action] += 1
        if action == "die":
            return
        if action == "wake_late":
            second.kill()
        if action == "exchange":
            second.signal(signal.SIGSTOP)
        first.signal(signal.SIGCONT)
        self.work()
        self.work()
        second.signal(signal.SIGCONT)
        self.work()

    def stop(self, one):
        for _ in range(STOPS_MAX):
            one.signal(signal.SIGSTOP)
            if not self.stores.is_locked() and (not self.same_input or self.stores.has_late_unit()):
                return
            one.signal(signal.SIGCONT)
            time.sleep(self.random.uniform(0, GOES_ON_MAX))
        one.signal(signal.SIGSTOP)

    def finish(self):
        """One after the other: there is one lane, and a live owner keeps it. With several, those who were killed may have
        had more of them than who comes after them takes; `recover` settles the others."""
        begun = [one for one in self.inputs if one.job is not None]
        for one in begun[:1] if self.same_input else begun:
            for _ in range(FINISHES_MAX):
                if not one.job.process:
                    one.start()
                self.wait_until(one.has_ended, self.options.seconds_max)
                status = one.job.exit_status()
                one.job.forget()
                if status == 0:
                    break
                raise RuntimeError(f"{one.job.source} ended with status {status}: {one.job.last_words()}")
        if self.same_input:
            if self.stores.has_late_unit():
                raise RuntimeError("the input is applied to its end, and some of its units are not delivered")
            self.stores.recover()


class Input:
    def __init__(self, pair, number):
        self.pair = pair
        self.number = number
        self.count = 0
        self.job = None
        self.finished = True

    def next_input(self):
        pair = self.pair
        source = f"input-{self.number}-{self.count}"
        units = pair.options.units
        path = pair.stores.add_input(source, units, pair.next_order, f"{self.number}{self.count}", pair.options.seed,
                                     FEW_CUSTOMERS if pair.same_input else CUSTOMERS)
        pair.next_order += units
        self.count += 1
        self.job = Job(pair.stores, source, path)
        if pair.same_input:
            pair.inputs[1].job = Job(pair.stores, source, path, "second")

    def start(self):
        follows = self.pair.same_input and self.number == 1
        if not follows and (self.job is None or self.pair_progress() >= self.pair.options.units):
            self.next_input()
        self.progress = self.pair_progress()
        choice = self.pair.random.choice
        self.job.start("--workers", choice(self.pair.options.workers), "--batch", choice(BATCHES),
                       "--wait", choice(WAITS))

    def pair_progress(self):
        progress = self.pair.stores.progress(self.job.source)
        return self.progress if progress is None else progress  # the stopped process may hold the database

    def has_worked(self):
        return self.pair_progress() > self.progress

    def has_ended(self):
        return self.job.exit_status() is not None

    def signal(self, number):
        if self.job.process and not self.has_ended():
            self.job.signal(number)

    def kill(self):
        """One that finds the only lane taken, or its progress moved by the other, gives up rightly."""
        if self.job is None or self.job.process is None:
            return
        if not self.job.kill() and self.job.exit_status() in (2, 3):
            raise RuntimeError(f"{self.job.source} ended with status {self.job.exit_status()}: {self.job.last_words()}")
        self.job.forget()


def parse_options(rounds, stores, workers):
    parser = argparse.ArgumentParser(description=__doc__ + campaigns.ENVIRONMENT,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--units", type=int, default=2_000, help="of each input")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--stores", type=int, default=stores)
    parser.add_argument("--workers", nargs="+", default=workers, help="drawn anew for each process")
    campaigns.add_options(parser, seconds_max=600)
    options = parser.parse_args()
    options.rounds = int(options.rounds * campaigns.factor())
    options.seconds_max *= campaigns.factor()
    return options


def run_pairs(options, folder, make_stores):
    problems = []
    counts = collections.Counter()
    totals = collections.Counter()

    def run(number):
        own = folder / str(number)
        own.mkdir()
        return Pair(options, own, number, make_stores).run()

    with concurrent.futures.ThreadPoolExecutor(options.stores) as executor:
        for number, future in enumerate([executor.submit(run, number) for number in range(options.stores)]):
            try:
                verdict, rounds = future.result()
            except RuntimeError as error:
                problems.append(f"{number}: {error}")
                continue
            counts.update(rounds)
            totals.update({name: verdict[name] for name in ("units", "committed", "events", *VIOLATIONS)})
            if not verdict["ok"]:
                problems.append(f"{number}: {json.dumps(verdict)}")
    if not counts["wake"] and not problems:
        problems.append("nobody was woken after a takeover")
    return {"problems": problems, "rounds": dict(counts), "oracle": dict(totals)}


def main(make_stores=Stores, rounds=6, stores=4, workers=WORKERS):
    options = parse_options(rounds, stores, workers)
    campaigns.run("pause-loop", options.seed, lambda folder: run_pairs(options, folder, make_stores))


if __name__ == "__main__":
    main()
