#!/usr/bin/env python3
"""Holds the making of mutants to its claims."""

import unittest

from mutations import function_at, mutations


def made(text):
    return {(one.kind, one.new) for one in mutations(text)}


class Mutations(unittest.TestCase):
    def test_inverts_a_condition_and_drops_an_early_return(self):
        self.assertEqual(made("  if (is_old(now)) return {};"),
                         {("invert", "  if (!(is_old(now))) return {};"), ("drop return", "  if (is_old(now)) (void)0;")})

    def test_inverts_the_test_and_not_the_declaration_before_it(self):
        self.assertIn(("invert", "  if (auto x = f(); !(!x)) {"), made("  if (auto x = f(); !x) {"))
        self.assertEqual(made("  if (const auto x = f()) {"), set())

    def test_swaps_each_operator_by_itself(self):
        self.assertEqual(made("  return a < b && c == d;"),
                         {("swap", "  return a <= b && c == d;"), ("swap", "  return a < b || c == d;"),
                          ("swap", "  return a < b && c != d;")})

    def test_takes_templates_for_no_comparison(self):
        self.assertEqual(made("  std::optional<std::pair<int, int>> found(first);"), set())

    def test_drops_calls_and_assignments(self):
        self.assertEqual(made("  member->waiter->notify_all();"), {("drop call", "  (void)0;")})
        self.assertEqual(made("  broken_ = true;"), {("drop assignment", "  (void)0;")})
        self.assertEqual(made("  ++n_;"), {("drop assignment", "  (void)0;")})

    def test_drops_no_declaration_and_no_part_of_a_statement(self):
        for text in ("  const Lock lock(*lock_);", "  return f(a);", "  call(one,", "  f(a,\n    g(b));"):
            self.assertEqual(made(text), set(), text)

    def test_reorders_neighbours_of_one_block(self):
        self.assertIn(("reorder", "  second();\n  first();"), made("  first();\n  second();"))
        self.assertIn(("reorder", "  call();\n  open_ = false;"), made("  open_ = false;\n  call();"))
        for text in ("  if (x)\n    first();\n  second();", "  a_ = 1;\n  b_ = 2;"):
            self.assertNotIn("reorder", {kind for kind, _ in made(text)}, text)

    def test_drops_steps(self):
        self.assertIn(("drop step", "  return at;"), made("  return at + 1;"))
        self.assertEqual(made("  return {epoch_, ++last_};"), {("drop step", "  return {epoch_, last_};")})
        self.assertEqual(made("  return at + 10;"), set())

    def test_leaves_alone_what_reports_and_explains(self):
        for text in ('  fail("a < b && c");', "  // if (a < b) return;", "  assert(a < b);", "#if A && B",
                     "  context_.notice(all == none);"):
            self.assertEqual({one for one in made(text) if one[0] != "drop call"}, set(), text)

    def test_knows_the_function(self):
        text = "int x(0);\n// f(x)\nResult<void> Lane::join(std::vector<int> one,\n      int two) {\n  go();\n}\n"
        self.assertEqual(function_at(text, 5), "Lane::join")
        self.assertEqual(function_at("Lane::~Lane() {\n  go();\n}\n", 2), "Lane::~Lane")

    def test_changes_only_its_line(self):
        text = "void f() {\n  first();\n  second();\n}\n"
        one = next(one for one in mutations(text) if one.kind == "reorder")
        self.assertEqual(one.apply(text), "void f() {\n  second();\n  first();\n}\n")


if __name__ == "__main__":
    unittest.main()
