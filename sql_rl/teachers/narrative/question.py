"""Question: which of its words point to a table, a column, a value or a clause of the query.

Plain lexical matching, no model: identifiers are split into words, words are reduced to a crude stem, and the
longest run of the question's words that an identifier is made of is its mention. Everything returned is quoted
from the question as it was written.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_WORD = re.compile(r"[A-Za-z0-9]+")
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_STOP = frozenset(
    {"a", "an", "and", "are", "as", "at", "by", "for", "from", "has", "have", "in", "is", "it", "of", "on", "or"}
    | {"that", "the", "their", "to", "was", "what", "with", "average", "max", "min", "number", "total"}
)
# Words that belong to the value they stand before, as in "at least 3"; so does the word before "than".
_BEFORE_VALUE = frozenset(
    {"above", "after", "at", "before", "below", "between", "beyond", "exactly", "exceeding", "greater", "least"}
    | {"less", "more", "most", "over", "since", "than", "under", "until", "containing", "contains"}
)
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


class Cue(StrEnum):
    """What in a question calls for a clause; the value is the pattern of its usual words."""

    COUNT = r"how many|(?:total )?numbers? of|count(?: of)?"
    AVERAGE = r"average|mean"
    SUM = r"total|sum|altogether|combined|in all|how much"
    DISTINCT = r"distinct|different|unique"
    GROUP = r"for each|for every|each|per|every|grouped by|broken down by"
    EXTREME = (
        r"(?:the )?(?:top \w+|bottom \w+|most \w+|least \w+|most|least|fewest|maximum|minimum|"
        r"(?!interest|forest|request|guest|test|rest|west|harvest|invest|contest|priest|chest)\w{2,}est)"
    )
    ORDER = (
        r"(?:sorted|ordered|ranked|arranged) (?:by|in|from)(?: \w+)?(?: \w+)?|"
        r"(?:in |by )?(?:the )?(?:ascending|descending|alphabetical|alphabetic|chronological|lexicographical) order|"
        r"alphabetically|(?:in|by) (?:the )?order of|"
        r"(?:the )?\w+ first(?=[.?!,]|$)|from the \w+ down|starting with"
    )
    NEGATION = r"did not|do not|does not|not|never|no|without|except|excluding|other than|neither|\w+n't|nor"
    BOTH = r"both|as well as|and also|and"
    EITHER = r"either|or"


_CUES = {cue: re.compile(rf"\b(?:{cue.value})\b", re.IGNORECASE) for cue in Cue}

_TASK = re.compile(
    r"(?:please\s+)?(?=(?:list|show|find|return|give|get|display|retrieve|count|compute|calculate|select|report|identify|"
    r"determine|tell|provide|name|rank|sort|compare|delete|update|insert|remove|add|create|change|set|drop|alter|"
    r"increase|decrease|record|rename|register|mark|raise|lower|cancel|move|build|define|make|label|assign|classify|"
    r"number|fetch|describe|clear|put|cut|extend|replace|merge|empty|clean|store|index|speed|keep)\b)(.+)",
    re.IGNORECASE | re.DOTALL,
)
_NOUN = re.compile(r"what(?:'s| is| are| was| were)\s+(?=the|all|each|every|an?\b)(.+)", re.IGNORECASE | re.DOTALL)
_THERE = re.compile(r"(how many .+?) (are|is|were|was) there\b(.*)", re.IGNORECASE | re.DOTALL)
_INDIRECT = re.compile(r"(?:how many|how much|which|who|what|whose)\s+.+", re.IGNORECASE | re.DOTALL)
# A question with one of these cannot be repeated as "asks which …" without turning it around.
_INVERTED = re.compile(
    r"\b(?:do|does|did|can|could|should|will)\b|^(?:who|what|which|how many|how much) (?:is|are|was|were)\b", re.I
)
# Where a sentence ends: not after an initial or a title.
_SENTENCE_END = re.compile(r"(?<!\b[A-Z]\.)(?<!Dr\.)(?<!Mr\.)(?<!Ms\.)(?<!St\.)(?<!Mrs\.)(?<=[.?!])\s+(?=[A-Z\"'])")


@dataclass(frozen=True, slots=True)
class Goal:
    """A sentence of the question, as part of one of ours.

    kind: 'task' ("list the names"), 'noun' ("the names of all heads"), 'clause' ("how many heads are older than 56"),
    or 'whole' for one that can only be cited.
    """

    kind: str
    text: str


class Question:
    """A question that can be asked for its words; every answer is text cut out of it, or '' where there is none."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self._spans = [(stem(m[0]), m.start(), m.end()) for m in _WORD.finditer(self.text)]

    def goals(self) -> list[Goal]:
        """One for each sentence of the question."""
        return [_goal(sentence) for sentence in _SENTENCE_END.split(self.text)]

    def mention(self, identifier: str) -> str:
        """The longest run of words that make up at least half of an identifier: "born state" for born_state."""
        parts = stems(identifier)
        needed = parts - _STOP
        best, best_count = "", 0
        position = 0
        while position < len(self._spans):
            while position < len(self._spans) and self._spans[position][0] in _STOP:
                position += 1
            first = position
            found: set[str] = set()
            while position < len(self._spans) and self._spans[position][0] in parts:
                if found and not self._adjacent(position):
                    break
                found.add(self._spans[position][0])
                position += 1
            last = position - 1
            while last >= first and self._spans[last][0] in _STOP:
                last -= 1
            count = len(found & needed)
            if count > best_count and 2 * count >= len(needed):
                best, best_count = self.text[self._spans[first][1] : self._spans[last][2]], count
            position = max(position, first + 1)
        return best

    def _adjacent(self, position: int) -> bool:
        """Is there nothing but a space or a hyphen between this word and the one before?"""
        return self.text[self._spans[position - 1][2] : self._spans[position][1]] in (" ", "-")

    def value(self, literal: str) -> str:
        """Where a literal is said, with the words that compare: "older than 56" for 56."""
        for form in (literal.strip("%"), _spelled(literal)):
            if not form:
                continue
            found = re.search(rf"(?<!\w){re.escape(form)}(?!\w)", self.text, re.IGNORECASE)
            if found is None:
                continue
            before = [span for span in self._spans if span[2] <= found.start()]
            start, last = found.start(), ""
            while (
                before
                and (before[-1][0] in _BEFORE_VALUE or last == "than")
                and self.text[before[-1][2] : start].isspace()
            ):
                last, start, _ = before.pop()
            return self.text[start : found.end()]
        return ""

    def cue(self, cue: Cue) -> str:
        """The words that call for a clause: "how many" for Cue.COUNT."""
        found = _CUES[cue].search(self.text)
        return found[0] if found else ""


def _goal(sentence: str) -> Goal:
    text = sentence.rstrip(" .?!")
    if match := _TASK.fullmatch(text):
        return Goal("task", _lower(match[1]))
    if match := _NOUN.fullmatch(text):
        return Goal("noun", match[1])
    if match := _THERE.fullmatch(text):
        return Goal("clause", f"{_lower(match[1])} there {match[2]}{match[3]}")
    if _INDIRECT.fullmatch(text) and not _INVERTED.search(text):
        return Goal("clause", _lower(text))
    return Goal("whole", sentence)


def stem(word: str) -> str:
    """Lower case, without the usual endings of a plural: cities -> city, boxes -> box, heads -> head."""
    word = word.lower()
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=10_000)
def stems(identifier: str) -> frozenset[str]:
    """The stems of the words in an identifier: born_states and BornState are both {born, state}."""
    return frozenset(stem(part) for part in _NAME_PART.findall(identifier))


def _spelled(literal: str) -> str:
    return _NUMBERS[int(literal)] if literal.isdecimal() and int(literal) < len(_NUMBERS) else ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
