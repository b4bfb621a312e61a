"""A private PostgreSQL server."""

import glob
import os
import pathlib
import shutil
import signal
import subprocess

from .process import ServerError, ServerProcess, free_port, new_folder, unprivileged, wait_until

ROLE = "write_aside"  # the superuser of the private server
# Roles in this group must give a password; everybody else on this host is trusted.
PASSWORD_GROUP = "needs_password"


def program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    path = found[-1] if found else shutil.which(name)
    if path is None:
        raise ServerError(f"PostgreSQL's '{name}' is missing; run tools/install-packages")
    return path


def children_of(pid):
    children = []
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            parent = pathlib.Path(stat).read_text().rpartition(")")[2].split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if int(parent) == pid:
            children.append(int(stat.split("/")[2]))
    return children


class PostgreSQL:
    """Starts with `start`; `kill` and `start` again play a crash. `settings` are added to postgresql.conf."""

    def __init__(self, settings=None):
        self.folder = new_folder("postgresql")
        self.port = free_port()
        self.process = None
        data = self.folder / "data"
        data.mkdir()
        if unprivileged(["x"]) != ["x"]:
            shutil.chown(data, "postgres", "postgres")
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "--pgdata", data, "--username", ROLE, "--auth", "trust", "--encoding", "UTF8", "--locale",
                  "C.UTF-8", "--no-sync")
        lines = {"listen_addresses": "'127.0.0.1'", "port": self.port, "unix_socket_directories": f"'{self.folder}'",
                 "max_connections": 300, "shared_buffers": "'256MB'", "max_wal_size": "'2GB'",
                 "log_min_messages": "warning", **(settings or {})}
        with open(data / "postgresql.conf", "a") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in lines.items())
        access = [f"host all +{PASSWORD_GROUP} 127.0.0.1/32 scram-sha-256", "local all all trust",
                  "host all all 127.0.0.1/32 trust"]
        (data / "pg_hba.conf").write_text("\n".join(access) + "\n")
        self.data = data

    def _run(self, name, *arguments):
        command = unprivileged([program(name), *map(str, arguments)])
        done = subprocess.run(command, cwd="/", capture_output=True, text=True)
        if done.returncode:
            raise ServerError(f"{name} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @property
    def url(self):
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/postgres"

    def start(self):
        # A server that was killed may leave shared memory and its pid file behind; PostgreSQL clears both away.
        command = unprivileged([program("postgres"), "-D", str(self.data)])
        self.process = ServerProcess("PostgreSQL", command, self.folder / "log")
        wait_until(self.answers, 60, "PostgreSQL did not answer")
        self.sql(f"DO $$ BEGIN CREATE ROLE {PASSWORD_GROUP}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        return self

    def answers(self):
        self.process.check_running()
        probe = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(probe).returncode == 0

    def sql(self, statement, database="postgres"):
        """Runs SQL with psql and returns what it printed, unaligned."""
        return self._run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port, "-U",
                         ROLE, "-d", database, "-c", statement)

    def kill(self):
        """SIGKILL for the server and its backends, which are no process group: a crash without any farewell."""
        self.process.process.send_signal(signal.SIGSTOP)  # it starts no more of them
        children = children_of(self.process.pid)
        for child in children:
            os.kill(child, signal.SIGKILL)
        self.process.kill()
        # A server that starts again refuses while one of the old ones is there.
        wait_until(lambda: not any(os.path.exists(f"/proc/{child}") for child in children), 20, "backends did not end")

    def stop(self):
        if self.process:
            self.process.stop(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)
