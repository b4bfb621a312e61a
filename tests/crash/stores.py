"""The stores of a crash campaign, looked at from outside, and the processes that apply inputs to them."""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time

import make_input
from embedded_view import EmbeddedView
from oracle import Oracle

REPORT = '{"units":'
FREE_BYTES_MIN = 1 << 30
PR_SET_PDEATHSIG = 1
TICK = 0.05
LIBC = ctypes.CDLL(None)


def make_folder(name):
    """A new folder, in memory where there is room: kills then meet code rather than waits for the disk."""
    base = os.environ.get("WRITE_ASIDE_CRASH_FOLDER")
    memory = pathlib.Path("/dev/shm")
    if not base and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= FREE_BYTES_MIN:
        base = memory
    return pathlib.Path(tempfile.mkdtemp(prefix=f"write-aside-{name}-", dir=base))


def die_with_parent():
    """Runs in the child: a stopped process must not outlive a campaign that is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Recoverable:
    """Stores on which `run` lets the program do something."""

    def recover(self):
        recovered = self.run("recover")
        if recovered.returncode != 0:
            raise RuntimeError(f"recover: {recovered.stdout}{recovered.stderr}")


class Stores(Recoverable):
    def __init__(self, program, folder, lanes):
        self.program = program
        self.folder = folder
        self.database = folder / "shop.db"
        self.stream = folder / "shop.events"
        self.environment = None
        self.inputs = []  # (source, path)
        with sqlite3.connect(self.database) as database:
            database.executescript(make_input.EMBEDDED.schema)
        database.close()
        topics = [f"--topic={name}:{partitions}" for name, partitions in make_input.TOPICS.items()]
        made = self.run("init", f"--lanes={lanes}", *topics)
        if made.returncode != 0:
            raise RuntimeError(f"init: {made.stderr}")

    def command(self, *words):
        return [self.program, "--database", f"sqlite:{self.database}", "--stream", f"local:{self.stream}", *words]

    def run(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=120)

    def add_input(self, source, units, first_order, prefix, seed, customers=make_input.CUSTOMERS):
        path = self.folder / f"{source}.jsonl"
        make_input.write(path, units, first_order, prefix, seed, customers)
        self.inputs.append((source, path))
        return path

    def transactions(self):
        """Counts the database's transactions since its shared memory was made; that file's header has it at byte 8.

        No connection is opened: one of ours would keep the write-ahead log alive that a restart is to recover.
        """
        try:
            with open(f"{self.database}-shm", "rb") as file:
                header = file.read(16)
        except FileNotFoundError:
            return None
        # Byte 12 says that the header is filled in.
        return struct.unpack_from("=I", header, 8)[0] if len(header) == 16 and header[12] else None

    def copy(self, name):
        """Copies both files and their logs while nobody runs, so that looking does not recover the originals."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in (self.database, self.stream):
            for suffix in ("", "-wal"):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    shutil.copy(source, folder / source.name)
        return folder

    def judge(self, folder=None, unfinished=False, outcomes=(), allowed=()):
        folder = folder or self.folder
        view = EmbeddedView(folder / self.database.name, folder / self.stream.name)
        return Oracle(view, self.inputs, unfinished, outcomes=outcomes, allowed=allowed).judge()

    def has_late_unit(self):
        """Whether a unit is committed, and its events are not visible yet."""
        rows = query(self.database, "SELECT lane, max(epoch << 40 | n) FROM write_aside_journal "
                                    "WHERE delivered_at IS NULL AND adopted_n IS NULL GROUP BY lane")
        visible = {}
        for key, value in query(self.stream, "SELECT key, value FROM committed_records WHERE key GLOB 'o:*'"):
            epoch, n = map(int, value.split()[1:3])
            visible[int(key.rpartition(":")[2])] = epoch << 40 | n
        return any(last > visible.get(lane, 0) for lane, last in rows)

    def progress(self, source):
        """Units of this input that are committed; None if the file is held. Opens the database as any reader may."""
        try:
            return read_progress(self.database).get(source, 0)
        except sqlite3.OperationalError:
            return None

    def await_time_outs(self, seconds_max):
        """Until no stream transaction is left that is open and within its time."""
        limit = time.monotonic() + seconds_max
        while query(self.stream, "SELECT count(*) FROM open_transaction WHERE deadline_ms >= unixepoch() * 1000")[0][0]:
            if time.monotonic() > limit:
                raise RuntimeError(f"a stream transaction is open after {seconds_max} s")
            time.sleep(TICK)

    def is_locked(self):
        """Whether somebody who is stopped now would hold everybody up."""
        return any(is_locked(path) for path in (self.database, self.stream))


def is_locked(path):
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        return False
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()


def query(path, sql):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def read_progress(database):
    """Committed units by source; the program keeps them as text, `v1 units=N …`.

    Several workers keep `v1 plan=WORKERS run=R units=N …`, N before they began, and under SOURCE#WORKER each
    `v1 worker=WORKER run=R … own=N …`. Rows of an earlier run say nothing.
    """
    texts = {source: dict(field.split("=") for field in position.split(" ")[1:])
             for source, position in query(database, "SELECT source, position FROM write_aside_progress")}
    units = {source: int(fields["units"]) for source, fields in texts.items() if "worker" not in fields}
    for source, fields in texts.items():
        owner = texts.get(source.rpartition("#")[0], {})
        if "worker" in fields and fields["run"] == owner.get("run"):
            units[source.rpartition("#")[0]] += int(fields["own"])
    return units


class Job:
    """One input; at most one process applies it."""

    def __init__(self, stores, source, path, log=""):
        self.stores = stores
        self.source = source
        self.path = path
        self.process = None
        self.log_path = stores.folder / f"{source}{log}.log"

    def start(self, *options):
        self.run(self.stores.command("apply", str(self.path), "--source", self.source, "--quiet", *options))

    def run(self, command):
        with open(self.log_path, "a", encoding="utf-8") as log:
            print("$", *command, file=log, flush=True)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.stores.environment, preexec_fn=die_with_parent)

    def exit_status(self):
        return self.process.poll() if self.process else None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """Whether the process was alive."""
        if self.process is None:
            return False
        self.process.kill()
        status = self.process.wait()
        if status == -signal.SIGKILL:
            self.process = None
        return status == -signal.SIGKILL

    def forget(self):
        self.process = None

    def report(self):
        """The JSON report of the process that ended last, if it came to that."""
        lines = self.log_path.read_text(encoding="utf-8").rpartition("\n$ ")[2].splitlines()
        return json.loads(lines[-1]) if lines and lines[-1].startswith(REPORT) else None

    def last_words(self):
        lines = self.log_path.read_text(encoding="utf-8").splitlines()
        return next((line for line in reversed(lines) if not line.startswith(REPORT)), "")


class ReportingJob(Job):
    """The same input, by the program that writes every outcome down (tests/programs/report_outcomes.cpp)."""

    THREADS = 8

    def __init__(self, program, stores, source, path):
        super().__init__(stores, source, path)
        self.program = program
        self.outcomes_path = stores.folder / f"{source}.outcomes"

    def start(self, *_):
        _, _, database, _, stream = self.stores.command()
        self.run([self.program, database, stream, str(self.path), self.source, str(self.THREADS),
                  str(self.outcomes_path)])

    def outcomes(self):
        """(source, line, state), in the order in which they were reported."""
        if not self.outcomes_path.exists():
            return
        for text in self.outcomes_path.read_text(encoding="utf-8").splitlines():
            line, state, *_ = text.split(" ")
            yield self.source, int(line), state
