#!/usr/bin/env python3
"""Holds the list of explained survivors to the code: it can be read, and names no mutant that there is not any more."""

import unittest

from run import all_mutants, explanations, place


class Survivors(unittest.TestCase):
    def test_are_mutants_of_the_code_as_it_is(self):
        made = {place(file, mutation) for file, mutation, _ in all_mutants(None)}
        self.assertEqual(sorted(explanations() - made), [])


if __name__ == "__main__":
    unittest.main()
