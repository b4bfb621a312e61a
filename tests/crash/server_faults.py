"""The faults of the campaigns on servers. A campaign asks a fault for the servers it needs, and lets it strike.

A fault that strikes by itself, as a proxy does, has `is_random`; the others are told when: `strike(shops)` returns how
many faults there were.
"""

import random
import time

import confluent_kafka
import confluent_kafka.admin

from servers import kafka_log, kafka_wire, postgresql_wire, proxy
from servers.kafka import OLDEST, Kafka
from servers.postgresql import PostgreSQL
from servers.process import wait_until

DOWN_SECONDS_MAX = 0.2
# A broker that was killed may come back, or be replaced, only when its session is over.
SESSION_SECONDS = 2.0
SOON_REPLACED = {"broker.session.timeout.ms": int(SESSION_SECONDS * 1000), "broker.heartbeat.interval.ms": 200}
KNOWN_DEAD_AFTER_SECONDS = 0.3  # after the end of the session
LATE_SECONDS_MAX = 1.5
DELAY_SECONDS = (0.05, 3.0)
CUT_OFF_SECONDS = (0.05, 5.0)
INTERVAL_SECONDS_MAX = 0.6  # between two strikes of a proxy
IN_SYNC_SECONDS_MAX = 60
ENDS_SECONDS_MAX = 30
ATTEMPTS_MAX = 6  # for what a server's own fault has ended
LOST_MARKERS_SHOWN_MAX = 3


class NotJudged(Exception):
    """A server broke its own promise (docs/guarantees.md): what its clients made of it says nothing about them."""


def check_markers(cluster):
    """Raises NotJudged if the brokers lost the end of a stream transaction."""
    lost = kafka_log.lost_markers(cluster)
    if lost:
        raise NotJudged(f"the broker has lost markers: {'; '.join(lost[:LOST_MARKERS_SHOWN_MAX])}")


class Fault:
    is_random = False
    shared_server = False  # it strikes all shops at once

    def __init__(self, addresses, seed):
        self.addresses = addresses
        self.random = random.Random(seed)

    def open(self):
        pass

    def close(self):
        pass

    def strike(self, shops):
        raise NotImplementedError

    def check_server(self):
        """After something went wrong: raises NotJudged if it was the server."""


class Kill(Fault):
    """The program is killed."""

    def strike(self, shops):
        return sum(shop.kill() for shop in shops)


class TerminatedBackends(Fault):
    """Sessions are ended at the server: one, some, or all of them."""

    def strike(self, shops):
        return sum(shop.stores.terminate_backends(self.random.choice((1, 2, 4, 100))) > 0 for shop in shops)


class DatabaseCrash(Fault):
    """The database server and all of its backends are killed, and start again."""

    shared_server = True

    def open(self):
        self.server = PostgreSQL().start()
        self.addresses.postgresql = self.server.url

    def close(self):
        self.server.stop()

    def strike(self, shops):
        self.server.kill()
        time.sleep(self.random.uniform(0, DOWN_SECONDS_MAX))
        self.server.start()
        return 1


def crash_lone_broker(cluster, down_seconds):
    """Kills it, and starts it again when its controller, which lives, has declared it dead. One that comes back sooner,
    or whose controller is killed with it, loses the end of a stream transaction now and then
    (docs/guarantees.md)."""
    (broker,) = cluster.brokers
    broker.kill()
    time.sleep(SESSION_SECONDS + KNOWN_DEAD_AFTER_SECONDS + down_seconds)
    broker.start().await_answer()


class BrokerCrash(Fault):
    """The broker is killed, and starts again."""

    shared_server = True

    def open(self):
        self.cluster = self.start_cluster()
        self.addresses.kafka = self.cluster.bootstrap

    def start_cluster(self):
        return Kafka(starts_quickly=True, settings=SOON_REPLACED, controller_apart=True).start()

    def close(self):
        self.cluster.stop()

    def strike(self, shops):
        crash_lone_broker(self.cluster, self.random.uniform(0, DOWN_SECONDS_MAX))
        return 1

    def check_server(self):
        check_markers(self.cluster)


class BrokerOfThreeCrash(BrokerCrash):
    """One of three is killed, or told to end, and then hands on what it leads: a topic, the stream transactions, or
    neither. The next one follows when all replicas are in sync again: more than one failure at a time is not what three
    replicas are for."""

    def start_cluster(self):
        return Kafka(nodes=3, starts_quickly=True, settings=SOON_REPLACED).start()

    def strike(self, shops):
        broker = self.random.choice(self.cluster.brokers)
        if self.random.random() < 0.5:
            broker.kill()
        else:
            broker.process.stop(seconds=ENDS_SECONDS_MAX)
        time.sleep(self.random.uniform(0, DOWN_SECONDS_MAX))
        broker.start().await_answer()
        wait_until(self.is_in_sync, IN_SYNC_SECONDS_MAX, "the replicas were not in sync again")
        return 1

    def is_in_sync(self):
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.cluster.bootstrap, "log_level": 0})
        try:
            topics = admin.list_topics(timeout=5).topics.values()
        except confluent_kafka.KafkaException:
            return False
        return all(len(partition.isrs) == len(partition.replicas)
                   for topic in topics for partition in topic.partitions.values())


