#!/usr/bin/env python3
"""Lets faults strike `write-aside apply` on PostgreSQL and Kafka, again and again, and asks the oracle.

  server_loop.py --program PATH --fault FAULT [--faults N] [--groups N] [--side-by-side N] [--shops N] [--workers N]
                 [--reporter PATH] [--preload-newer]

A shop is a database, its topics, and a process that applies one input after the other to them, with several workers
whose units share keys and rows. A group of shops meets its faults together; groups run side by side, because most of a
fault's time is waiting. A group whose server broke its own promise meanwhile (docs/guarantees.md) is not judged, and
tried again. A group's fault strikes a random time after its shops began to commit again, or, in a proxy, whenever a
request that matters passes; FAULT is one of those in server_faults.py. A process that gives up is started again; what
it said of its units is checked against the rows, at once. With --reporter the shops run a program that writes down the
outcome of each unit instead, and every single one is checked at the end. Then everything is applied to its end without
faults, `recover` settles every lane, and the oracle judges. Between, it sometimes judges what is there so far.

The servers are those that tools/servers gives; faults that end a server, or need a proxy in front, start their own.

Prints one JSON object. On failure the folder is kept, and its path and the seed are printed; the seed repeats inputs
and delays, not the moments that the machine makes of them.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import servers.environment  # noqa: E402

servers.environment.enter()

import campaigns  # noqa: E402
from oracle import VIOLATIONS, Report  # noqa: E402
from server_faults import ATTEMPTS_MAX, FAULTS, NotJudged  # noqa: E402
from server_stores import Addresses, ServerStores  # noqa: E402
from servers.process import ServerError  # noqa: E402
from stores import Job, ReportingJob  # noqa: E402

TICK = 0.005
BATCHES = ("1", "1", "5", "50")
WAITS = ("decided", "decided", "visible")
FROM_START = 0.2  # share of the faults that may strike before anything is committed
WORKS_AGAIN_MAX = 20.0
DELAY_MAX = 0.4
JUDGE_SHARE = 0.03
RESTARTS_MAX = 30
ORDERS_EACH_MAX = 10_000_000  # of one process
# Nothing of what a fault does may make the program say that it was used wrongly.
USAGE = 2


class Applier:
    """A process that applies one input after the other. Several may work on the same stores: `number` keeps their
    sources, customers and orders apart. With a `reporter`, it runs that program instead of `apply`."""

    def __init__(self, options, stores, seed, number=0, reporter=None):
        self.options = options
        self.random = random.Random(seed)
        self.seed = seed
        self.stores = stores
        self.number = number
        self.reporter = reporter
        self.first_order = number * ORDERS_EACH_MAX + 1
        self.inputs = 0
        self.reports = []
        self.reporting_jobs = []
        self.endings = collections.Counter()
        self.next_input()

    def next_input(self):
        name = f"{self.number}-{self.inputs}"
        self.units = self.options.units
        path = self.stores.add_input(f"input-{name}", self.units, self.first_order, name, self.seed)
        self.first_order += self.units
        self.inputs += 1
        if self.reporter:
            self.job = ReportingJob(self.reporter, self.stores, f"input-{name}", path)
            self.reporting_jobs.append(self.job)
        else:
            self.job = Job(self.stores, f"input-{name}", path)
        self.finished = False

    def keep_running(self):
        if self.job.process is None:
            if self.finished:
                self.next_input()
            self.start()
        elif self.job.exit_status() is not None:
            self.ended()

    def start(self):
        self.job.start("--workers", str(self.workers()), "--batch", self.random.choice(BATCHES), "--wait",
                       self.random.choice(WAITS), "--guarantee", self.options.guarantee, "--json")

    def workers(self):
        return self.options.workers

    def kill(self):
        """Whether the process was alive."""
        killed = self.job.kill()
        if not killed and self.job.process is not None:
            self.ended()
        return killed

    def ended(self):
        """The process has ended by itself."""
        status = self.job.exit_status()
        words = self.job.last_words()
        report = self.job.report()
        self.job.forget()
        self.finished = status == 0
        self.endings[str(status) if status == 0 else f"{status}: {generalised(words)}"] += 1
        if status == USAGE or status < 0:
            raise RuntimeError(f"{self.job.source} ended by itself with status {status}: {words}")
        rows = self.stores.progress(self.job.source)
        if report is not None and rows is not None:
            self.reports.append(Report(self.job.source, status, report, rows))

    def finish(self, check_time):
        for _ in range(RESTARTS_MAX):
            if self.finished:
                return
            if self.job.process is None:
                self.start()
            while self.job.exit_status() is None:
                check_time()
                time.sleep(TICK)
            self.ended()
        if not self.finished:
            raise RuntimeError(f"{self.job.source} is not at its end after {RESTARTS_MAX} restarts: "
                               f"{self.job.last_words()}")

    def outcomes(self):
        return [outcome for job in self.reporting_jobs for outcome in job.outcomes()]


class Shop(Applier):
    """A process with stores of its own."""

    def __init__(self, options, folder, addresses, seed, environment):
        folder.mkdir()
        self.outcome_count = 0
        self.last_seen = 0
        stores = ServerStores(options.program, folder, options.lanes, addresses, environment)
        super().__init__(options, stores, seed, reporter=options.reporter)

    def has_committed(self):
        """Whether there is something new since the last look; None while the database does not answer."""
        last = self.stores.last_order()
        if last is not None and last > self.last_seen:
            self.last_seen = last
            return True
        return last and False

    def finish(self, check_time):
        super().finish(check_time)
        self.stores.recover()

    def judge(self, unfinished=False):
        outcomes = self.outcomes()
        self.outcome_count = len(outcomes)
        return self.stores.judge(unfinished, self.reports, outcomes)

    def judge_between(self):
        """Nothing may be wrong at any time."""
        self.kill()
        verdict = self.judge(unfinished=True)
        if not verdict["ok"] and not self.options.expect:
            raise RuntimeError(f"wrong between two faults: {json.dumps(verdict)}")

    def conclude(self, verdict):
        """What is wrong is kept. Otherwise the program's own audit must agree; it does not know of units that never
        committed."""
        if verdict["ok"] and not self.reporting_jobs:
            self.stores.audit(self.stores.inputs)
        if verdict["ok"] or self.options.expect:
            self.stores.remove()
        else:
            self.stores.save_evidence()


def await_commits(shops, run_for):
    """Until every shop has committed something new, or some time is over."""
    for shop in shops:
        shop.has_committed()
    waiting = set(shops)
    end = time.monotonic() + WORKS_AGAIN_MAX
    while waiting and time.monotonic() < end:
        run_for(TICK)
        waiting = {shop for shop in waiting if not shop.has_committed()}


class Group:
    """Shops that meet the same faults, and the fault."""

    terminated = False  # somebody wants us to end: servers of our own are not to stay behind

    def __init__(self, options, folder, number, faults, environment, attempt=0):
        seed = f"{options.seed} {number} {attempt}"
        self.options = options
        self.random = random.Random(seed)
        self.deadline = time.monotonic() + options.seconds_max
        self.fault = FAULTS[options.fault](Addresses.given(), seed)
        self.fault_count_min = faults
        self.struck = 0
        self.judged = 0
        self.began = time.monotonic()
        self.fault.open()
        try:
            self.shops = [Shop(options, folder / f"{number}-{attempt}-{shop}", self.fault.addresses, f"{seed} {shop}",
                               environment)
                          for shop in range(options.shops)]
        except BaseException:
            self.fault.close()
            raise

    def run(self):
        try:
            self.strike_randomly() if self.fault.is_random else self.strike()
            took = time.monotonic() - self.began
            for shop in self.shops:
                shop.finish(self.check_time)
            verdicts = [shop.judge() for shop in self.shops]
            if not self.options.expect and not all(verdict["ok"] for verdict in verdicts):
                self.fault.check_server()
            for shop, verdict in zip(self.shops, verdicts):
                shop.conclude(verdict)
            return verdicts, took
        except RuntimeError:
            for shop in self.shops:
                shop.job.kill()
                shop.stores.save_evidence()
            if not self.terminated:
                self.fault.check_server()
            raise
        finally:
            for shop in self.shops:
                shop.job.kill()
            self.fault.close()

    def check_time(self):
        if self.terminated:
            raise RuntimeError("terminated")
        if time.monotonic() > self.deadline:
            raise RuntimeError(f"not at the end after {self.options.seconds_max:.0f} s and {self.struck} faults; "
                               f"{[shop.job.last_words() for shop in self.shops]}")

    def strike(self):
        while self.struck < self.fault_count_min:
            self.wait_until_committing()
            self.run_for(self.random.uniform(0, DELAY_MAX))
            self.struck += self.fault.strike(self.shops)
            if self.random.random() < JUDGE_SHARE:
                self.judge_between()

    def strike_randomly(self):
        self.fault.armed = True
        while self.struck < self.fault_count_min:
            self.run_for(TICK)
            self.struck = self.fault.struck
        self.fault.armed = False

    def wait_until_committing(self):
        """Every shop, or some time is over; now and then nobody waits."""
        if self.random.random() >= FROM_START:
            await_commits(self.shops, self.run_for)

    def run_for(self, seconds):
        end = time.monotonic() + seconds
        while True:
            self.check_time()
            for shop in self.shops:
                shop.keep_running()
            if time.monotonic() >= end:
                return
            time.sleep(TICK)

    def judge_between(self):
        self.judged += 1
        for shop in self.shops:
            shop.judge_between()


def generalised(words):
    return re.sub(r"[0-9a-f]{8,}|\d+", "#", words)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__ + campaigns.ENVIRONMENT,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--fault", required=True, choices=FAULTS)
    parser.add_argument("--faults", type=int, default=50, help="of all groups together")
    parser.add_argument("--groups", type=int, default=1)
    parser.add_argument("--side-by-side", type=int, default=5, help="groups that run at the same time")
    parser.add_argument("--shops", type=int, default=1, help="of each group")
    parser.add_argument("--units", type=int, default=1500, help="of each input; there are as many inputs as it takes")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--lanes", type=int, default=3)
    parser.add_argument("--guarantee", default="exactly_once")
    parser.add_argument("--expect", choices=VIOLATIONS,
                        help="a violation that must be found: shows that a campaign can find it")
    parser.add_argument("--reporter", metavar="PATH",
                        help="of report_outcomes, to be run instead of the program's apply")
    parser.add_argument("--preload-newer", action="store_true", help="run the program with a newer librdkafka")
    campaigns.add_options(parser, seconds_max=900)
    options = parser.parse_args()
    options.faults = int(options.faults * campaigns.factor())
    options.seconds_max *= campaigns.factor()
    return options


def run_groups(options, folder):
    environment = dict(os.environ)
    if options.preload_newer:
        environment["LD_PRELOAD"] = str(servers.environment.newer_librdkafka())
    problems, groups, not_judged = [], [], []
    shares = [options.faults // options.groups + (number < options.faults % options.groups)
              for number in range(options.groups)]

    def run_group(number):
        for attempt in range(ATTEMPTS_MAX):
            try:
                group = Group(options, folder, number, shares[number], environment, attempt)
                groups.append(group)
                return group.run()
            except ServerError as error:
                raise RuntimeError(str(error)) from error
            except NotJudged as error:
                groups.remove(group)
                not_judged.append(f"group {number}: {error}")
        raise RuntimeError(f"{ATTEMPTS_MAX} times not judged, the last time because {not_judged[-1]}")

    totals, endings, took = collections.Counter(), collections.Counter(), 0.0
    with concurrent.futures.ThreadPoolExecutor(options.side_by_side) as executor:
        for number, future in enumerate([executor.submit(run_group, number) for number in range(options.groups)]):
            try:
                verdicts, seconds = future.result()
            except RuntimeError as error:
                problems.append(f"group {number}: {error}")
                continue
            took = max(took, seconds)
            for verdict in verdicts:
                totals.update({name: verdict[name] for name in ("units", "committed", "events", *VIOLATIONS)})
                if not verdict["ok"] and not options.expect:
                    problems.append(f"group {number}: {json.dumps(verdict)}")
    if options.expect and not totals[options.expect]:
        problems.append(f"not found: {options.expect}")
    shops = [shop for group in groups for shop in group.shops]
    for shop in shops:
        endings.update(shop.endings)
    return {"problems": problems, "fault": options.fault, "faults": sum(group.struck for group in groups),
            "striking_seconds": round(took, 1), "judged_between": sum(group.judged for group in groups), "not_judged": not_judged,
            "reports": sum(len(shop.reports) for shop in shops),
            "outcomes": sum(shop.outcome_count for shop in shops), "endings": dict(endings), "oracle": dict(totals)}


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: setattr(Group, "terminated", True))
    campaigns.run(f"server-{options.fault}", options.seed, lambda folder: run_groups(options, folder))


if __name__ == "__main__":
    main()
