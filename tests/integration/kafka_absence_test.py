"""Goal: while the broker is away units abort within their time, each with an error that says why, and nothing piles up;
when it is back the work goes on, and both stores agree.

Method: a program with many threads goes on trying all the time, while its broker is stopped (SIGSTOP: connections stay
open and nobody answers) or killed (nobody listens). WRITE_ASIDE_ABSENCE_SECONDS says for how long, 20 without it.
"""

import collections
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import servers.environment  # noqa: E402

servers.environment.enter()

from integration.program_case import ProgramCase, main  # noqa: E402
from integration.trier import THREADS, Trier  # noqa: E402
from servers.kafka import Kafka  # noqa: E402

ABSENCE_SECONDS = float(os.environ.get("WRITE_ASIDE_ABSENCE_SECONDS", 20))
LEVELS = ("exactly_once", "at_least_once")
# A place in a batch (2 s) and the acknowledgements (10 s), by default; the rest is for a busy machine.
UNIT_SECONDS_MAX = 17
# The events of the units under way, 100 kB each, and what librdkafka keeps of them. Seen: 3 MB.
GROWTH_BYTES_MAX = 20 << 20
# In the second half of an absence of minutes, when the queues are as full as they may be.
LATE_GROWTH_BYTES_MAX = 5 << 20
PROCESSOR_SHARE_MAX = 0.5  # of one processor, while there is nothing to do but to try again


class KafkaAbsence(ProgramCase):
    def start_triers(self, settings):
        cluster = Kafka(starts_quickly=True, settings=settings)
        self.addCleanup(cluster.stop)
        self.address = cluster.start().bootstrap
        self.triers = [self.trier_of(level) for level in LEVELS]
        self.await_commits(20)
        return cluster.brokers[0]

    def trier_of(self, level):
        # Each has a database of its own: the orders are numbered in each.
        self.use_postgresql()
        return Trier(self, level)

    def await_commits(self, count):
        for trier in self.triers:
            trier.await_commits(count)

    def measure(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for trier in self.triers:
                trier.measure()
            time.sleep(0.5)

    def live_through(self, go, come_back):
        before = {trier.level: len(trier.outcomes()) for trier in self.triers}
        self.measure(1)
        start = {trier.level: trier.memory[-1] for trier in self.triers}
        used = {trier.level: trier.processor_seconds() for trier in self.triers}
        go()
        self.measure(ABSENCE_SECONDS)
        for trier in self.triers:
            trier.processor_share = (trier.processor_seconds() - used[trier.level]) / ABSENCE_SECONDS
        aborted = {trier.level: trier.count("aborted") for trier in self.triers}
        come_back()
        self.await_commits(3 * THREADS)
        for trier in self.triers:
            with self.subTest(trier.level):
                self.judge(trier, before[trier.level], aborted[trier.level], start[trier.level])

    def judge(self, trier, before, aborted, memory):
        self.assertGreaterEqual(aborted, THREADS)
        failed = []
        for _, state, seconds, message in trier.outcomes(before):
            self.assertLess(seconds, UNIT_SECONDS_MAX, message)
            if state != "committed":
                self.assertEqual(state, "aborted", message)
                failed.append(message)
        # Until the first acknowledgement is overdue (10 s), a unit that finds no place in a batch knows no more than that.
        for message in failed[len(failed) * 2 // 3:]:
            self.assertRegex(message, "acknowledged|broker is up|kafka://")
        self.assertLess(trier.processor_share, PROCESSOR_SHARE_MAX)
        self.assertLess(max(trier.memory) - memory, GROWTH_BYTES_MAX)
        middle = len(trier.memory) // 2
        if ABSENCE_SECONDS >= 120:
            self.assertLess(max(trier.memory[middle:]) - max(trier.memory[:middle]), LATE_GROWTH_BYTES_MAX)
        trier.finish()
        self.database = trier.database
        committed = {order for order, state, _, _ in trier.outcomes() if state == "committed"}
        self.assertEqual({order for order, in self.query("SELECT id FROM orders")}, committed)
        seen = collections.Counter(map(int, self.tailed(trier.topic)))
        if trier.level == "exactly_once":
            self.assertEqual(seen, dict.fromkeys(committed, 1))
        else:  # aborted units may leave orphans there
            self.assertLessEqual(committed, set(seen))

    def test_of_a_broker_that_does_not_answer(self):
        # It must not take itself for dead when it wakes: see docs/guarantees.md.
        broker = self.start_triers({"broker.session.timeout.ms": 3_600_000})
        self.live_through(lambda: broker.process.signal_group(signal.SIGSTOP),
                          lambda: broker.process.signal_group(signal.SIGCONT))

    def test_of_a_broker_that_is_gone(self):
        broker = self.start_triers({"broker.session.timeout.ms": 4_000})
        self.live_through(broker.kill, lambda: broker.start().await_answer())


if __name__ == "__main__":
    main(__doc__)
