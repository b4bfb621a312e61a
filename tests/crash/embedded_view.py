"""What the oracle sees of SQLite and the local stream: both files, read with SQLite alone."""

import json
import sqlite3

LEDGERS = "write-aside-ledger.*"


class EmbeddedView:
    def __init__(self, database, stream):
        self.database = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        self.stream = sqlite3.connect(f"file:{stream}?mode=ro", uri=True)

    def close(self):
        self.database.close()
        self.stream.close()

    def damage(self):
        """Yields a line for everything that is malformed; then nothing else can be read."""
        for connection in (self.database, self.stream):
            try:
                lines = [line for (line,) in connection.execute("PRAGMA integrity_check")]
            except sqlite3.DatabaseError as error:
                lines = [str(error)]
            yield from (line for line in lines if line != "ok")

    def rows(self, sql):
        return self.database.execute(sql)

    def events(self):
        """Yields (topic, partition, offset, key, value, headers) of every record that is no ledger's, in order."""
        for *place, headers in self.stream.execute(
                "SELECT topic, partition, offset, key, value, headers FROM committed_records "
                "WHERE topic NOT GLOB ? ORDER BY topic, partition, offset", (LEDGERS,)):
            yield *place, json.loads(headers)

    def open_transactions(self):
        return self.stream.execute("SELECT count(*) FROM open_transaction").fetchone()[0]
