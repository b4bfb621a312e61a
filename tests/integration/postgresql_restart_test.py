"""Goal: the connections of a process survive a restart of its database: units abort meanwhile, or are in doubt, with an
error that says why; the process goes on by itself, and both stores agree.

Method: a program with many threads goes on trying while its PostgreSQL is stopped in an orderly way, stopped at once, or
killed with all of its backends, and started again.
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

from integration.program_case import KAFKA, ProgramCase, main  # noqa: E402
from integration.trier import THREADS, Trier  # noqa: E402
from servers.postgresql import PostgreSQL  # noqa: E402

DOWN_SECONDS = 1.0
# A session (10 s), a place in a batch (2 s), the acknowledgements (10 s) and the evidence (10 s) by default.
UNIT_SECONDS_MAX = 35


class PostgresqlRestart(ProgramCase):
    def setUp(self):
        super().setUp()
        self.server = PostgreSQL()
        self.addCleanup(self.server.stop)
        self.server.start()
        self.use_postgresql(self.server.url)
        self.address = os.environ[KAFKA]

    def test_survives_each_way_to_restart(self):
        trier = Trier(self)
        trier.await_commits(20)
        for stop in (lambda: self.server.process.stop(signal.SIGINT), lambda: self.server.process.stop(signal.SIGQUIT),
                     self.server.kill):
            before = len(trier.outcomes())
            stop()
            time.sleep(DOWN_SECONDS)
            self.server.start()
            trier.await_commits(3 * THREADS)
            broken = [outcome for outcome in trier.outcomes(before) if outcome[1] != "committed"]
            self.assertTrue(broken, "nobody noticed")
            for _, _, seconds, message in broken:
                self.assertLess(seconds, UNIT_SECONDS_MAX, message)
                self.assertRegex(message, "127.0.0.1|lane|proven")
        trier.finish()
        self.must("recover")
        rows = {order for order, in self.query("SELECT id FROM orders")}
        self.assertEqual(collections.Counter(map(int, self.tailed(trier.topic))), dict.fromkeys(rows, 1))
        for order, state, _, message in trier.outcomes():
            if state != "in_doubt":
                self.assertEqual(order in rows, state == "committed", message)


if __name__ == "__main__":
    main(__doc__)