class KillOnOldestBroker(Kill):
    """The program is killed; the broker is of the oldest version that is tried."""

    def open(self):
        self.cluster = Kafka(version=OLDEST, starts_quickly=True).start()
        self.addresses.kafka = self.cluster.bootstrap

    def close(self):
        self.cluster.stop()


class ProxiedFault(Fault):
    """A proxy stands before a server and strikes a request that matters, a random time after the last one."""

    is_random = True
    shared_server = True
    shares = {}  # by label of the request: how many of those that are due are struck
    faults = ()  # functions that make a proxy.Fault, given a random generator

    def start_proxy(self, wire, server_port):
        self.armed = False
        self.due = 0.0
        self.struck = 0
        self.proxy = proxy.Proxy(wire, server_port, self.choose).start()

    def choose(self, label):
        now = time.monotonic()
        if not self.armed or now < self.due or self.random.random() >= self.shares[label]:
            return None
        self.due = now + self.random.uniform(0, INTERVAL_SECONDS_MAX)
        self.struck += self.shares[label] == 1
        return self.random.choice(self.faults)(self.random)

    def close(self):
        self.proxy.stop()


class CommitFault(ProxiedFault):
    """Strikes the COMMIT of a unit, and now and then, not counted, one of the library's own."""

    shares = {"unit_commit": 1, "commit": 0.1}

    def open(self):
        host, _, rest = self.addresses.postgresql.rpartition(":")
        port, _, database = rest.partition("/")
        self.start_proxy(postgresql_wire, lambda: int(port))
        self.addresses.program_postgresql = f"{host}:{self.proxy.port}/{database}"


class CutBeforeCommit(CommitFault):
    """The connection is cut when COMMIT is sent: the server does not read it, or reads it later."""

    faults = (lambda _: proxy.cut_before(),
              lambda generator: proxy.arrives_late(generator.uniform(0, LATE_SECONDS_MAX)))


class CutAfterCommit(CommitFault):
    """The connection is cut when the server has read COMMIT: it has answered, or is about to."""

    faults = (lambda _: proxy.cut_after(), lambda _: proxy.cut_at_once())


class CutOff:
    """Nothing gets through the proxy for a while, sometimes for longer than a lease: a network that is parted."""

    is_random = False
    faults = ()

    def strike(self, shops):
        self.proxy.partition(True)
        time.sleep(self.random.uniform(*CUT_OFF_SECONDS))
        self.proxy.partition(False)
        return 1


class DatabaseCutOff(CutOff, CommitFault):
    pass


class LostCommit(CommitFault):
    """Any of these."""

    faults = CutBeforeCommit.faults + CutAfterCommit.faults


class EndTxnFault(ProxiedFault):
    """Strikes the request that ends a stream transaction. The broker tells clients to come to the proxy."""

    shares = {"end_txn": 1}

    def open(self):
        self.start_proxy(kafka_wire, lambda: self.cluster.brokers[0].port)
        self.cluster = Kafka(advertised={1: f"127.0.0.1:{self.proxy.port}"}, starts_quickly=True).start()
        self.addresses.kafka = self.cluster.bootstrap

    def close(self):
        self.cluster.stop()
        super().close()


class BrokerCutOff(CutOff, EndTxnFault):
    pass


class EndTxnAnswerLost(EndTxnFault):
    faults = (lambda _: proxy.cut_after(), lambda _: proxy.cut_at_once(),
              lambda generator: proxy.arrives_late(generator.uniform(0, LATE_SECONDS_MAX)))


class EndTxnAnswerDelayed(EndTxnFault):
    faults = (lambda generator: proxy.answer_delayed(generator.uniform(*DELAY_SECONDS)),
              lambda generator: proxy.request_delayed(generator.uniform(*DELAY_SECONDS)))


FAULTS = {
    "kill": Kill, "oldest_broker": KillOnOldestBroker,
    "backend": TerminatedBackends, "database": DatabaseCrash,
    "broker": BrokerCrash, "three_brokers": BrokerOfThreeCrash,
    "before_commit": CutBeforeCommit, "after_commit": CutAfterCommit, "lost_commit": LostCommit,
    "database_cut_off": DatabaseCutOff, "broker_cut_off": BrokerCutOff,
    "end_txn_lost": EndTxnAnswerLost, "end_txn_delayed": EndTxnAnswerDelayed,
}
