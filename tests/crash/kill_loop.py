#!/usr/bin/env python3
"""Kills `write-aside apply` at random moments, again and again, lets it finish, and asks the oracle.

  kill_loop.py --program PATH [--units N] [--kills N] [--processes N] [--batch N[,N]] [--wait decided[,visible]]

Several processes apply an input each, to the same stores, at once. Every life of a process draws its batch size, its
--workers and its --wait from what is given, and with --clocks-differ how wrong its clock is. A life ends by SIGKILL: a
quarter of them somewhere from its start on, the others a random time after it began to commit, so chosen that the
units last for the kills. When an input ends early, the process goes on with another one. Only kills of a live process
count. Whenever all processes are dead, copies of the files tell in which phase they died, and sometimes the oracle
judges the copies: nothing may be wrong at any time.

Prints one JSON object. On failure the folder is kept, and its path and the seed are printed; the seed repeats inputs
and delays, not the moments that the machine makes of them.
"""

import argparse
import collections
import json
import random
import re
import time

import campaigns
import wrong_clock
from oracle import VIOLATIONS
from stores import Job, Stores, query, read_progress

TICK = 0.001
START_KILLS = 0.25  # share of the kills that may come before the first commit
KILL_ALL = 0.2  # share of the kills that end all processes at once
# The takeover commits twice before the first unit does.
TAKEOVER_TRANSACTIONS = 2
STARTED_AFTER_MAX = 3.0
DELAY_FIRST, DELAY_MIN, DELAY_MAX = 0.05, 0.001, 3.0
RESTARTS_MAX = 50
ROUNDS_MAX = 10
LATER_INPUT_SHARE = 10
PHASES = ("before_first_commit", "undelivered", "open_in_stream", "all_settled")
# The phases in which there is something to recover. Under steady work a moment where all is settled is rare; and a lane's
# records come into the file only with the end of their stream transaction, unless they are large.
PHASES_TO_HIT = PHASES[:2]


