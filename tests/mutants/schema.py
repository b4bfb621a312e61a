"""All mutants in one program: each stands beside what it mutates, and the environment chooses.

Building takes a minute, trying a mutant less than a second, so all of them are built at once (mutant schemata: Untch,
Offutt and Harrold, 1993). What a mutation changes is a place: a condition, a statement or an initializer on one line.
`Schema(text)` has a place for most of a file's mutations; `render` writes the file with an alternative, on a line of its
own, for each mutant that is given a number.
"""

import collections
import dataclasses
import os
import re

from mutations import ASSIGNMENT, CALL, ENDS_STATEMENT, FOR, IF, closing, condition_begin, masked, mutations

CHOSEN = "write_aside_mutant"
HEADER = f"""#pragma once
#include <cstdlib>
inline const int {CHOSEN} = [] {{
  const char* text = std::getenv("WRITE_ASIDE_MUTANT");
  return text ? std::atoi(text) : 0;
}}();
"""
LEAVE = re.compile(r"^\s+(?:return|throw|continue|break)\b.*;$")
PLAIN_ASSIGNMENT = re.compile(r"^\s+[\w>.\-]+ [-+|]?= .*;$")
DECLARATION = re.compile(r"^\s+(?:static |const )*[\w:<>*]+ \w+ = ")
BODY = re.compile(r"\{ ([^{};]+;) \}")
VALUE = re.compile(r" [=?:+-] ")  # it is more than a condition
MEMBER = re.compile(r"^\s+\.\w+ = (.*?),?$")
PART = re.compile(r"^\s+(?:return )?(.*?)(?: &&| \|\||;)$")  # of a condition that has several lines


@dataclasses.dataclass(frozen=True)
class Place:
    line: int  # from 1
    begin: int
    end: int
    kind: str  # "condition", "value" or "statement"


def is_balanced(code):
    return code.count("(") == code.count(")") and code.count("{") == code.count("}")


def places(number, line, before):
    """The places of a line, none within another."""
    code = masked(line).rstrip()
    found = []
    at = 0
    for match in IF.finditer(code):
        if (end := closing(code, match.end() - 1)) > 0:
            found.append(Place(number, condition_begin(code, match.end() - 1, end), end, "condition"))
            at = end + 1
    for match in FOR.finditer(code):
        if (end := closing(code, match.end() - 1)) > 0:
            at = end + 1
            if code.count(";", match.end(), end) == 2:
                begin = code.index(";", match.end()) + 1
                if (close := code.index(";", begin)) > begin:
                    found.append(Place(number, begin, close, "condition"))
    if at:  # what follows the brackets
        if is_balanced(code) and code.endswith(";"):
            found.append(Place(number, at + len(code[at:]) - len(code[at:].lstrip()), len(code), "statement"))
    elif is_balanced(code) and (not before or before.endswith(ENDS_STATEMENT)) and is_statement(code):
        found.append(Place(number, len(code) - len(code.lstrip()), len(code), "statement"))
    elif is_balanced(code) and code.endswith(";") and (match := DECLARATION.match(code)):
        found.append(Place(number, match.end(), len(code) - 1, "value"))
    elif match := BODY.search(code):
        found.append(Place(number, match.start(1), match.end(1), "statement"))
    elif is_balanced(code) and (match := MEMBER.match(code)):
        found.append(Place(number, match.start(1), match.end(1), "value"))
    elif is_balanced(code) and not VALUE.search(code) and (match := PART.match(code)):
        found.append(Place(number, match.start(1), match.end(1), "condition"))
    return found


def code_of(line):
    """The line without its comment."""
    return line[:len(masked(line).rstrip())]


def is_statement(code):
    return any(form.match(code) for form in (CALL, ASSIGNMENT, PLAIN_ASSIGNMENT, LEAVE))


class Schema:
    def __init__(self, text):
        self.lines = text.split("\n")
        self.places = collections.defaultdict(list)  # by line
        before = ""
        for number, line in enumerate(self.lines, start=1):
            self.places[number] = places(number, line, before)
            if code := masked(line).rstrip():
                before = code
        self.mutations = list(mutations(text))

    def alternatives(self, mutation):
        """(place, what stands there instead) of a mutation; none where it has no place."""
        result = []
        for offset, (old, new) in enumerate(zip(mutation.old.split("\n"), mutation.new.split("\n"))):
            old, new = code_of(old), code_of(new)
            first = len(os.path.commonprefix([old, new]))
            last = len(old) - len(os.path.commonprefix([old[first:][::-1], new[first:][::-1]]))
            around = [one for one in self.places[mutation.line + offset] if one.begin <= first and last <= one.end]
            if not around:
                return []
            result.append((around[0], new[around[0].begin:around[0].end + len(new) - len(old)]))
        return result

    def render(self, numbered):
        """The text with these mutants, {number: mutation}, and {its line: numbers} of what was added."""
        here = collections.defaultdict(list)
        for number, mutation in numbered.items():
            for place, instead in self.alternatives(mutation):
                here[place].append((number, instead))
        out, added = [], {}
        for line_number, line in enumerate(self.lines, start=1):
            rest, at = "", 0
            for place in sorted(self.places[line_number], key=lambda place: place.begin):
                if place not in here:
                    continue
                opening, each, closing_ = FORMS[place.kind]
                everyone = {number for number, _ in here[place]}
                out.append(rest + line[at:place.begin])
                out.append(opening)
                added[len(out)] = everyone
                for number, instead in here[place]:
                    out.append(each.format(chosen=CHOSEN, number=number, instead=instead))
                    added[len(out)] = {number}
                out.append(closing_.format(line[place.begin:place.end]))
                added[len(out)] = everyone
                rest = ""
                at = place.end
            out.append(rest + line[at:])
        return "\n".join(out), added


FORMS = {
    "condition": ("(", "{chosen} == {number} ? static_cast<bool>({instead}) :", "static_cast<bool>({}))"),
    "value": ("(", "{chosen} == {number} ? ({instead}) :", "({}))"),
    "statement": ("{", "if ({chosen} == {number}) {{ {instead} }} else", "{{ {} }} }}"),
}
