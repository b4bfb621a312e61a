"""A private PostgreSQL and a private Kafka on a disk, with a database made ready for write-aside."""

import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from servers.kafka import NEWEST, Kafka  # noqa: E402, F401
from servers.postgresql import PostgreSQL  # noqa: E402
from servers.process import wait_until  # noqa: E402, F401

PROGRAM = ROOT / "build" / "bin" / "write-aside"
DATABASE = "bench"


class Pair:
    """Durable settings on both sides, and files on a disk: in memory a sync costs nothing."""

    def __init__(self):
        if not PROGRAM.exists():
            raise SystemExit("bench: build/bin/write-aside is missing; run make")
        folder = pathlib.Path(os.environ.setdefault("WRITE_ASIDE_SERVER_FOLDER", str(ROOT / "build" / "servers" / "data")))
        folder.mkdir(parents=True, exist_ok=True)
        self.make_reachable(folder)
        self.postgresql = PostgreSQL()
        self.kafka = Kafka()

    @staticmethod
    def make_reachable(folder):
        """PostgreSQL runs as another user, who must be able to pass through."""
        for parent in [folder, *folder.parents]:
            mode = parent.stat().st_mode
            if not mode & 0o001:
                raise SystemExit(f"bench: {parent} is closed to the user postgres; name another folder in "
                                 "WRITE_ASIDE_SERVER_FOLDER")

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of __exit__: the servers must not stay
        try:
            self.postgresql.start()
            self.kafka.start()
            self.postgresql.sql(f"CREATE DATABASE {DATABASE}")
            self.run("init", "--lanes", "16")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kafka.stop()
        self.postgresql.stop()

    @property
    def pids(self):
        return {"postgresql": self.postgresql.process.pid, "kafka": self.kafka.brokers[0].process.pid}

    @property
    def database_url(self):
        return self.postgresql.url.rpartition("/")[0] + f"/{DATABASE}"

    @property
    def stream_url(self):
        return f"kafka://{self.kafka.bootstrap}"

    def environment(self, preload=None):
        environment = {**os.environ, "WRITE_ASIDE_DATABASE": self.database_url, "WRITE_ASIDE_STREAM": self.stream_url}
        if preload:
            environment["LD_PRELOAD"] = str(preload)
        return environment

    def run(self, *arguments, preload=None, cwd=None, may_fail=False):
        """What the program printed. Its failure ends the benchmark, unless it printed its result all the same."""
        done = subprocess.run([str(PROGRAM), *map(str, arguments)], env=self.environment(preload), cwd=cwd or ROOT / "build",
                              capture_output=True, text=True)
        if done.returncode and not (may_fail and done.stdout):
            raise SystemExit(f"bench: write-aside {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout
