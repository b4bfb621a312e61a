#!/usr/bin/env python3
"""Writes the input of a crash campaign: units of work as `write-aside apply` reads them, the same for the same numbers.

Each unit has three statements (insert an order, insert a line item, count in a row that others count in, too) and two
events (one in each topic, with the order's customer as key), so that half a unit shows in many ways. A few events are
large, so that they cross SQLite's pages. The topics' names may have a suffix, for stores that share a cluster.
"""

import argparse
import dataclasses
import json
import random

CUSTOMERS = 200
TOPICS = {"orders": 4, "stock": 3}


@dataclasses.dataclass(frozen=True)
class Form:
    """How the same units look for a pair of stores."""

    schema: str
    insert_order: str
    insert_line_item: str
    count: str
    topic_suffix: str = ""

    def topics(self):
        return {name + self.topic_suffix: partitions for name, partitions in TOPICS.items()}


EMBEDDED = Form(
    schema="""
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, amount INTEGER NOT NULL);
CREATE TABLE line_item (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, product TEXT NOT NULL);
CREATE TABLE counter (name TEXT PRIMARY KEY, units INTEGER NOT NULL) WITHOUT ROWID;
""",
    insert_order="INSERT INTO orders VALUES (?, ?, ?)",
    insert_line_item="INSERT INTO line_item (order_id, product) VALUES (?, ?)",
    count="INSERT INTO counter VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET units = units + 1")
SERVERS = Form(
    schema="""
CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, amount bigint NOT NULL);
CREATE TABLE line_item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL,
                        product text NOT NULL);
CREATE TABLE counter (name text PRIMARY KEY, units bigint NOT NULL);
""",
    insert_order="INSERT INTO orders VALUES ($1, $2, $3)",
    insert_line_item="INSERT INTO line_item (order_id, product) VALUES ($1, $2)",
    count="INSERT INTO counter VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET units = counter.units + 1")
# Every so many units count in the one row that all inputs share.
SHARED_EVERY = 4
LARGE_EVERY = 150


def units(count, first_order, prefix, seed, customers=CUSTOMERS, form=EMBEDDED):
    """Yields each unit as an object; `prefix` keeps the customers of two inputs apart."""
    generator = random.Random(f"{seed} {prefix} {first_order}")
    for order in range(first_order, first_order + count):
        customer = f"{prefix}-{generator.randrange(customers)}"
        product = f"product-{generator.randrange(50)}"
        amount = generator.randrange(1, 10_000)
        filling = "x" * (generator.randrange(9_000, 30_000) if order % LARGE_EVERY == 0 else generator.randrange(200))
        yield {
            "statements": [
                {"sql": form.insert_order, "params": [order, customer, amount]},
                {"sql": form.insert_line_item, "params": [order, product]},
                {"sql": form.count, "params": ["shared" if order % SHARED_EVERY == 0 else customer]},
            ],
            "events": [
                {"topic": "orders" + form.topic_suffix, "key": customer, "type": "order.created",
                 "value": {"order": order, "amount": amount, "filling": filling}, "headers": {"product": product}},
                {"topic": "stock" + form.topic_suffix, "key": customer, "type": "stock.taken",
                 "value": {"order": order, "product": product}},
            ],
            "ordering_key": customer,
        }


def write(path, count, first_order=1, prefix="a", seed=0, customers=CUSTOMERS, form=EMBEDDED):
    with open(path, "w", encoding="utf-8") as file:
        for unit in units(count, first_order, prefix, seed, customers, form):
            file.write(json.dumps(unit, separators=(",", ":")) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--first-order", type=int, default=1)
    parser.add_argument("--prefix", default="a")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write(options.path, options.units, options.first_order, options.prefix, options.seed)


if __name__ == "__main__":
    main()
