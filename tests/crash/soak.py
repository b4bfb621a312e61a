#!/usr/bin/env python3
"""Every fault at random, for as long as one likes, on four processes that share a PostgreSQL and a Kafka.

  soak.py --program PATH --reporter PATH [--minutes N] [--rounds N] [--seconds N] [--seed S]

A round has a database and topics of its own. Three processes apply inputs, with one worker or several, and a fourth
writes down the outcome of every unit (report_outcomes). For --seconds the faults of a plan strike them; kinds, times
and what is chosen in them are drawn from the seed and the round's number. Then, without faults, everything is applied
to its end, `recover` settles the lanes, and the oracle reads both stores. What the program reported must be true, and
its own `verify` must agree. A round ends early when it has enough units, so that an oracle's work is bounded.

Both servers are private, and everybody comes to them through a proxy. They are stopped at the end, as they are by
Ctrl-C, which gives the round under way up and prints the counts. Ends with 1 if a round went wrong; its folder is kept,
with the evidence. The seed repeats the plan, not the moments that the machine makes of it.

A lone broker that is killed may lose the end of a stream transaction, which docs/guarantees.md does not cover: the lane
is halted then. The broker's own files show it (kafka_log.py); such a round is judged no further, and counted apart.
"""

import argparse
import collections
import concurrent.futures
import ctypes
import dataclasses
import json
import logging
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import servers.environment  # noqa: E402

servers.environment.enter()

import campaigns  # noqa: E402
from oracle import VIOLATIONS  # noqa: E402
from server_faults import (DELAY_SECONDS, DOWN_SECONDS_MAX, LATE_SECONDS_MAX, SOON_REPLACED, NotJudged,  # noqa: E402
                           check_markers, crash_lone_broker)
from server_loop import TICK, Applier  # noqa: E402
from server_stores import Addresses, ServerStores  # noqa: E402
from servers import kafka_wire, postgresql_wire, proxy  # noqa: E402
from servers.kafka import NEWEST, Kafka  # noqa: E402
from servers.postgresql import PostgreSQL  # noqa: E402
from servers.process import ServerError  # noqa: E402
from stores import make_folder  # noqa: E402

PROCESSES = 4
PAUSED_MAX = 2  # at once
WORKERS = (1, 1, 4, 8)
LANES = (3, 4, 6, 10)
UNITS_MAX = 24_000  # of a round
VERIFIED_MAX = 2  # inputs of a round that the program audits itself
FINISH_SECONDS_MAX = 240
CALM = (0.3, 0.7, 1.5)  # seconds between two faults, on average; drawn for each round
LEASE_SECONDS = 3.0  # the library's default
TAKEOVER_FORCED_SECONDS = 4.0  # then a process is killed: when it starts again it takes what is free
TAKES_OVER_SECONDS_MAX = 12.0
SLOW_SECONDS = (0.005, 0.1)
SLOW_FOR, CUT_OFF_FOR = (0.5, 4.0), (0.1, 3.0)
IDLE_TIMEOUT = "1s"  # a stopped process keeps the locks of its rows for so long
KEPT_ROUNDS_MAX = 20  # folders of rounds that went wrong, or were not judged
WEIGHTS = {"kill": 4, "kill all": 1, "pause": 2, "backends": 2, "database crash": 1, "broker crash": 1,
           "COMMIT cut before": 3, "COMMIT late": 2, "COMMIT cut after": 3, "end lost": 2, "end late": 1,
           "end delayed": 2, "slow network": 1, "cut off": 1}
TAKEN_OVER = "pause, taken over"


