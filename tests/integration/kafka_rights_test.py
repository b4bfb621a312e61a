"""Goal: the rights that docs/operating.md lists are those that a service needs: with them everything works, and where
one of them is missing the program says so in one line, which names the right, and nothing is lost.

Method: a broker of its own with the authorizer that Kafka brings, and a user who may do nothing but what is granted.
The rights are read from the document.
"""

import pathlib
import re
import sqlite3
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import servers.environment  # noqa: E402

servers.environment.enter()

from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType,  # noqa: E402
                                   AdminClient, ResourcePatternType, ResourceType)

from integration.program_case import ProgramCase, main  # noqa: E402
from servers.kafka import Kafka  # noqa: E402
from servers.process import free_port, wait_until  # noqa: E402

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operating.md"
USER, PASSWORD = "shop", "correct-horse"
SECONDS_MAX = 20
PUBLISH_TIMEOUT = 10


def broker_with_authorizer(port):
    broker = Kafka(starts_quickly=True)
    plain = broker.brokers[0].properties()
    broker.settings.update({
        "listeners": f"{plain['listeners']},SECURE://127.0.0.1:{port}",
        "advertised.listeners": f"{plain['advertised.listeners']},SECURE://127.0.0.1:{port}",
        "listener.security.protocol.map": f"{plain['listener.security.protocol.map']},SECURE:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secure.plain.sasl.jaas.config":
            f"org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # the broker itself, and the tests
    })
    return broker


def documented_rights():
    """Rows of the document's table, one for each operation: (resource, operation)."""
    section = DOCUMENT.read_text().split("## Kafka: rights")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()
            if line.startswith("|") and "---" not in line][1:]
    return [(resource, operation.strip()) for resource, operations, _ in rows for operation in operations.split(",")]


