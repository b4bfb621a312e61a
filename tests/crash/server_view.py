"""What the oracle sees of PostgreSQL and Kafka: read with psycopg and confluent_kafka, read_committed."""

import time

import confluent_kafka
import psycopg

LEDGER = "write-aside-ledger."
SECONDS_MAX = 60.0
MARKERS_SECONDS_MAX = 10.0
MESSAGES = 1000


class ServerView:
    """`topics` are the events' topics: others may use the same cluster. `settled`: nothing is under way any more, so an
    open stream transaction is given a moment to end."""

    def __init__(self, database_url, bootstrap, topics, settled=True):
        # One snapshot: the last COMMIT of a killed process may still land between two questions.
        self.database = psycopg.connect(database_url, options="-c idle_in_transaction_session_timeout=0")
        self.database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self.database.read_only = True
        self.bootstrap = bootstrap
        self.topics = topics
        self.settled = settled

    def close(self):
        self.database.close()

    def damage(self):
        return ()

    def rows(self, sql):
        return self.database.execute(sql)

    def events(self):
        """Yields (topic, partition, offset, key, value, headers) of every record, in order."""
        # A stream transaction is visible a moment after its end was answered.
        limit = time.monotonic() + MARKERS_SECONDS_MAX
        while self.settled and self.open_transactions() and time.monotonic() < limit:
            time.sleep(0.05)
        yield from sorted(self._records(self.topics), key=lambda record: record[:3])

    def ledger(self, isolation):
        """Yields the ledger's records, in order; read_uncommitted shows those of aborted transactions, too."""
        yield from sorted(self._records([self.ledger_topic()], isolation), key=lambda record: record[:3])

    def ledger_topic(self):
        (database_id,) = self.database.execute("SELECT database_id FROM write_aside_meta").fetchone()
        return LEDGER + database_id

    def _records(self, topics, isolation="read_committed"):
        consumer = self._consumer(isolation)
        try:
            # An end of partition is the only sign that passes over what is not shown: markers and aborted records.
            unread = {(one.topic, one.partition) for one in self._partitions(consumer, topics)}
            consumer.assign([confluent_kafka.TopicPartition(*place, confluent_kafka.OFFSET_BEGINNING)
                             for place in unread])
            limit = time.monotonic() + SECONDS_MAX
            while unread:
                if time.monotonic() > limit:
                    raise RuntimeError(f"the oracle did not reach the end of {sorted(unread)} in {SECONDS_MAX:.0f} s")
                for message in consumer.consume(MESSAGES, 1.0):
                    place = (message.topic(), message.partition())
                    if message.error() is None:
                        yield *place, message.offset(), text(message.key()), text(message.value()), {
                            name: text(value) for name, value in message.headers() or ()}
                    elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                        unread.discard(place)
                    elif not message.error().retriable():
                        raise RuntimeError(f"the oracle cannot read {place}: {message.error()}")
        finally:
            consumer.close()

    def open_transactions(self):
        """Partitions whose last stable offset is behind their end: an open transaction holds readers back there."""
        committed, uncommitted = self._consumer("read_committed"), self._consumer("read_uncommitted")
        try:
            places = self._partitions(committed, [*self.topics, self.ledger_topic()])
            return sum(one.get_watermark_offsets(place, SECONDS_MAX) != other.get_watermark_offsets(place, SECONDS_MAX)
                       for one, other in [(committed, uncommitted)] for place in places)
        finally:
            committed.close()
            uncommitted.close()

    def _consumer(self, isolation):
        return confluent_kafka.Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "oracle", "enable.auto.commit": False,
            "isolation.level": isolation, "enable.partition.eof": True, "auto.offset.reset": "error",
            "log_level": 0})

    @staticmethod
    def _partitions(consumer, topics):
        found = consumer.list_topics(timeout=SECONDS_MAX).topics
        for topic in topics:
            if topic not in found:
                raise RuntimeError(f"the cluster has no topic {topic}")
        return [confluent_kafka.TopicPartition(topic, partition) for topic in topics
                for partition in found[topic].partitions]


def text(data):
    return data.decode(errors="replace") if data is not None else None