class Interrupted(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Strike:
    at: float  # seconds from the round's begin
    kind: str
    random: random.Random  # for everything else


def plan(seed, number, seconds):
    """The strikes of a round."""
    generator = random.Random(f"{seed} {number}")
    pause = generator.choice(CALM)
    at = generator.uniform(0, 2 * pause)
    while at < seconds:
        kind = generator.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        yield Strike(at, kind, random.Random(generator.random()))
        at += generator.uniform(0, 2 * pause)


class Aim:
    """What a proxy asks about each request: strikes the next one that fits, if a fault is waiting for it."""

    def __init__(self, counts):
        self.counts = counts
        self.waiting = None  # (kind, labels, fault)

    def __call__(self, label):
        waiting = self.waiting
        if waiting is None or label not in waiting[1]:
            return None
        self.waiting = None
        self.counts[waiting[0]] += 1
        return waiting[2]


class Servers:
    """A database server and a broker, behind proxies."""

    def __init__(self, counts):
        self.counts = counts
        self.aims = {"COMMIT": Aim(counts), "end": Aim(counts)}
        self.restarting = {}  # by name: a future
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.running = []
        try:
            self.postgresql = PostgreSQL()
            self.running.append(self.postgresql)
            self.postgresql.start()
            self.database_proxy = self.start_proxy(postgresql_wire, lambda: self.postgresql.port, "COMMIT")
            self.stream_proxy = self.start_proxy(kafka_wire, lambda: self.cluster.brokers[0].port, "end")
            self.cluster = Kafka(advertised={1: f"127.0.0.1:{self.stream_proxy.port}"}, starts_quickly=True,
                                 settings=SOON_REPLACED, controller_apart=True)
            self.running.append(self.cluster)
            self.cluster.start()
        except BaseException:
            self.stop()
            raise
        url = self.postgresql.url
        self.addresses = Addresses(url, self.cluster.bootstrap)
        self.addresses.program_postgresql = url.replace(f":{self.postgresql.port}/", f":{self.database_proxy.port}/")

    def start_proxy(self, wire, port, aim):
        started = proxy.Proxy(wire, port, self.aims[aim]).start()
        self.running.append(started)
        return started

    def restart(self, name, crash):
        """In the background; not while it is under way already. Returns whether it begins."""
        if name in self.restarting and not self.restarting[name].done():
            return False
        self.await_restarts(name)
        self.restarting[name] = self.pool.submit(crash)
        return True

    def await_restarts(self, *names):
        for name in names or list(self.restarting):
            if name in self.restarting:
                self.restarting.pop(name).result()

    def crash_database(self, down):
        self.postgresql.kill()
        time.sleep(down)
        self.postgresql.start()

    def crash_broker(self, down):
        crash_lone_broker(self.cluster, down)

    def calm(self):
        """No faults any more, and everybody there."""
        for aim in self.aims.values():
            aim.waiting = None
        for one in (self.database_proxy, self.stream_proxy):
            one.latency = 0.0
            one.partition(False)
        self.await_restarts()

    def stop(self):
        self.pool.shutdown()
        for one in reversed(self.running):
            one.stop()

    def versions(self):
        library = ctypes.CDLL("librdkafka.so.1")  # the program's
        library.rd_kafka_version_str.restype = ctypes.c_char_p
        return {"PostgreSQL": self.postgresql.sql("SHOW server_version").split()[0], "Kafka": NEWEST,
                "librdkafka": library.rd_kafka_version_str().decode()}


class Process(Applier):
    """One of the four; it may be stopped for a while."""

    paused_at = None
    takeover_forced = False

    def workers(self):
        return self.random.choice(WORKERS)

    def pause(self):
        """Whether it was alive and is stopped now."""
        if self.paused_at is not None or self.job.process is None or self.job.exit_status() is not None:
            return False
        self.job.signal(signal.SIGSTOP)
        self.lanes = self.stores.lanes_of(self.job.process.pid)
        self.paused_at = time.monotonic()
        self.takeover_forced = False
        return True

    def paused_for(self):
        return time.monotonic() - self.paused_at if self.paused_at is not None else 0.0

    def is_taken_over(self):
        lanes = self.stores.lanes_of(self.job.process.pid)
        return lanes is not None and bool(self.lanes) and not self.lanes & lanes

    def wake(self):
        if self.paused_at is not None:
            self.paused_at = None
            if self.job.process is not None and self.job.exit_status() is None:
                self.job.signal(signal.SIGCONT)

    def kill(self):
        self.paused_at = None
        return super().kill()


class Round:
    def __init__(self, soak, number, folder):
        self.soak = soak
        self.servers = soak.servers
        self.counts = soak.faults
        self.random = random.Random(f"{soak.options.seed} {number} processes")
        self.strikes = list(plan(soak.options.seed, number, soak.options.seconds))
        self.slow_until = {}  # by proxy
        self.stores = ServerStores(soak.options.program, folder, self.random.choice(LANES), soak.servers.addresses,
                                   idle_timeout=IDLE_TIMEOUT)
        self.processes = [Process(soak.options, self.stores, f"{soak.options.seed} {number} {own}", own,
                                  soak.options.reporter if own == PROCESSES - 1 else None)
                          for own in range(PROCESSES)]

    def run(self):
        try:
            self.strike_all()
            self.servers.calm()
            self.end_pauses()
            self.finish()
            reports = [report for process in self.processes for report in process.reports]
            outcomes = [outcome for process in self.processes for outcome in process.outcomes()]
            verdict = self.stores.judge(False, reports, outcomes)
            verdict["reports"] = len(reports) + len(outcomes)
            if verdict["ok"]:
                applied = [one for process in self.processes if not process.reporter for one in self.inputs_of(process)]
                self.stores.audit(self.random.sample(applied, min(VERIFIED_MAX, len(applied))))
                self.stores.remove()
            else:
                self.examine()
            return verdict
        except RuntimeError:
            if not self.soak.stopping:
                self.examine()
            raise
        finally:
            for process in self.processes:
                process.job.kill()

    def examine(self):
        """Something went wrong: was it the broker? If not, what there is to see is kept."""
        self.servers.calm()
        self.stores.save_evidence()
        check_markers(self.servers.cluster)

    def inputs_of(self, process):
        return [one for one in self.stores.inputs if one[0].startswith(f"input-{process.number}-")]

    def units(self):
        return sum(last - first + 1 for first, last in self.stores.orders.values())

    def strike_all(self):
        began = time.monotonic()
        for strike in self.strikes:
            while time.monotonic() < began + strike.at:
                self.tick()
            if self.units() >= UNITS_MAX:
                return
            self.strike(strike)

    def tick(self):
        self.soak.check_interrupted()
        for process in self.processes:
            if process.paused_at is None:
                process.keep_running()
        self.end_pauses(lambda process: process.paused_for() > TAKES_OVER_SECONDS_MAX)
        for one, until in list(self.slow_until.items()):
            if time.monotonic() > until:
                del self.slow_until[one]
                one.latency = 0.0
                one.partition(False)
        time.sleep(TICK)

    def end_pauses(self, is_over=lambda process: True):
        for process in self.processes:
            if process.paused_at is None:
                continue
            taken_over = process.paused_for() > LEASE_SECONDS and process.is_taken_over()
            if taken_over or is_over(process):
                self.counts[TAKEN_OVER] += taken_over
                process.wake()
            elif process.paused_for() > TAKEOVER_FORCED_SECONDS and not process.takeover_forced:
                process.takeover_forced = True
                running = [other for other in self.processes if other.paused_at is None]
                self.counts["kill"] += self.random.choice(running).kill()

    def strike(self, strike):
        """Counts what it does; faults in a proxy are counted when they meet a request."""
        draw = strike.random
        down = draw.uniform(0, DOWN_SECONDS_MAX)
        kind = strike.kind
        if kind == "kill":
            self.counts[kind] += draw.choice(self.processes).kill()
        elif kind == "kill all":
            self.counts["kill"] += sum([process.kill() for process in self.processes])
        elif kind == "pause":
            # Somebody must be left who takes over.
            if sum(process.paused_at is not None for process in self.processes) < PAUSED_MAX:
                self.counts[kind] += draw.choice(self.processes).pause()
        elif kind == "backends":
            self.counts[kind] += self.stores.terminate_backends(draw.choice((1, 2, 4, 100))) > 0
        elif kind == "database crash":
            self.counts[kind] += self.servers.restart(kind, lambda: self.servers.crash_database(down))
        elif kind == "broker crash":
            self.counts[kind] += self.servers.restart(kind, lambda: self.servers.crash_broker(down))
        elif kind in ("slow network", "cut off"):
            self.disturb(kind, draw)
        else:
            labels = {"end_txn"} if kind.startswith("end") else {"unit_commit"} if draw.random() < 0.8 else {"commit"}
            self.servers.aims[kind.split()[0]].waiting = (kind, labels, fault_of(kind, draw))

    def disturb(self, kind, draw):
        one = draw.choice((self.servers.database_proxy, self.servers.stream_proxy))
        if one in self.slow_until:
            return
        self.counts[kind] += 1
        if kind == "slow network":
            one.latency = draw.uniform(*SLOW_SECONDS)
        else:
            one.partition(True)
        self.slow_until[one] = time.monotonic() + draw.uniform(*(SLOW_FOR if kind == "slow network" else CUT_OFF_FOR))

    def finish(self):
        """Side by side: they take lanes from each other while one of them is started again."""
        deadline = time.monotonic() + FINISH_SECONDS_MAX

        def check_time():
            self.soak.check_interrupted()
            if time.monotonic() > deadline:
                raise RuntimeError(f"not at the end {FINISH_SECONDS_MAX} s after the last fault: "
                                   f"{[process.job.last_words() for process in self.processes]}")

        with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
            for done in [pool.submit(process.finish, check_time) for process in self.processes]:
                done.result()
        self.stores.recover()


def fault_of(kind, draw):
    late = draw.uniform(0, LATE_SECONDS_MAX)
    delay = draw.uniform(*DELAY_SECONDS)
    after = draw.choice((proxy.cut_after, proxy.cut_at_once))
    return {"COMMIT cut before": proxy.cut_before, "COMMIT late": lambda: proxy.arrives_late(late),
            "COMMIT cut after": after, "end lost": after, "end late": lambda: proxy.arrives_late(late),
            "end delayed": lambda: draw.choice((proxy.answer_delayed, proxy.request_delayed))(delay)}[kind]()


class Soak:
    def __init__(self, options):
        self.options = options
        self.stopping = False
        self.began = time.monotonic()
        self.faults = collections.Counter()
        self.totals = collections.Counter()
        self.rounds = 0
        self.markers_lost = 0
        self.failed = []

    def check_interrupted(self):
        if self.stopping:
            raise Interrupted

    def interrupt(self, *_):
        self.stopping = True

    def minutes(self):
        return (time.monotonic() - self.began) / 60

    def run(self):
        signal.signal(signal.SIGINT, self.interrupt)
        signal.signal(signal.SIGTERM, self.interrupt)
        self.servers = Servers(self.faults)
        try:
            self.versions = self.servers.versions()
            print(f"seed {self.options.seed}", flush=True)
            while not self.is_over():
                self.round()
        except Interrupted:
            print("interrupted", flush=True)
        finally:
            self.servers.stop()

    def number(self):
        return self.rounds + len(self.failed) + self.markers_lost

    def is_over(self):
        if self.stopping or len(self.failed) + self.markers_lost >= KEPT_ROUNDS_MAX:
            return True
        if self.options.rounds:
            return self.rounds + len(self.failed) >= self.options.rounds  # those that were not judged do not count
        return self.minutes() >= self.options.minutes

    def round(self):
        number = self.number()
        folder = make_folder("soak")
        faults = self.faults.total() - self.faults[TAKEN_OVER]
        began = time.monotonic()
        try:
            verdict = Round(self, number, folder).run()
        except NotJudged as lost:
            self.markers_lost += 1
            print(f"round {number:4} not judged: {lost}; see {folder}", flush=True)
            return
        except (RuntimeError, ServerError, OSError) as error:
            self.check_interrupted()
            self.failed.append(f"round {number} of seed {self.options.seed}: {error}; kept {folder}")
            print(self.failed[-1], flush=True)
            self.servers.calm()
            return
        except Interrupted:
            shutil.rmtree(folder)
            raise
        self.totals.update({name: verdict[name] for name in ("units", "committed", "events", "reports", *VIOLATIONS)})
        if verdict["ok"]:
            self.rounds += 1
            shutil.rmtree(folder)
        else:
            self.failed.append(f"round {number} of seed {self.options.seed}: {json.dumps(verdict)}; kept {folder}")
            print(self.failed[-1])
        struck = self.faults.total() - self.faults[TAKEN_OVER] - faults
        print(f"round {number:4}  {self.minutes():6.1f} min  {time.monotonic() - began:4.0f} s  "
              f"{struck:3} faults  {verdict['units']:6} units  {verdict['events']:6} events  "
              f"{sum(verdict[kind] for kind in VIOLATIONS)} violations", flush=True)

    def table(self):
        commit = subprocess.run(["git", "-C", pathlib.Path(__file__).parent, "describe", "--always", "--dirty"],
                                capture_output=True, text=True).stdout.strip()
        rows = {"seed": self.options.seed, "minutes": f"{self.minutes():.1f}", "rounds": self.rounds,
                "rounds that went wrong": len(self.failed), "rounds, marker lost": self.markers_lost}
        rows.update({name: self.totals[name] for name in ("units", "committed", "events", "reports")})
        rows.update({f"fault: {kind}": self.faults[kind] for kind in sorted(self.faults)})
        rows.update({f"violation: {kind}": self.totals[kind] for kind in VIOLATIONS})
        rows.update({**self.versions, "commit": commit or "unknown"})
        return "".join(f"{name:28} {value:>10}\n" for name, value in rows.items())


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--reporter", required=True, metavar="PATH", help="of report_outcomes")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rounds", type=int, help="instead of --minutes")
    parser.add_argument("--seconds", type=float, default=25, help="in which faults strike, of each round")
    parser.add_argument("--units", type=int, default=1000, help="of each input; there are as many inputs as it takes")
    campaigns.add_options(parser, seconds_max=0)
    options = parser.parse_args()
    options.guarantee = "exactly_once"
    return options


def main():
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # a proxy's connections end in the middle of things
    soak = Soak(parse_options())
    try:
        soak.run()
    except ServerError as error:
        sys.exit(f"FAILED: {error}")
    print(soak.table(), end="")
    for failed in soak.failed:
        print(f"FAILED: {failed}")
    if soak.failed or not soak.rounds:
        sys.exit(1)


if __name__ == "__main__":
    main()
