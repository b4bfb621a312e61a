"""Mutants of C++ source, line by line: what a slip of the hand could make of a decision.

`mutations(text)` yields a Mutation for each. The source is that of clang-format: a statement begins on its own line,
and operators with two sides have blanks around them. What reports and explains is left alone: comments, strings,
assertions, notices.
"""

import dataclasses
import re

SWAPS = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ", " != ": " == ", " && ": " || ",
         " || ": " && "}
STEP = re.compile(r" [+-] 1\b(?![.'])|(?<=[\s(,{\[])(?:\+\+|--)(?=\w+[,\])}])")
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'')
LEFT_ALONE = re.compile(r"^\s*#|\b(?:assert|static_assert|notice|printf)\b|\b(?:template|using|operator)\b|= default;")
# No blank before the bracket: `Lock lock(…)` declares something, and so does a capital letter, a constructor.
CALL = re.compile(r"^\s+(?![A-Z]\w*\()(?:\(\*\w+\)|[\w:]+)(?:(?:\.|->|::)\w+|\[[^]]*\])*\(.*\);$")
ASSIGNMENT = re.compile(r"^\s+[\w>.\-]+(?:_|->\w+|\.\w+) (?:[-+|]?=) .*;$|^\s+(?:\+\+|--)[\w>.\-]+;$")
KEYWORD = re.compile(r"^\s*(?:return|if|for|while|switch|case|else|delete|throw)\b")
IF = re.compile(r"\b(?:if|while) \(")
FOR = re.compile(r"\bfor \(")
LEAVE = re.compile(r"(?<=\) )(?:return|continue|break)\b.*;$")
LEAVE_ALONE = re.compile(r"^\s{4,}(?:return|continue);$")
FUNCTION = re.compile(r"(?![#}/\s])(?:.*?[\s*&])?([\w:~]+)\(")
ENDS_STATEMENT = (";", "{", "}", ")", ":", "else")


@dataclasses.dataclass(frozen=True)
class Mutation:
    line: int  # from 1
    kind: str
    old: str  # the line, or the two lines
    new: str

    def apply(self, text):
        lines = text.split("\n")
        first = self.line - 1
        lines[first:first + self.old.count("\n") + 1] = self.new.split("\n")
        return "\n".join(lines)


def function_at(text, line):
    """The name of the function that this line is in."""
    for above in reversed(text.split("\n")[:line]):
        if match := FUNCTION.match(above):
            return match[1]
    return ""


def masked(line):
    """The same length, without what stands in strings and comments."""
    line = LITERAL.sub(lambda match: '"' + "s" * (len(match[0]) - 2) + '"', line)
    code, comment, rest = line.partition("//")
    return code + " " * len(comment + rest)


def closing(code, opening):
    """Where the bracket at `opening` is closed; -1 if not on this line."""
    depth = 0
    for at in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return at
    return -1


def condition_begin(code, opening, end):
    """Where the condition begins between these brackets: behind the statement that may precede it."""
    begin, depth = opening + 1, 0
    for at in range(opening + 1, end):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(code[at], 0)
        if code[at] == ";" and depth == 0:
            begin = at + 1
    return begin


def mutations(text):
    lines = text.split("\n")
    before = previous = ""  # the line above, and its kind of statement
    for number, line in enumerate(lines, start=1):
        code = masked(line)
        kind = ""
        if code.strip() and not LEFT_ALONE.search(code):
            kind = statement(code.rstrip(), before)
            yield from within(number, line, code)
            if kind:
                indentation = line[:len(line) - len(line.lstrip())]
                yield Mutation(number, f"drop {kind}", line, indentation + "(void)0;")
                above = lines[number - 2]
                same_place = above.startswith(indentation) and above[len(indentation)] != " " and masked(above).strip()
                if same_place and "call" in (kind, previous) and previous and not IF.search(before):
                    yield Mutation(number - 1, "reorder", f"{above}\n{line}", f"{line}\n{above}")
        if code.strip():
            before, previous = code.rstrip(), kind


def statement(code, before):
    """`call` or `assignment` if this line is one, from its begin to its end."""
    whole = code.count("(") == code.count(")") and code.count("{") == code.count("}")
    if not whole or KEYWORD.search(code) or (before and not before.endswith(ENDS_STATEMENT)):
        return ""
    return "call" if CALL.match(code) else "assignment" if ASSIGNMENT.match(code) else ""


def within(number, line, code):
    """Mutations inside a line."""
    def replaced(kind, begin, end, new):
        return Mutation(number, kind, line, line[:begin] + new + line[end:])

    for match in IF.finditer(code):
        end = closing(code, match.end() - 1)
        begin = condition_begin(code, match.end() - 1, end) if end > 0 else 0
        condition = line[begin:end]
        if end > 0 and " = " not in condition:  # else it declares what it tests
            blank = " " if condition.startswith(" ") else ""
            yield replaced("invert", begin, end, f"{blank}!({condition.strip()})")
            if leave := LEAVE.search(code.rstrip(), end):
                yield replaced("drop return", leave.start(), leave.end(), "(void)0;")
    if match := LEAVE_ALONE.match(code.rstrip()):
        yield replaced("drop return", len(line) - len(line.lstrip()), match.end(), "(void)0;")
    for old, new in SWAPS.items():
        at = code.find(old)
        while at >= 0:
            yield replaced("swap", at, at + len(old), new)
            at = code.find(old, at + 1)
    for match in STEP.finditer(code):
        if FOR.search(code) and code.rfind(";", 0, match.start()) > FOR.search(code).end() and code.count(";") > 1:
            continue  # the loop would have no end
        yield replaced("drop step", match.start(), match.end(), "")