class Slot:
    """A process, and the inputs that it applies one after the other."""

    def __init__(self, campaign, number):
        self.campaign = campaign
        self.number = number
        self.count = 0
        self.job = None
        self.finished_units = 0
        self.next_input(campaign.options.units // campaign.options.processes)

    def next_input(self, units):
        campaign = self.campaign
        source = f"input-{self.number}-{self.count}"
        path = campaign.stores.add_input(source, units, campaign.next_order, f"{self.number}{self.count}",
                                         campaign.options.seed)
        campaign.next_order += units
        self.count += 1
        self.units = units
        self.job = Job(campaign.stores, source, path)
        self.finished = False

    def start(self):
        options, generator = self.campaign.options, self.campaign.random
        self.batch = generator.choice(options.batch)
        words = ["--workers", generator.choice(options.workers), "--batch", self.batch,
                 "--wait", generator.choice(options.wait), "--guarantee", options.guarantee]
        self.began = time.monotonic()
        self.transactions = self.campaign.stores.transactions()
        self.worked_from = None
        self.from_start = options.processes > 1 or generator.random() < START_KILLS
        if options.clocks_differ:
            error = generator.uniform(-options.clocks_differ, options.clocks_differ)
            self.campaign.stores.environment = wrong_clock.environment(error)
        self.job.start(*words)
        self.campaign.lives += 1

    def begins_to_work(self, now):
        if self.from_start or now - self.began > STARTED_AFTER_MAX:
            return True
        seen = self.campaign.stores.transactions()
        if seen is None:
            self.transactions = None  # the file is being made anew
            return False
        if self.transactions is None or seen < self.transactions:
            self.transactions = seen
        return seen - self.transactions > TAKEOVER_TRANSACTIONS

    def is_due(self, now):
        if self.worked_from is None:
            if not self.begins_to_work(now):
                return False
            self.worked_from = self.began if self.from_start else now
            self.kill_at = self.worked_from + self.campaign.random.uniform(0, self.campaign.delay_max[self.batch])
        return now >= self.kill_at

    def end_of_life(self, now):
        if self.worked_from is not None:
            self.campaign.worked += now - self.worked_from
            self.campaign.batches.add(self.batch)


class Campaign:
    def __init__(self, options, folder):
        self.options = options
        self.random = random.Random(options.seed)
        lanes = options.processes * (1 if options.workers == ["1"] else 2)  # what they hold when all is well
        self.stores = Stores(options.program, folder, options.lanes or lanes + self.random.randrange(3))
        self.next_order = 1
        self.lives = 0
        self.kills = 0
        self.phases = dict.fromkeys(PHASES, 0)
        self.refusals = collections.Counter()
        self.judged = 0
        self.worked = 0.0  # seconds since the last look
        self.batches = set()  # sizes used since then
        self.units_seen = 0
        self.delay_max = dict.fromkeys(options.batch, DELAY_FIRST)
        self.slots = [Slot(self, number) for number in range(options.processes)]
        self.deadline = time.monotonic() + options.seconds_max

    def run(self):
        try:
            verdict = self.round()
            # Chance decides whether a kill does damage at a lower level.
            for _ in range(ROUNDS_MAX - 1):
                if all(verdict[kind] for kind in self.options.expect):
                    break
                self.options.kills += self.options.kills_a_round
                for slot in self.slots:
                    slot.next_input(slot.units)
                verdict = self.round()
        finally:
            for slot in self.slots:
                slot.job.kill()
            if self.options.clocks_differ:
                wrong_clock.clean_up()
        return self.report(verdict)

    def round(self):
        self.kill_processes()
        self.finish()
        return self.stores.judge()

    def check_time(self):
        if time.monotonic() > self.deadline:
            raise RuntimeError(f"not at the end after {self.options.seconds_max:.0f} s and {self.kills} kills")

    def kill_processes(self):
        while self.kills < self.options.kills:
            self.check_time()
            for slot in self.slots:
                if slot.job.process is None:
                    slot.start()
            time.sleep(TICK)
            for slot in self.slots:
                now = time.monotonic()
                if slot.job.process is None:
                    continue
                if slot.job.exit_status() is not None:
                    self.ended(slot, slot.job.exit_status())
                elif slot.is_due(now):
                    self.kill(self.slots if self.random.random() < KILL_ALL else [slot])

    def kill(self, slots):
        killed = 0
        for slot in slots:
            if slot.job.kill():
                slot.end_of_life(time.monotonic())
                killed += 1
            elif slot.job.process is not None:
                self.ended(slot, slot.job.exit_status())
        self.kills += killed
        if not killed:
            return
        if all(slot.job.process is None for slot in self.slots):
            self.look()
        else:
            self.adapt(self.count_units(read_progress(self.stores.database)))

    def ended(self, slot, status):
        slot.end_of_life(time.monotonic())
        slot.job.forget()
        if status != 0:
            self.refused(slot, status)
            return
        slot.finished = True
        slot.finished_units += slot.units
        if self.kills < self.options.kills:
            slot.next_input(max(slot.units // LATER_INPUT_SHARE, 200) if slot.count == 1 else slot.units)

    def refused(self, slot, status):
        words = re.sub(r"[0-9a-f]{8,}|\d+", "#", slot.job.last_words())
        self.refusals[f"{status}: {words}"] += 1
        if status in (2, 3) or status < 0 or sum(self.refusals.values()) > self.options.refusals_max:
            raise RuntimeError(f"{slot.job.source} ended by itself with status {status}: {slot.job.last_words()}")

    def look(self):
        """Everybody is dead: which phase was it, and how long may the next lives be?"""
        folder = self.stores.copy("copies")
        database, stream = folder / self.stores.database.name, folder / self.stores.stream.name
        units = self.count_units(read_progress(database))
        undelivered = query(database, "SELECT count(*) FROM write_aside_journal WHERE delivered_at IS NULL")[0][0]
        is_open = query(stream, "SELECT count(*) FROM open_transaction")[0][0]
        self.phases["before_first_commit"] += units == self.units_seen
        self.phases["undelivered"] += undelivered > 0
        self.phases["open_in_stream"] += is_open > 0
        self.phases["all_settled"] += undelivered == 0 and is_open == 0
        self.adapt(units)
        if self.random.random() < self.options.judge_share and self.options.guarantee == "exactly_once":
            self.judged += 1
            verdict = self.stores.judge(folder, unfinished=True)
            if not verdict["ok"]:
                raise RuntimeError(f"wrong after {self.kills} kills: {json.dumps(verdict)}; see {folder}")

    def count_units(self, progress):
        return sum(slot.finished_units + (0 if slot.finished else progress.get(slot.job.source, 0))
                   for slot in self.slots)

    def adapt(self, units):
        left = max(sum(slot.finished_units + slot.units for slot in self.slots) - units, 1)
        share = left / max(self.options.kills - self.kills, 1)
        for batch in self.batches:
            delay = self.delay_max[batch]
            if units > self.units_seen:
                # Halfway there, so that one odd life does not decide.
                delay = (delay + 2 * share * self.worked / (units - self.units_seen)) / 2
            else:
                delay *= 1.2
            self.delay_max[batch] = min(max(delay, DELAY_MIN), DELAY_MAX)
        self.worked = 0.0
        self.batches.clear()
        self.units_seen = units

    def finish(self):
        for _ in range(RESTARTS_MAX):
            for slot in self.slots:
                if not slot.finished and slot.job.process is None:
                    slot.start()
            running = [slot for slot in self.slots if slot.job.process is not None]
            if not running:
                return
            while all(slot.job.exit_status() is None for slot in running):
                self.check_time()
                time.sleep(TICK)
            for slot in running:
                if slot.job.exit_status() is not None:
                    self.ended(slot, slot.job.exit_status())
        raise RuntimeError(f"not at the end after {RESTARTS_MAX} restarts")

    def report(self, verdict):
        found = {kind for kind in VIOLATIONS if verdict[kind]}
        expected = set(self.options.expect)
        problems = []
        if expected - found:
            problems.append(f"not found: {', '.join(sorted(expected - found))}")
        if not expected and found:
            problems.append(f"found: {', '.join(sorted(found))}")
        if not expected and self.kills >= 100 and not all(self.phases[name] for name in PHASES_TO_HIT):
            problems.append("the kills missed a phase")
        audits = self.audit()
        if not expected and not all(audits.values()):
            problems.append("write-aside verify finds a violation, the oracle does not")
        return {"problems": problems, "kills": self.kills, "lives": self.lives, "phases": self.phases,
                "judged_between": self.judged, "refusals": dict(self.refusals), "verify": audits, "oracle": verdict}

    def audit(self):
        """What the program's own audit says; it must agree with the oracle."""
        audits = {}
        for source, path in self.stores.inputs:
            audits[source] = self.stores.run("verify", str(path), "--source", source).returncode == 0
        return audits


def words(text):
    return text.split(",")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__ + campaigns.ENVIRONMENT,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--units", type=int, default=20_000, help="of all processes together")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=0, help="default: what the processes hold, or up to two more")
    parser.add_argument("--batch", type=words, default=["1", "100"], metavar="N[,N]")
    parser.add_argument("--workers", type=words, default=["1"], metavar="N[,N]")
    parser.add_argument("--wait", type=words, default=["decided", "visible"], metavar="W[,W]")
    parser.add_argument("--clocks-differ", type=float, default=0, metavar="SECONDS", help="at most, from the right time")
    parser.add_argument("--guarantee", default="exactly_once")
    parser.add_argument("--expect", type=words, default=[], metavar="KIND[,KIND]",
                        help="violations that must be found: shows that a campaign can find them; until it has, it goes on "
                             "with as many kills again, up to 10 times")
    parser.add_argument("--judge-share", type=float, default=0.04, help="looks at which the oracle judges, too")
    parser.add_argument("--refusals-max", type=int, default=0, help="processes that may give up by themselves")
    campaigns.add_options(parser, seconds_max=600)
    options = parser.parse_args()
    options.units = int(options.units * campaigns.factor())
    options.kills = options.kills_a_round = int(options.kills * campaigns.factor())
    options.seconds_max *= campaigns.factor()
    return options


def main():
    options = parse_options()
    campaigns.run("kill-loop", options.seed, lambda folder: Campaign(options, folder).run())


if __name__ == "__main__":
    main()
