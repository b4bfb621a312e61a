"""Starting, watching and ending a server process."""

import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

UNPRIVILEGED_USER = "postgres"  # comes with the Debian package; PostgreSQL refuses to run as root

# Below those of outgoing connections, of which any may be in use at any moment, as Linux has them by default.
PORTS = range(10_000, 32_768)
PORTS_TRIED_MAX = 1000
RESERVATIONS = []  # open for as long as this process lives


class ServerError(Exception):
    """A server could not be started; the message says which, and where its log is."""


def free_port():
    """A port that nobody else gets while this process lives: a server binds it seconds later, and again after each
    crash. So it is none of those that the kernel gives to outgoing connections, and its reservation, a name without a
    file, is seen by other runs on this host."""
    for port in random.sample(PORTS, PORTS_TRIED_MAX):
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0write-aside-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            continue
        RESERVATIONS.append(reservation)
        return port
    raise ServerError(f"no free port between {PORTS[0]} and {PORTS[-1]}; {PORTS_TRIED_MAX} were tried")


def new_folder(name):
    """A folder for a server's data: in memory where there is enough of it, since tests try logic and not the disk.
    WRITE_ASIDE_SERVER_FOLDER names another place, for instance to measure on a disk."""
    base = os.environ.get("WRITE_ASIDE_SERVER_FOLDER")
    if base is None and os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 2 << 30:
        base = "/dev/shm"
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"write-aside-{name}-", dir=base))
    folder.chmod(0o755)
    return folder


def unprivileged(command):
    """The command as a user that is not root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={UNPRIVILEGED_USER}", f"--regid={UNPRIVILEGED_USER}", "--clear-groups", *command]


def wait_until(condition, seconds, what):
    """Waits until `condition()` is true, looking every 20 ms."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise ServerError(f"{what} within {seconds} s")
        time.sleep(0.02)


class ServerProcess:
    """One process with a log file. `kill` is SIGKILL to the whole group, `stop` asks first."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.log = log
        with open(log, "ab") as sink:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=sink,
                                            stderr=sink, env=environment, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def check_running(self):
        if not self.is_running():
            lines = pathlib.Path(self.log).read_text(errors="replace").splitlines()
            told = [line for line in lines if not line.startswith("\t")]  # Java's stack has a tab
            raise ServerError("\n".join([f"{self.name} ended with {self.process.returncode}; its log ({self.log}):",
                                         *told[-15:]]))

    def signal_group(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def kill(self):
        self.signal_group(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, number=signal.SIGTERM, seconds=20):
        if self.is_running():
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self.kill()
