#!/usr/bin/env python3
"""Breaks the coordination in one place at a time, and asks the suites whether they notice.

  run.py [--only FILE[,FILE]] [--kinds KIND[,KIND]] [--limit N] [--seed S] [--again] [--list]

All mutants (mutations.py) are in one program (schema.py), built from a copy of the sources in build/mutants (mill.py);
$JOBS are tried side by side. For each, the suites run from the cheapest on until one fails; one that does not end counts
as failed, as it does for whoever runs it. --limit takes N mutants at random, over all files; the same for the same
--seed. Results are kept in build/mutants/results.jsonl, so that a run that was stopped goes on; they count while the
file that was mutated stays as it was. --again tries only those once more that survived unexplained.

A mutant that no suite notices must be explained in survivors.toml, else the exit status is 1.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import random
import resource
import signal
import sys
import threading
import time
import tomllib

from mill import ROOT, SOURCES, SUITES, Mill, MillError
from mutations import function_at, mutations

FOLDER = ROOT / "build" / "mutants"
RESULTS = FOLDER / "results.jsonl"
EXPLAINED = pathlib.Path(__file__).with_name("survivors.toml")
NOT_TRIED = "not tried"  # there is no place for it in the program, or it does not compile
MEMORY_MAX = 6 << 30


def judge_all(due, results, jobs):
    everything = dict(enumerate(all_mutants([]), start=1))
    numbers = {own: number for number, (_, _, own) in everything.items()}
    mill = Mill(FOLDER, {number: (file, mutation) for number, (file, mutation, _) in everything.items()}, jobs)
    mill.build({numbers[own] for own, result in results.items() if result == NOT_TRIED and own in numbers})
    mill.measure()
    lock, stopped, count = threading.Lock(), threading.Event(), 0
    due = [one for one in due if numbers[one[2]] not in mill.left_out]
    with open(RESULTS, "a") as kept:
        for number in mill.left_out:
            own = everything[number][2]
            if own not in results:
                results[own] = NOT_TRIED
                kept.write(json.dumps({"key": own, "result": NOT_TRIED}) + "\n")

    def judge(file, mutation, own):
        nonlocal count
        if stopped.is_set():
            return
        began = time.monotonic()
        result = mill.judge(numbers[own])
        with lock, open(RESULTS, "a") as kept:
            if stopped.is_set():
                return
            count += 1
            results[own] = result
            kept.write(json.dumps({"key": own, "result": result}) + "\n")
            print(f"{count}/{len(due)}  {file}:{mutation.line}  {mutation.kind}: {result}  "
                  f"{time.monotonic() - began:.0f} s", flush=True)

    with concurrent.futures.ThreadPoolExecutor(jobs) as executor:
        try:
            for one in [executor.submit(judge, *mutant) for mutant in due]:
                one.result()
        except KeyboardInterrupt:
            print("interrupted: the same command goes on from here; what is being judged is judged yet", flush=True)
        finally:
            stopped.set()


def key(file, mutation, text):
    """The same as long as the file is the same."""
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return json.dumps([file, version, mutation.line, mutation.old, mutation.new])


def all_mutants(only):
    """(file, mutation, key) in the order of the files."""
    found = []
    for path in sorted((ROOT / SOURCES).iterdir()):
        if path.suffix in (".cpp", ".hpp") and (not only or path.name in only):
            text = path.read_text()
            file = f"{SOURCES}/{path.name}"
            found += [(file, mutation, key(file, mutation, text)) for mutation in mutations(text)]
    return found


def explanations():
    """The known survivors: (file, function, old, new), the texts without their indentation."""
    known = tomllib.loads(EXPLAINED.read_text()) if EXPLAINED.exists() else {}
    return {(one["file"], one["function"], stripped(one["old"]), stripped(one["new"]))
            for one in known.get("survivor", ()) if one["why"]}


def place(file, mutation):
    """As an explanation names it."""
    function = function_at((ROOT / file).read_text(), mutation.line)
    return (pathlib.Path(file).name, function, stripped(mutation.old), stripped(mutation.new))


def stripped(text):
    return "\n".join(line.strip() for line in text.strip().split("\n"))


def read_results():
    if not RESULTS.exists():
        return {}
    return {one["key"]: one["result"] for one in map(json.loads, RESULTS.read_text().splitlines())}


def report(mutants, results):
    """Prints the table; returns the survivors that nobody explained."""
    explained, unexplained = explanations(), []
    judged = [(file, mutation, results[own]) for file, mutation, own in mutants if own in results]
    columns = [*(f"killed by {suite.name}" for suite in SUITES), "explained", "survived", NOT_TRIED]
    rows = collections.defaultdict(collections.Counter)
    for file, mutation, result in judged:
        if result == "survived":
            if place(file, mutation) in explained:
                result = "explained"
            else:
                unexplained.append((file, mutation))
        rows[pathlib.Path(file).name][result] += 1
    print(f"\n{'':32}" + "".join(f"{name.removeprefix('killed by '):>18}" for name in columns))
    for name, counts in [*sorted(rows.items()), ("all", sum(rows.values(), collections.Counter()))]:
        print(f"{name:32}" + "".join(f"{counts[column]:18}" for column in columns))
    tried = sum(result != NOT_TRIED for _, _, result in judged)
    print(f"\n{tried} of {len(mutants)} mutants were tried")
    for file, mutation in unexplained:
        print(f"\nSURVIVED {file}:{mutation.line}: {mutation.kind}")
        for sign, text in (("-", mutation.old), ("+", mutation.new)):
            print("\n".join(f"  {sign} {line}" for line in text.split("\n")))
    return unexplained


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="FILE[,FILE]")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=[], metavar="KIND[,KIND]",
                        help="invert, swap, drop call, drop assignment, drop return, drop step, reorder; default: all")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="try the survivors once more, and no others")
    parser.add_argument("--list", action="store_true", help="only say what is known so far")
    return parser.parse_args()


def main():
    options = parse_options()
    mutants = [one for one in all_mutants(options.only) if not options.kinds or one[1].kind in options.kinds]
    results = read_results()
    chosen = mutants
    if options.limit is not None:
        chosen = random.Random(options.seed).sample(mutants, min(options.limit, len(mutants)))
        chosen.sort(key=mutants.index)
    due = [one for one in chosen if one[2] not in results]
    if options.again:
        explained = explanations()
        due = [one for one in chosen if results.get(one[2]) == "survived" and place(*one[:2]) not in explained]
    if not options.list and due:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            judge_all(due, results, int(os.environ.get("JOBS", "1")))
        except MillError as error:
            sys.exit(f"FAILED: {error}")
    sys.exit(1 if report(mutants, results) else 0)


if __name__ == "__main__":
    main()
