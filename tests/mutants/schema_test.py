#!/usr/bin/env python3
"""Holds the program with all mutants to its claim: with a mutant chosen it is the program that the mutant alone makes."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from mutations import mutations
from schema import HEADER, Schema

COMPILER = os.environ.get("CXX", "c++")
PROGRAM = """#include <cstdio>
struct Place { int at; };
static int steps_ = 0;
static void note(int what) { steps_ = steps_ * 10 + what; }
static bool is_even(int x) { return x == 2 || x == 4; }
static int walk(int x) {
  const auto twice = x + x > 6;
  if (x > 3 && !twice) return 1;
  for (int i = 0; i < x; ++i) {
    if (const int y = i; y > 1) note(y);  // a comment
  }
  note(7);
  steps_ += 100;
  note(8);
  const Place place{
      .at = x + 1,
  };
  return is_even(x) ||
                 place.at == 4
             ? steps_
             : -steps_;
}
int main() {
  for (int x = 1; x < 6; ++x) {
    steps_ = 0;
    std::printf("%d %d\\n", walk(x), steps_);
  }
}
"""


class SchemaOfAProgram(unittest.TestCase):
    def run_text(self, name, text, chosen=0):
        source, program = self.folder / f"{name}.cpp", self.folder / name
        if not program.exists():
            source.write_text(HEADER.replace("#pragma once\n", "") + text)
            subprocess.run([COMPILER, "-std=c++20", "-w", "-o", program, source], check=True)
        environment = {**os.environ, "WRITE_ASIDE_MUTANT": str(chosen)}
        return subprocess.run([program], env=environment, capture_output=True, text=True, timeout=20).stdout

    def test_behaves_as_the_mutant_that_is_chosen(self):
        with tempfile.TemporaryDirectory() as folder:
            self.folder = pathlib.Path(folder)
            schema = Schema(PROGRAM)
            numbered = {number: one for number, one in enumerate(mutations(PROGRAM), start=1)
                        if schema.alternatives(one)}
            text, added = schema.render(numbered)
            self.assertEqual(set().union(*added.values()), set(numbered))
            plain = self.run_text("plain", PROGRAM)
            self.assertEqual(self.run_text("all", text), plain)
            different = 0
            one_of_each = {(one.kind, *(place.kind for place, _ in schema.alternatives(one))): number
                           for number, one in numbered.items()}
            for number in one_of_each.values():
                mutation = numbered[number]
                alone = self.run_text(f"alone{number}", mutation.apply(PROGRAM))
                self.assertEqual(self.run_text("all", text, number), alone, mutation)
                different += alone != plain
            self.assertGreater(different, 5)

    def test_has_a_place_for_each_kind(self):
        schema = Schema(PROGRAM)
        kinds = {one.kind for one in mutations(PROGRAM)}
        self.assertEqual({one.kind for one in mutations(PROGRAM) if schema.alternatives(one)}, kinds)
        self.assertLessEqual({"invert", "swap", "drop call", "drop assignment", "drop return", "drop step", "reorder"}, kinds)

    def test_says_on_which_line_each_mutant_stands(self):
        text, added = Schema("  go();\n  stop();").render(dict(enumerate(mutations("  go();\n  stop();"), start=1)))
        lines = text.split("\n")
        for number in (1, 2, 3):
            self.assertTrue(any(f"== {number})" in lines[line - 1] for line, own in added.items() if own == {number}))
        self.assertEqual({number for own in added.values() for number in own}, {1, 2, 3})


if __name__ == "__main__":
    unittest.main()
