"""The Python in which tests read servers without this library: with a client of PostgreSQL and one of Kafka.

    import servers.environment
    servers.environment.enter()  # from here on, psycopg and confluent_kafka can be imported

Made once, in build/servers/python. Its Kafka client brings a librdkafka newer than Debian's; the compatibility
campaign runs the program with it.
"""

import fcntl
import importlib.util
import os
import pathlib
import subprocess
import sys

from .process import ServerError

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "servers" / "python"
PACKAGES = {"psycopg": "psycopg[binary]", "confluent_kafka": "confluent-kafka"}
ATTEMPTS_MAX = 3


def python():
    """The interpreter's path; makes the environment if it is missing. Two who ask at once get the same one."""
    interpreter = FOLDER / "bin" / "python"
    complete = FOLDER / "complete"
    if complete.exists():
        return interpreter
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with open(FOLDER.parent / "python.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            _run(sys.executable, "-m", "venv", "--clear", FOLDER)
            _run(interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES.values())
            complete.touch()
    return interpreter


def _run(*command):
    for _ in range(ATTEMPTS_MAX):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode == 0:
            return
    raise ServerError(f"cannot make the Python environment in {FOLDER}: {(done.stdout + done.stderr)[-800:]}; run "
                      "tools/install-packages, and again with a network")


def enter():
    """Starts this program again with that interpreter, unless it has what is needed."""
    if any(importlib.util.find_spec(module) is None for module in PACKAGES):
        interpreter = str(python())
        if os.path.abspath(sys.executable) == interpreter:
            raise ServerError(f"{FOLDER} is damaged; remove it and run again")
        os.execv(interpreter, [interpreter, *sys.argv])


def newer_librdkafka():
    """The librdkafka inside the environment, for LD_PRELOAD."""
    python()
    found = sorted(FOLDER.glob("lib/python3*/site-packages/confluent_kafka.libs/librdkafka*.so*"))
    if not found:
        raise ServerError(f"no librdkafka in {FOLDER}; remove it and run again")
    return found[0]
