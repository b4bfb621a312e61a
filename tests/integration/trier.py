"""A process that runs units from many threads whatever becomes of them (tests/programs/keep_trying.cpp)."""

import os
import pathlib
import subprocess
import uuid

from servers.process import wait_until

THREADS = 16
BACK_SECONDS_MAX = 30


class Trier:
    def __init__(self, case, level="exactly_once"):
        self.case = case
        self.database = case.database
        self.level = level
        self.topic = f"orders-{level.replace('_', '-')}-{uuid.uuid4().hex[:8]}"
        self.log = case.folder / f"{level}.log"
        self.log.touch()
        case.must("init", "--topic", f"{self.topic}:2")
        command = [case.program.with_name("keep_trying"), case.database, f"kafka://{case.address}", self.topic, THREADS, level, self.log]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        case.addCleanup(case.end, self.process)
        self.memory = []

    def outcomes(self, skip=0):
        """(order, state, seconds, message) of each unit that is over."""
        lines = [line.split(" ", 3) for line in self.log.read_text().splitlines()[skip:]]
        return [(int(order), state, int(milliseconds) / 1000, message) for order, state, milliseconds, message in lines]

    def count(self, state):
        return sum(outcome[1] == state for outcome in self.outcomes())

    def await_commits(self, count):
        goal = self.count("committed") + count
        wait_until(lambda: self.count("committed") >= goal or self.process.poll() is not None, BACK_SECONDS_MAX,
                   f"{self.level}: no {count} commits")
        if self.process.poll() is not None:
            self.case.fail(f"{self.level}: ended with {self.process.returncode}: {self.process.stderr.read()}")

    def finish(self):
        _, err = self.process.communicate("")
        self.case.assertEqual(self.process.returncode, 0, err)

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def measure(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        self.memory.append(pages * os.sysconf("SC_PAGE_SIZE"))