class KafkaRights(ProgramCase):
    properties = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": USER,
                  "sasl.password": PASSWORD}

    @classmethod
    def setUpClass(cls):
        port = free_port()
        cls.address = f"127.0.0.1:{port}"
        cls.broker = broker_with_authorizer(port)
        try:
            cls.broker.start()
        except BaseException:
            cls.broker.stop()
            raise
        cls.admin = AdminClient({"bootstrap.servers": cls.broker.bootstrap, "log_level": 0})

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()

    def setUp(self):
        super().setUp()
        self.topic = f"orders-{uuid.uuid4().hex[:8]}"
        self.query("create table orders (id integer primary key, state text)")
        self.as_administrator("init", "--lanes", "2", "--topic", f"{self.topic}:2")
        (self.database_id,), = self.query("select database_id from write_aside_meta")

    def query(self, statement):
        with sqlite3.connect(self.folder / "shop.db") as connection:
            return connection.execute(statement).fetchall()

    def rows(self):
        return self.query("select count(*) from orders")[0][0]

    def as_administrator(self, *arguments):
        address, self.address = self.address, self.broker.bootstrap
        try:
            return self.must(*arguments, properties={"security.protocol": "PLAINTEXT"})
        finally:
            self.address = address

    def rule(self, kind, right):
        """What the document says, as Kafka takes it."""
        resource, operation = right
        if resource.startswith("cluster"):
            place = ResourceType.BROKER, "kafka-cluster", ResourcePatternType.LITERAL
        elif resource.startswith("each topic"):
            place = ResourceType.TOPIC, self.topic, ResourcePatternType.LITERAL
        elif resource.startswith("group"):
            place = ResourceType.GROUP, self.topic, ResourcePatternType.LITERAL
        else:
            name = re.search("`(.*)`", resource)[1].replace("DATABASE_ID", self.database_id)
            pattern = ResourcePatternType.PREFIXED if "(prefixed)" in resource else ResourcePatternType.LITERAL
            place = ResourceType.TRANSACTIONAL_ID if "transactional" in resource else ResourceType.TOPIC, name, pattern
        operation = AclOperation[re.sub("(?<!^)([A-Z])", r"_\1", operation).upper()]
        return kind(*place, f"User:{USER}", "*", operation, AclPermissionType.ALLOW)

    def grant(self, rights):
        """These, and no others. The authorizer follows a moment later."""
        everything = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{USER}", None,
                                      AclOperation.ANY, AclPermissionType.ANY)
        for removed in self.admin.delete_acls([everything]).values():
            removed.result(SECONDS_MAX)
        if rights:
            for made in self.admin.create_acls([self.rule(AclBinding, right) for right in rights]).values():
                made.result(SECONDS_MAX)
        wait_until(lambda: len(self.admin.describe_acls(everything).result(SECONDS_MAX)) == len(set(rights)),
                   SECONDS_MAX, "the rights did not change")

    def rights_of_a_service(self):
        return [right for right in documented_rights() if right[1] != "Create"]

    def test_those_of_the_document_suffice(self):
        rights = self.rights_of_a_service()
        self.assertGreater(len(rights), 6)
        self.grant(rights)
        self.must("apply", self.write_units(self.topic, range(20)))
        self.must("apply", self.write_units(self.topic, range(20, 40), "more.jsonl"), "--workers", 2)
        self.must("apply", self.write_units(self.topic, range(40, 60), "third.jsonl"), "--guarantee", "at_least_once")
        self.assertEqual(self.rows(), 60)
        self.assertEqual(len(self.tailed(self.topic)), 60)
        for command in ("verify", "units.jsonl", "--topic", self.topic), ("recover",), ("status",), ("resolve",):
            self.must(*command)

        self.assertEqual(self.consume().returncode, 0)
        self.assertEqual(self.query("select count(*) from taken"), [(60,)])

    def consume(self):
        self.query("create table if not exists taken (id integer)")
        return self.run_program("consume", self.topic, "--name", self.topic, "--until-end", "--quiet", "--sql",
                                "insert into taken values (:key)")

    def test_each_that_is_missing_is_named_and_nothing_is_lost(self):
        rights = self.rights_of_a_service()
        order = 0
        for missing in dict.fromkeys(rights):
            with self.subTest(missing):
                self.grant([right for right in rights if right != missing])
                order += 1
                units = self.write_units(self.topic, [order], f"{order}.jsonl")
                self.try_without(missing, units, order)
                self.grant(rights)
                self.must("apply", units)
                self.assertEqual(self.rows(), order)
        self.assertEqual(sorted(map(int, self.tailed(self.topic))), list(range(1, order + 1)))
        self.must("verify", "--topic", self.topic)

    def try_without(self, missing, units, order):
        resource, operation = missing
        kind = next(kind for kind in ("cluster", "transactional id", "group", "topic") if kind in resource)
        if resource.startswith("each topic") and operation == "Read":
            self.must("apply", "--quiet", units)
            self.assert_refused(self.run_program("tail", self.topic), 4, "grant Read on the topic", self.topic)
            return
        if kind == "group":
            self.must("apply", "--quiet", units)
            self.assert_refused(self.consume(), 4, "grant Read on the group", self.topic)
            return
        refused = self.run_program("apply", "--quiet", units)
        name = self.topic if resource.startswith("each") else "" if kind == "cluster" else self.database_id
        self.assert_refused(refused, 4, f"grant {operation} on the {kind}", name)
        if operation == "Write" and kind == "topic" and name == self.topic:
            other = self.run_program("apply", "--quiet", units, "--guarantee", "at_least_once", "--source", "other")
            self.assert_refused(other, 4, "grant Write on the topic", name)
        self.assertEqual(self.rows(), order - 1)

    def test_a_missing_right_on_a_topic_is_told_at_once(self):
        self.grant([right for right in self.rights_of_a_service() if right != ("each topic of events", "Write")])
        started = time.monotonic()
        refused = self.run_program("apply", "--quiet", self.write_units(self.topic, [1]))
        self.assertLess(time.monotonic() - started, PUBLISH_TIMEOUT, "it is not waited for")
        self.assert_refused(refused, 4, "grant Write on the topic", self.topic)
        self.assertEqual(self.rows(), 0)

    def test_a_newer_librdkafka_says_as_much(self):
        self.grant([right for right in self.rights_of_a_service() if right != ("each topic of events", "Write")])
        refused = self.run_program("apply", "--quiet", self.write_units(self.topic, [1]),
                                   preload=servers.environment.newer_librdkafka())
        self.assert_refused(refused, 4, "grant Write on the topic", self.topic)
        self.assertEqual(self.rows(), 0)

    def test_those_of_init_are_named(self):
        self.topic += "-more"
        self.grant(self.rights_of_a_service())
        init = "init", "--topic", f"{self.topic}:2"
        self.assert_refused(self.run_program(*init), 4, "Create")
        self.grant(documented_rights())
        self.must(*init)

    def test_the_brokers_may_be_vouched_for(self):
        self.grant([right for right in self.rights_of_a_service() if right != ("cluster", "DescribeConfigs")])
        self.properties = {**self.properties, "write-aside.check.brokers": "false"}
        self.must("apply", self.write_units(self.topic, range(3)))
        self.assertEqual(self.rows(), 3)


if __name__ == "__main__":
    main(__doc__)
