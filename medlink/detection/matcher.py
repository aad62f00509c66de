"""Dictionary matches: the names of a lexicon in a text, as written or as they may be read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter

from spacy.lang.en.stop_words import STOP_WORDS

from medlink.detection.name_forms import NameForm, Window, is_heading
from medlink.detection.name_words import keys_of, spell_checker_of
from medlink.detection.readings import Kind, Reading, readings
from medlink.detection.typos import SpellChecker
from medlink.detection.words import Gap, Words, content_words_of, stem
from medlink.ontology.lexicon import Lexicon

# How many words on either side tell whether a stretch of text is written in capitals throughout.
_CASE_CONTEXT = 3
# How far behind a stretch of text the next character that is no space is looked for.
_FOLLOWER_REACH = 4


@dataclass(frozen=True, slots=True)
class Match:
    """A stretch of a text that may be one or more names of a lexicon.

    :param start: offset of its first code point in the untouched text.
    :param end: offset behind its last code point.
    :param rows: the names' rows in ``lexicon.names``, ascending.
    :param own: the part of the stretch that is no other's: less than all of it in an enumeration alone, where
        "renal hypoplasia and agenesis" leaves "agenesis" to the second.
    :param kind: how it is them.
    :param acronym: whether it can only be an acronym.
    :param sure: how surely the words are those of the names, in (0, 1].
    """

    start: int
    end: int
    rows: tuple[int, ...]
    own: tuple[int, int]
    kind: Kind = Kind.EXACT
    acronym: bool = False
    sure: float = 1.0


class DictionaryMatcher:
    """Finds the names of a lexicon in texts, in a time that does not depend on how many names there are.

    A stretch of text matches a name when both have the same content words (all but
    :data:`medlink.text.FUNCTION_WORDS`), inflection aside, in any order, within one clause. What else is asked of it,
    so that "weakness and muscle pain" is no "muscle weakness" and "all" no "ALL", says :meth:`NameForm.admits`.

    :param lexicon: whose current names are found.
    :param kinds: how a stretch of text may be a name.
    """

    def __init__(self, lexicon: Lexicon, *, kinds: Collection[Kind] = frozenset({Kind.EXACT})) -> None:
        self.kinds = frozenset(kinds)
        self._lexicon = lexicon
        self._forms: dict[int, tuple[NameForm, ...]] = {}
        self._below: dict[str, int] = {}
        self._spelling: SpellChecker | None = None
        self._table = keys_of(lexicon)

    def find(self, text: str, *, nested: bool = False) -> list[tuple[int, int]]:
        """The ``[start, end)`` of all mentions in a text, by start, then end; see :meth:`matches`."""
        return [(match.start, match.end) for match in self.matches(text, nested=nested)]

    def matches(self, text: str, *, nested: bool = False) -> list[Match]:
        """The mentions in a text with the names that they may be, by start, then end; of each stretch the surest kind.

        :param nested: all of them; by default the longest ones that do not overlap, the first of two equally long.
        """
        words = content_words_of(text)
        spelt = self._spelt(words)
        found: dict[tuple[int, int], Match] = {}
        for match in chain(self._written_matches(text, words, spelt), self._read_matches(text, spelt)):
            old = found.get((match.start, match.end))
            if match.kind in self.kinds and (old is None or (match.kind, -match.sure) < (old.kind, -old.sure)):
                found[match.start, match.end] = match
        kept = _without_wider(found.values())
        return sorted(kept if nested else _longest(kept), key=attrgetter("start", "end"))

    def name_of(self, match: Match) -> str:
        """The first name that a match may be, as the ontology writes it."""
        return self._lexicon.postings(match.rows[0])[0].name.text

    def n_narrower(self, match: Match) -> int:
        """How many concepts are below the one that a match may mean; of several the least."""
        bearers = {posting.concept_id for row in match.rows for posting in self._lexicon.postings(row)}
        return min(map(self._n_below, bearers))

    def _n_below(self, concept_id: str) -> int:
        found = self._below.get(concept_id)
        if found is None:
            found = self._below[concept_id] = len(self._lexicon.descendants(concept_id))
        return found

    def _spelt(self, words: Words) -> Words:
        """The words with those corrected that one letter makes names of."""
        if Kind.MISSPELT not in self.kinds:
            return words
        if self._spelling is None:
            self._spelling = spell_checker_of(self._lexicon)
        return replace(words, norms=tuple(map(self._spelling.correct, words.norms)))

    def _written_matches(self, text: str, words: Words, spelt: Words) -> Iterator[Match]:
        for first, last, rows in self._table.windows(spelt):
            window = _window(text, spelt, first, last)
            start, end = words.starts[first], words.ends[last - 1]
            admitted = self._admitted(rows, window)
            if admitted and words.norms[first:last] != window.words:
                yield Match(start, end, admitted, (start, end), Kind.MISSPELT)
            elif admitted:
                acronym = last - first == 1 and all(form.acronym for row in admitted for form in self._forms_of(row))
                yield Match(start, end, admitted, (start, end), acronym=acronym)
            elif Kind.VARIANT in self.kinds and window.gap is Gap.PLAIN and not is_heading(window):
                alike = self._resembling(rows, tuple(map(stem, window.words)))
                if alike:
                    yield Match(start, end, alike, (start, end), Kind.VARIANT)

    def _read_matches(self, text: str, words: Words) -> Iterator[Match]:
        if self.kinds.isdisjoint({Kind.SWAPPED, Kind.INSERTED, Kind.SHARED}):
            return
        found = []
        for reading in readings(text, words, self._table):
            rows = self._resembling(reading.rows, reading.stems, ordered=reading.kind is Kind.SHARED)
            if rows and not (reading.kind is Kind.SHARED and _goes_on(text, words, reading)):
                found.append(replace(reading, rows=rows))
        for reading in _widest(found):
            start, end = words.starts[reading.first], words.ends[reading.last - 1]
            yield Match(start, end, reading.rows, _own_part(words, reading), reading.kind, sure=reading.sure)

    def _admitted(self, rows: Sequence[int], window: Window) -> tuple[int, ...]:
        return tuple(sorted(row for row in rows if any(form.admits(window) for form in self._forms_of(row))))

    def _resembling(self, rows: Sequence[int], stems: Sequence[str], *, ordered: bool = False) -> tuple[int, ...]:
        def resembles(row: int) -> bool:
            return any(form.resembles(stems, ordered=ordered) for form in self._forms_of(row))

        return tuple(sorted(filter(resembles, rows)))

    def _forms_of(self, row: int) -> tuple[NameForm, ...]:
        forms = self._forms.get(row)
        if forms is None:
            postings = self._lexicon.postings(row)
            forms = tuple({NameForm.of(posting.name, posting.concept) for posting in postings})
            self._forms[row] = forms
        return forms


def _window(text: str, words: Words, first: int, last: int) -> Window:
    start, end = words.starts[first], words.ends[last - 1]
    return Window(
        words=words.norms[first:last],
        surface=text[start:end],
        gap=max(words.gaps[first + 1 : last], default=Gap.PLAIN),
        shouted=last - first == 1 and _is_shouted(text, words, first),
        follower=text[end : end + _FOLLOWER_REACH].lstrip()[:1],
    )


def _is_shouted(text: str, words: Words, place: int) -> bool:
    """Whether all words around one are in capitals; not where there is none."""
    around = (*range(max(0, place - _CASE_CONTEXT), place), *range(place + 1, place + 1 + _CASE_CONTEXT))
    surfaces = [text[words.starts[i] : words.ends[i]] for i in around if i < len(words.norms)]
    lettered = [surface for surface in surfaces if surface.upper() != surface.lower()]
    return bool(lettered) and all(surface == surface.upper() for surface in lettered)


def _longest(matches: Iterable[Match]) -> list[Match]:
    """The matches left when of any two that overlap the shorter goes, and of two equally long the later one."""
    kept: list[Match] = []
    taken: set[int] = set()
    for match in sorted(matches, key=lambda match: (match.start - match.end, match.start)):
        if match.start not in taken and match.end - 1 not in taken:
            kept.append(match)
            taken.update(range(match.start, match.end))
    return kept


def _widest(found: Iterable[Reading]) -> list[Reading]:
    """The readings without parts of an enumeration that another one begins before: "atypical" belongs to "absence"."""
    firsts: dict[tuple[tuple[int, int], int], int] = {}
    kept = list(found)
    for reading in kept:
        key = reading.left_out, reading.last
        firsts[key] = min(reading.first, firsts.get(key, reading.first))
    return [one for one in kept if one.kind is not Kind.SHARED or one.first == firsts[one.left_out, one.last]]


def _own_part(words: Words, reading: Reading) -> tuple[int, int]:
    """The offsets of what a reading has for itself: beside the "and", the words that are not those left out."""
    (first, last), (low, high) = (reading.first, reading.last), reading.left_out
    if reading.kind is Kind.SHARED:
        first, last = (first, low) if words.gaps[low] > Gap.PLAIN else (high, last)
    return words.starts[first], words.ends[last - 1]


def _goes_on(text: str, words: Words, reading: Reading) -> bool:
    """Whether the last phrase of an enumeration has more words: "hearing loss and renal" before "anomalies"."""
    last = reading.last
    if words.gaps[reading.left_out[0]] > Gap.PLAIN or last == len(words.norms):
        return False
    return not text[words.ends[last - 1] : words.starts[last]].strip(" -") and words.norms[last] not in STOP_WORDS


def _without_wider(matches: Collection[Match]) -> list[Match]:
    """The matches without the parts of an enumeration that have a shorter match for the same names inside."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for match in matches:
        for row in match.rows:
            spans.setdefault(row, []).append((match.start, match.end))
    for of_row in spans.values():
        of_row.sort()

    def is_wider(match: Match) -> bool:
        return any(_has_inside(spans[row], match) for row in match.rows)

    return [match for match in matches if match.kind is not Kind.SHARED or not is_wider(match)]


def _has_inside(spans: Sequence[tuple[int, int]], match: Match) -> bool:
    """Whether another one of the sorted spans lies in a match."""
    for start, end in (spans[place] for place in range(bisect_left(spans, (match.start, 0)), len(spans))):
        if start >= match.end:
            return False
        if end <= match.end and (start, end) != (match.start, match.end):
            return True
    return False
