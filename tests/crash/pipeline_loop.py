#!/usr/bin/env python3
"""Lets faults strike a pipeline of services, and compares the table at its end with the function of its input.

  pipeline_loop.py --program PATH --transform PATH --pair embedded|servers [--fault FAULT] [--faults N]
                   [--groups N] [--side-by-side N] [--shops N]

  `apply` -> topic -> transform (two members) -> topic -> `consume` (two members)

The three have a database each. A fault kills a process, or all of them, or lets a member more join a group and leave it
again; with --fault broker or database the server is killed and started again. A process that ended is started anew. New
inputs are applied as long as faults are wanted. Then each of the three works to its end, and the last table must hold each
input's number once, with its amount doubled, and the numbers of each key in their order. The table is read with sqlite3
and psycopg; the expectation comes from the input files.

With --shops the servers carry some shops as well (server_loop.py), so that a server that is killed meets both: a database
and topics each, to which `apply` with eight workers brings one input after the other. The oracle judges them.

Prints one JSON object. On failure the folder is kept, and its path and the seed are printed.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import servers.environment  # noqa: E402

servers.environment.enter()

import psycopg  # noqa: E402

import campaigns  # noqa: E402
from oracle import VIOLATIONS  # noqa: E402
from server_faults import ATTEMPTS_MAX, FAULTS, NotJudged  # noqa: E402
from server_loop import FROM_START, JUDGE_SHARE, Shop, await_commits  # noqa: E402
from server_stores import Addresses, database_url  # noqa: E402
from servers.process import ServerError  # noqa: E402
from stores import die_with_parent  # noqa: E402

TICK = 0.01
UNITS = 400  # of an input
CUSTOMERS = 40
SERVICES = ("source", "middle", "last")
WAIT_FOR_WORK_MAX = 2.0
PAUSE_MAX = 0.25
END_SECONDS_MAX = 90
CLEAN_STATUSES = (0, 4, 143)  # done; a store was away for too long; told to end
SHOP = {"units": 1500, "workers": 8, "lanes": 3, "guarantee": "exactly_once", "reporter": None, "expect": None}
TABLES = {
    "embedded": {"source": "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER)",
                 "middle": "CREATE TABLE handled (id INTEGER, amount INTEGER)",
                 "last": "CREATE TABLE result (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, id INTEGER, "
                         "amount INTEGER)"},
    "servers": {"source": "CREATE TABLE orders (id bigint PRIMARY KEY, amount bigint)",
                "middle": "CREATE TABLE handled (id bigint, amount bigint)",
                "last": "CREATE TABLE result (seq bigint GENERATED ALWAYS AS IDENTITY, key text, id bigint, "
                        "amount bigint)"}}
INSERT = {"embedded": "insert into orders values (?, ?)", "servers": "insert into orders values ($1, $2)"}


class EmbeddedPair:
    def __init__(self, folder, _):
        self.folder = folder
        self.suffix = ""
        self.stream = f"local:{folder / 'shop.events'}"

    def make(self, service):
        self.run(service, TABLES["embedded"][service])

    def database(self, service):
        return f"sqlite:{self.folder / service}.db"

    def run(self, service, sql):
        with sqlite3.connect(self.folder / f"{service}.db", timeout=20) as connection:
            return connection.execute(sql).fetchall()

    def close(self):
        pass


class ServerPair:
    def __init__(self, _, addresses):
        self.addresses = addresses
        self.connections = {}  # by service; asked many times a second
        self.suffix = f"-{uuid.uuid4().hex[:8]}"
        self.stream = f"kafka://{addresses.program_kafka or addresses.kafka}"

    def name(self, service):
        return f"{service}{self.suffix}".replace("-", "_")

    def make(self, service):
        with psycopg.connect(self.addresses.postgresql, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {self.name(service)}")
        self.run(service, TABLES["servers"][service])

    def database(self, service):
        return database_url(self.addresses.postgresql, self.name(service))

    def run(self, service, sql):
        kept = self.connections.pop(service, None)
        if kept:
            try:
                return self.run_on(kept, service, sql)
            except psycopg.OperationalError:
                kept.close()  # of a server that was killed since
        return self.run_on(psycopg.connect(self.database(service), autocommit=True), service, sql)

    def run_on(self, connection, service, sql):
        cursor = connection.execute(sql)
        self.connections[service] = connection
        return cursor.fetchall() if cursor.description else []

    def close(self):
        for connection in self.connections.values():
            connection.close()
        with psycopg.connect(self.addresses.postgresql, autocommit=True) as server:
            for service in SERVICES:
                server.execute(f"DROP DATABASE IF EXISTS {self.name(service)} WITH (FORCE)")


class Service:
    """A process that is started again whenever it has ended."""

    def __init__(self, folder, name, command):
        self.name = name
        self.command = command
        self.log = folder / f"{name}.log"
        self.process = None

    def start(self, *more):
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([*self.command(), *more], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)

    def ended(self):
        return self.process is None or self.process.poll() is not None

    def end(self, number=signal.SIGKILL):
        """Whether it was alive; its status otherwise."""
        if self.process is None:
            return False
        self.process.send_signal(number)
        status = self.process.wait(END_SECONDS_MAX)
        self.process = None
        return status == -number

    def last_words(self):
        return (self.log.read_text(encoding="utf-8").splitlines() or [""])[-1] if self.log.exists() else ""


class Pipeline:
    def __init__(self, options, folder, seed):
        folder.mkdir()
        self.options = options
        self.folder = folder
        self.random = random.Random(seed)
        self.deadline = time.monotonic() + options.seconds_max
        self.fault = FAULTS[options.fault](Addresses.given(), seed) if options.pair == "servers" else None
        if self.fault:
            self.fault.open()
        self.pair = (ServerPair if self.fault else EmbeddedPair)(folder, self.fault and self.fault.addresses)
        self.endings = collections.Counter()
        self.faults = collections.Counter()
        self.inputs = []
        self.next_id = 1
        self.seen = 0
        for service in SERVICES:
            self.pair.make(service)
            topics = [f"--topic={self.topic(name)}:4" for name in ("numbers", "doubled")]
            made = subprocess.run(self.program(service, "init", "--lanes=6", *topics), capture_output=True, text=True)
            if made.returncode != 0:
                raise RuntimeError(f"init: {made.stderr}")
        self.next_input()
        self.apply = Service(folder, "apply", lambda: self.program("source", "apply", str(self.inputs[-1]), "--quiet",
                                                                   "--workers=2", "--batch=5"))
        self.members = [Service(folder, f"{kind}-{number}", lambda make=make, name=f"{kind}-{number}": make(name))
                        for kind, make in (("transform", self.transform), ("consume", self.consume))
                        for number in range(2)]
        # They join and leave, and have no name in the group.
        self.visitors = [Service(folder, "transform-visitor", lambda: self.transform("")),
                         Service(folder, "consume-visitor", lambda: self.consume(""))]
        shop_options = argparse.Namespace(program=options.program, **SHOP)
        self.shops = [Shop(shop_options, folder / f"shop-{number}", self.fault.addresses, f"{seed} {number}", None)
                      for number in range(options.shops)]

    def topic(self, name):
        return name + self.pair.suffix

    def program(self, service, *words):
        return [self.options.program, "--database", self.pair.database(service), "--stream", self.pair.stream, *words]

    def transform(self, instance):
        return [self.options.transform, self.pair.database("middle"), self.pair.stream, self.topic("transform"),
                instance, self.topic("numbers"), self.topic("doubled")]

    def consume(self, instance):
        named = [f"--instance={instance}"] if instance else []
        return self.program("last", "consume", self.topic("doubled"), "--name", self.topic("consume"), "--quiet",
                            "--session-timeout=6", *named, "--sql",
                            "insert into result(key, id, amount) values (:key, :value.id, :value.amount)")

    def next_input(self):
        path = self.folder / f"input-{len(self.inputs)}.jsonl"
        with open(path, "w", encoding="utf-8") as file:
            for number in range(self.next_id, self.next_id + UNITS):
                key, amount = f"c{self.random.randrange(CUSTOMERS)}", self.random.randrange(10_000)
                print(json.dumps({
                    "statements": [{"sql": INSERT[self.options.pair], "params": [number, amount]}],
                    "events": [{"topic": self.topic("numbers"), "key": key, "type": "number",
                                "value": {"id": number, "amount": amount}}],
                    "ordering_key": key}), file=file)
        self.next_id += UNITS
        self.inputs.append(path)

    def run(self):
        try:
            while sum(self.faults.values()) < self.options.faults:
                self.wait_for_work()
                self.strike()
                if self.random.random() < JUDGE_SHARE:
                    for shop in self.shops:
                        shop.judge_between()
            for visitor in self.visitors:
                visitor.end()
            self.finish()
            report = self.compare()
            verdicts = [shop.judge() for shop in self.shops]
            report["problems"] += [f"shop: {json.dumps(verdict)}" for verdict in verdicts if not verdict["ok"]]
            if report["problems"] and self.fault:
                self.fault.check_server()
            for shop, verdict in zip(self.shops, verdicts):
                shop.conclude(verdict)
            return {**report, "shops": self.count_shops(verdicts)}
        except RuntimeError:
            self.end_everyone()
            for shop in self.shops:
                shop.stores.save_evidence()
            if self.fault:
                self.fault.check_server()
            raise
        finally:
            self.end_everyone()
            self.pair.close()
            if self.fault:
                self.fault.close()

    def everyone(self):
        return [self.apply, *self.members, *self.visitors]

    def end_everyone(self):
        for service in self.everyone():
            service.end()
        for shop in self.shops:
            shop.job.kill()

    def count_shops(self, verdicts):
        counts = collections.Counter(reports=sum(len(shop.reports) for shop in self.shops))
        for verdict in verdicts:
            counts.update({name: verdict[name] for name in ("units", "committed", "events", *VIOLATIONS)})
        return dict(counts)

    def strike(self):
        dice = self.random.random()
        if self.fault and self.fault.shared_server:
            self.faults[self.options.fault] += self.fault.strike([])
        elif dice < 0.1:
            self.faults["everybody killed"] += any([service.end() for service in self.everyone()])
        elif dice < 0.45:
            visitor = self.random.choice(self.visitors)
            if visitor.ended():
                self.note_end(visitor)
                visitor.start()
            else:
                visitor.end(self.random.choice((signal.SIGKILL, signal.SIGTERM)))
            self.faults["membership changed"] += 1
        else:
            service = self.random.choice([self.apply, *self.members])
            self.faults[f"{service.name.partition('-')[0]} killed"] += service.end()
        self.run_for(self.random.uniform(0, PAUSE_MAX))

    def wait_for_work(self):
        """Until every shop has committed and something more has come to the end of the pipeline, or some time is over;
        now and then nobody waits."""
        if self.random.random() < FROM_START:
            return
        await_commits(self.shops, self.run_for)
        end = time.monotonic() + WAIT_FOR_WORK_MAX
        while time.monotonic() < end:
            self.run_for(TICK * 3)
            if self.count() > self.seen:
                self.seen = self.count()
                return

    def count(self):
        try:
            return self.pair.run("last", "SELECT count(*) FROM result")[0][0]
        except (psycopg.OperationalError, sqlite3.OperationalError):
            return 0

    def run_for(self, seconds):
        end = time.monotonic() + seconds
        while True:
            self.keep_running()
            if time.monotonic() >= end:
                return
            time.sleep(TICK)

    def keep_running(self):
        self.check_time()
        for shop in self.shops:
            shop.keep_running()
        for service in (self.apply, *self.members):
            if not service.ended():
                continue
            if self.note_end(service) == 0 and service is self.apply:
                self.next_input()
            service.start()

    def check_time(self):
        if time.monotonic() > self.deadline:
            raise RuntimeError(f"not at the end after {self.options.seconds_max:.0f} s and {dict(self.faults)}; "
                               f"{[service.last_words() for service in self.everyone()]}, "
                               f"{[shop.job.last_words() for shop in self.shops]}")

    def note_end(self, service):
        if service.process is None:
            return None
        status = service.process.returncode
        service.process = None
        self.endings[f"{service.name}: {status}"] += 1
        if status not in CLEAN_STATUSES:
            raise RuntimeError(f"{service.name} ended by itself with status {status}: {service.last_words()}")
        return status

    def finish(self):
        while True:
            status = self.finish_one(self.apply)
            if status == 0:
                break
        for service, more in zip(self.members[::2], ("until-end", "--until-end")):
            twin = self.members[self.members.index(service) + 1]
            twin.end()
            service.end()
            while self.finish_one(service, more) != 0:
                pass
        for shop in self.shops:
            shop.finish(self.check_time)

    def finish_one(self, service, *more):
        if service.ended():
            service.process = None
            service.start(*more)
        while not service.ended():
            if time.monotonic() > self.deadline:
                raise RuntimeError(f"{service.name} does not come to its end: {service.last_words()}")
            time.sleep(TICK)
        return self.note_end(service)

    def compare(self):
        expected, order = {}, collections.defaultdict(list)
        for path in self.inputs:
            for line in path.read_text(encoding="utf-8").splitlines():
                event = json.loads(line)["events"][0]
                expected[event["value"]["id"]] = event["value"]["amount"]
                order[event["key"]].append(event["value"]["id"])
        problems = []
        for service, table, factor in (("source", "orders", 1), ("middle", "handled", 1), ("last", "result", 2)):
            rows = self.pair.run(service, f"SELECT id, amount FROM {table}")
            counts = collections.Counter(id for id, _ in rows)
            lost = sorted(set(expected) - set(counts))
            twice = sorted(id for id, count in counts.items() if count > 1)
            wrong = sorted(id for id, amount in rows if expected.get(id, -1) * factor != amount)
            for what, ids in (("lost", lost), ("twice", twice), ("wrong", wrong)):
                if ids:
                    problems.append(f"{table}: {len(ids)} {what}, for instance {ids[:5]}")
        seen = collections.defaultdict(list)
        for key, id in self.pair.run("last", "SELECT key, id FROM result ORDER BY seq"):
            seen[key].append(id)
        disordered = [key for key, ids in order.items() if seen[key] != ids]
        if disordered and not problems:
            problems.append(f"result: {len(disordered)} keys out of order, for instance {disordered[:3]}")
        return {"problems": problems, "faults": dict(self.faults), "inputs": len(self.inputs), "events": len(expected),
                "endings": dict(self.endings)}


def run_pipeline(options, folder):
    not_judged = []
    for attempt in range(ATTEMPTS_MAX):
        try:
            report = Pipeline(options, folder / str(attempt), f"{options.seed} {attempt}").run()
            return {**report, "not_judged": not_judged}
        except ServerError as error:
            raise RuntimeError(str(error)) from error
        except NotJudged as error:
            not_judged.append(str(error))
    raise RuntimeError(f"{ATTEMPTS_MAX} times not judged, the last time because {not_judged[-1]}")


def run_groups(options, folder):
    """Several pipelines side by side, each with its share of the faults: most of a fault's time is waiting."""
    def run_one(number):
        share = options.faults // options.groups + (number < options.faults % options.groups)
        words = [sys.executable, __file__, "--program", options.program, "--transform", options.transform, "--pair",
                 options.pair, "--fault", options.fault, "--faults", str(share), "--shops", str(options.shops),
                 "--seed", f"{options.seed}{number}", "--seconds-max", str(options.seconds_max), "--unscaled"]
        return subprocess.run(words, capture_output=True, text=True, preexec_fn=die_with_parent)

    with concurrent.futures.ThreadPoolExecutor(options.side_by_side) as executor:
        done = list(executor.map(run_one, range(options.groups)))
    report = {"problems": [], "faults": collections.Counter(), "inputs": 0, "events": 0,
              "endings": collections.Counter(), "shops": collections.Counter(), "not_judged": []}
    for number, one in enumerate(done):
        lines = one.stdout.splitlines()
        if one.returncode != 0 or not lines:
            report["problems"].append(f"group {number}: {' '.join(lines[1:]) or one.stderr[-500:]}")
            continue
        found = json.loads(lines[0])
        for name in ("faults", "endings", "shops"):
            report[name].update(found[name])
        for name in ("inputs", "events", "not_judged"):
            report[name] += found[name]
    return {name: dict(value) if isinstance(value, dict) else value for name, value in report.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__ + campaigns.ENVIRONMENT,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--transform", required=True)
    parser.add_argument("--pair", required=True, choices=TABLES)
    parser.add_argument("--fault", default="kill", choices=("kill", "broker", "database"))
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--groups", type=int, default=1, help="pipelines, which share the faults")
    parser.add_argument("--side-by-side", type=int, default=3, help="pipelines that run at the same time")
    parser.add_argument("--shops", type=int, default=0, help="beside each pipeline, on the same servers")
    parser.add_argument("--unscaled", action="store_true", help=argparse.SUPPRESS)
    campaigns.add_options(parser, seconds_max=900)
    options = parser.parse_args()
    if options.shops and options.pair != "servers":
        parser.error("--shops needs --pair servers")
    factor = 1 if options.unscaled else campaigns.factor()
    options.faults = int(options.faults * factor)
    options.seconds_max *= factor
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    campaigns.run(f"pipeline-{options.pair}-{options.fault}", options.seed,
                  lambda folder: (run_groups if options.groups > 1 else run_pipeline)(options, folder))


if __name__ == "__main__":
    main()
