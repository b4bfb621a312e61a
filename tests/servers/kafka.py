"""Private Kafka brokers, from the artifacts that Maven brings."""

import base64
import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import uuid

from .process import ServerError, ServerProcess, free_port, new_folder, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEWEST = "4.3.1"
OLDEST = "3.9.1"  # of the compatibility suite
TOO_OLD = "3.5.2"  # is refused
CONTROLLER = 100  # number of a node of its own

ARTIFACTS = {
    NEWEST: [("org.apache.kafka", "kafka_2.13", NEWEST), ("org.apache.kafka", "kafka-tools", NEWEST),
             ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.1"),
             ("org.apache.logging.log4j", "log4j-core", "2.25.1")],
    OLDEST: [("org.apache.kafka", "kafka_2.13", OLDEST), ("org.slf4j", "slf4j-reload4j", "1.7.36")],
    TOO_OLD: [("org.apache.kafka", "kafka_2.13", TOO_OLD), ("org.slf4j", "slf4j-reload4j", "1.7.36")],
}

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>write-aside</groupId><artifactId>broker</artifactId><version>1</version>
<dependencies>{}</dependencies></project>
"""
DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


def libraries(version=NEWEST):
    """The folder with the broker's jars, fetched once into build/servers."""
    folder = ROOT / "build" / "servers" / f"kafka-{version}"
    if (folder / "complete").exists():
        return folder / "lib"
    if shutil.which("mvn") is None:
        raise ServerError("Maven is missing; run tools/install-packages")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(POM.format("".join(DEPENDENCY.format(*part) for part in ARTIFACTS[version])))
    command = ["mvn", "-q", "-B", "-f", folder / "pom.xml", "dependency:copy-dependencies",
               f"-DoutputDirectory={folder / 'lib'}"]
    for attempt in range(3):
        fetched = subprocess.run(command, capture_output=True, text=True)
        if fetched.returncode == 0:
            (folder / "complete").touch()
            return folder / "lib"
    raise ServerError(f"cannot fetch Kafka {version}: {(fetched.stdout + fetched.stderr)[-800:]}")


def quick_start_options(version):
    """Options of a JVM that reads its classes from an archive, made once, and compiles them lightly."""
    archive = ROOT / "build" / "servers" / f"kafka-{version}" / "classes.jsa"
    with open(archive.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            cluster = Kafka(version=version)
            cluster.broker_options = [f"-XX:ArchiveClassesAtExit={archive}.new"]
            try:
                cluster.start()
                cluster.brokers[0].process.stop(seconds=60)
                os.replace(f"{archive}.new", archive)
            finally:
                cluster.stop()
    return [f"-XX:SharedArchiveFile={archive}", "-XX:TieredStopAtLevel=1"]


class Node:
    """One node of a cluster: broker, controller, or both in one process."""

    def __init__(self, cluster, number, roles):
        self.cluster = cluster
        self.number = number
        self.roles = roles
        self.port = free_port()
        self.controller_port = free_port()
        self.folder = cluster.folder / f"node-{number}"
        self.folder.mkdir()
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def properties(self):
        replicas = min(3, len(self.cluster.brokers))
        voters = ",".join(f"{node.number}@127.0.0.1:{node.controller_port}" for node in self.cluster.controllers)
        listeners = []
        if "broker" in self.roles:
            listeners.append(f"PLAINTEXT://{self.address}")
        if "controller" in self.roles:
            listeners.append(f"CONTROLLER://127.0.0.1:{self.controller_port}")
        advertised = self.cluster.advertised.get(self.number, self.address)
        return {
            "process.roles": ",".join(self.roles),
            "node.id": self.number,
            "controller.quorum.voters": voters,
            "listeners": ",".join(listeners),
            **({"advertised.listeners": f"PLAINTEXT://{advertised}"} if "broker" in self.roles else {}),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.folder / "data",
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": min(2, replicas),
            "transaction.state.log.num.partitions": 4,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
            "log.cleaner.dedupe.buffer.size": 4194304,
            # Half a minute after its start, and every five, a broker removes records that are older than a week. Tests
            # write some with timestamps of their own.
            "log.retention.ms": -1,
            # A busy machine must not take its only broker for dead: a partition without a leader loses the markers of
            # stream transactions that end meanwhile (docs/guarantees.md).
            "broker.session.timeout.ms": 30000,
            "broker.heartbeat.interval.ms": 300,
            # Small logs: a test machine has many short-lived topics.
            "log.index.size.max.bytes": 65536,
            "num.network.threads": 2,
            "num.io.threads": 4,
            **self.cluster.settings,
        }

    def format(self):
        configuration = self.folder / "server.properties"
        configuration.write_text("".join(f"{name}={value}\n" for name, value in self.properties().items()))
        command = [*self.cluster.java("64m", *self.cluster.quick_options), "kafka.tools.StorageTool", "format",
                   "-t", self.cluster.id, "-c", configuration, *self.cluster.format_arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ServerError(f"cannot format Kafka's folder: {(done.stdout + done.stderr)[-800:]}")

    def start(self):
        options = [*self.cluster.quick_options, *self.cluster.broker_options]
        command = [*self.cluster.java("512m", *options), "kafka.Kafka", self.folder / "server.properties"]
        self.process = ServerProcess(f"Kafka node {self.number}", command, self.folder / "log")
        return self

    def await_answer(self):
        wait_until(self.answers, 90, f"Kafka node {self.number} did not answer (log: {self.folder / 'log'})")
        return self

    def answers(self):
        """True once the node has left start-up: its listener answers a request (ApiVersions) and not only connects."""
        self.process.check_running()
        port = self.port if "broker" in self.roles else self.controller_port
        request = bytes.fromhex("00000012 0012 0000 00000001 0008") + b"waitfor!"
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.settimeout(2)
                connection.sendall(request)
                return len(connection.recv(8)) >= 4
        except OSError:
            return False

    def kill(self):
        self.process.kill()

    def stop(self):
        if self.process:
            self.process.stop(seconds=3)


class Kafka:
    """A cluster of one or three nodes. `advertised` maps a node's number to an address that clients see instead of
    its own, for instance a proxy's; `settings` are added to every node's properties. `starts_quickly`: in half of the
    time, for those who kill and start it many times; the price is less speed later."""

    def __init__(self, nodes=1, version=NEWEST, settings=None, advertised=None, format_arguments=(),
                 starts_quickly=False, controller_apart=False):
        self.libraries = libraries(version)
        self.quick_options = quick_start_options(version) if starts_quickly else []
        self.broker_options = []
        self.folder = new_folder("kafka")
        # An id that begins with a dash would be taken for an option.
        self.id = "w" + base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()[1:]
        self.settings = settings or {}
        self.advertised = advertised or {}
        self.format_arguments = format_arguments
        roles = ("broker",) if controller_apart else ("broker", "controller")
        self.brokers = [Node(self, number, roles) for number in range(1, nodes + 1)]
        self.controllers = [Node(self, CONTROLLER, ("controller",))] if controller_apart else self.brokers
        self.nodes = [*self.controllers, *self.brokers] if controller_apart else self.brokers

    def java(self, memory, *options):
        return ["java", f"-Xmx{memory}", "-XX:+UseSerialGC", "-XX:-UsePerfData", *options, "-cp",
                f"{self.libraries}/*"]

    @property
    def bootstrap(self):
        return ",".join(self.advertised.get(node.number, node.address) for node in self.brokers)

    def start(self):
        for node in self.nodes:
            node.format()
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.await_answer()
        return self

    def stop(self):
        for node in reversed(self.nodes):
            node.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
