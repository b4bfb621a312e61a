"""How much processor time the servers take, from /proc."""

import bisect
import os
import pathlib
import threading
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def times_of(pid):
    """(the process's own seconds, those of its children that have ended), or nothing if it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # from the state on; the name before it may hold anything
    own, ended = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return own / TICKS_PER_SECOND, ended / TICKS_PER_SECOND


def children_of(pid):
    children = []
    try:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            children += [int(word) for word in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return children


def seconds_of(pid):
    """Of the process and its children, also those that have ended. PostgreSQL's backends each lead a process group of
    their own, so it goes by parents."""
    total = sum(times_of(pid) or (0, 0))
    return total + sum((times_of(child) or (0, 0))[0] for child in children_of(pid))


class ProcessorMeter:
    """Reads the clocks of some processes four times a second; afterwards tells what passed between two moments."""

    INTERVAL = 0.25

    def __init__(self, pids):
        self.pids = pids  # name: pid
        self.moments = []
        self.readings = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._read()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self._read()

    def _run(self):
        while not self.stopping.wait(self.INTERVAL):
            self._read()

    def _read(self):
        reading = {name: seconds_of(pid) for name, pid in self.pids.items()}
        self.moments.append(time.time())
        self.readings.append(reading)

    def _at(self, name, moment):
        after = min(max(bisect.bisect(self.moments, moment), 1), len(self.moments) - 1)
        begin, end = self.moments[after - 1], self.moments[after]
        part = min(max((moment - begin) / (end - begin), 0), 1)
        return self.readings[after - 1][name] * (1 - part) + self.readings[after][name] * part

    def between(self, begin, end):
        """Seconds of processor time by name; call it after the meter has stopped."""
        return {name: self._at(name, end) - self._at(name, begin) for name in self.pids}
