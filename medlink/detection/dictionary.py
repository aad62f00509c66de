"""Dictionary mentions: the names of a lexicon in a text, whatever their inflection and the order of their words."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans

from medlink.detection.attributes import LABEL, SPANS_KEY, register_attributes
from medlink.detection.key_table import KeyTable
from medlink.detection.name_forms import NameForm, Window
from medlink.detection.packing import pack_folder, unpack_folder
from medlink.detection.readings import Kind, readings
from medlink.detection.words import Gap, Words, content_words_of, stem
from medlink.errors import SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.persistence import read_lexicon, write_lexicon

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
    :param kind: how it is them.
    """

    start: int
    end: int
    rows: tuple[int, ...]
    kind: Kind = Kind.EXACT


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
        self._table = KeyTable.build(lexicon.names, written=self._written)

    def find(self, text: str, *, nested: bool = False) -> list[tuple[int, int]]:
        """The ``[start, end)`` of all mentions in a text, by start, then end; see :meth:`matches`."""
        return [(match.start, match.end) for match in self.matches(text, nested=nested)]

    def matches(self, text: str, *, nested: bool = False) -> list[Match]:
        """The mentions in a text with the names that they may be, by start, then end.

        :param nested: all of them; by default the longest ones that do not overlap, the first of two equally long.
        """
        words = content_words_of(text)
        found: dict[tuple[int, int], Match] = {}
        for match in (*self._written_matches(text, words), *self._read_matches(text, words)):
            old = found.get((match.start, match.end))
            if match.kind in self.kinds and (old is None or match.kind < old.kind):
                found[match.start, match.end] = match
        return sorted(found.values() if nested else _longest(found.values()), key=attrgetter("start", "end"))

    def _written_matches(self, text: str, words: Words) -> Iterator[Match]:
        for first, last, rows in self._table.windows(words):
            window = _window(text, words, first, last)
            admitted, kind = self._admitted(rows, window), Kind.EXACT
            if not admitted and Kind.VARIANT in self.kinds and window.gap is Gap.PLAIN:
                admitted, kind = self._resembling(rows, tuple(map(stem, window.words))), Kind.VARIANT
            if admitted:
                yield Match(words.starts[first], words.ends[last - 1], admitted, kind)

    def _read_matches(self, text: str, words: Words) -> Iterator[Match]:
        if max(self.kinds, default=Kind.EXACT) > Kind.VARIANT:
            for reading in readings(text, words, self._table):
                rows = self._resembling(reading.rows, reading.stems, ordered=reading.kind is Kind.SHARED)
                if rows:
                    yield Match(words.starts[reading.first], words.ends[reading.last - 1], rows, reading.kind)

    def _admitted(self, rows: Sequence[int], window: Window) -> tuple[int, ...]:
        return tuple(sorted(row for row in rows if any(form.admits(window) for form in self._forms_of(row))))

    def _resembling(self, rows: Sequence[int], stems: Sequence[str], *, ordered: bool = False) -> tuple[int, ...]:
        def resembles(row: int) -> bool:
            return any(form.resembles(stems, ordered=ordered) for form in self._forms_of(row))

        return tuple(sorted(filter(resembles, rows)))

    def _forms_of(self, row: int) -> tuple[NameForm, ...]:
        forms = self._forms.get(row)
        if forms is None:
            concepts = self._lexicon.concepts
            postings = self._lexicon.postings(row)
            forms = tuple({NameForm.of(posting.name, concepts[posting.concept_id]) for posting in postings})
            self._forms[row] = forms
        return forms

    def _written(self, row: int) -> Iterable[str]:
        return (posting.name.text for posting in self._lexicon.postings(row))


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


class DictionaryDetector:
    """A spaCy component that adds a lexicon's names to ``doc.ents``.

    Entities that are there already stay, and no dictionary mention overlaps them. Where the tokenizer of the pipeline
    joins what a name divides, the mention grows to whole tokens.

    :param lexicon_folder: a lexicon written by :func:`medlink.ontology.persistence.write_lexicon`, read at first use;
        or else set :attr:`lexicon`.
    :param nested: put all mentions, nested and overlapping ones too, into ``doc.spans[spans_key]`` besides.
    """

    def __init__(self, *, lexicon_folder: Path | None, nested: bool, spans_key: str) -> None:
        register_attributes()
        self.nested, self.spans_key = nested, spans_key
        self._folder = lexicon_folder
        self._lexicon: Lexicon | None = None
        self._matcher: DictionaryMatcher | None = None

    @property
    def lexicon(self) -> Lexicon:
        """The lexicon whose names are found.

        :raises SettingError: when none has been set and no folder was given.
        """
        if self._lexicon is None:
            if self._folder is None:
                raise SettingError(
                    "the dictionary has no lexicon",
                    where="medlink_dictionary",
                    hint="Set component.lexicon, or config={'lexicon': FOLDER} with a folder of write_lexicon.",
                )
            self._lexicon = read_lexicon(self._folder)
        return self._lexicon

    @lexicon.setter
    def lexicon(self, lexicon: Lexicon) -> None:
        self._lexicon, self._matcher = lexicon, None

    def __call__(self, doc: Doc) -> Doc:
        """The doc with the dictionary mentions added."""
        if self._matcher is None:
            self._matcher = DictionaryMatcher(self.lexicon)
        found = self._matcher.find(doc.text, nested=self.nested)
        grown = (doc.char_span(start, end, label=LABEL, alignment_mode="expand") for start, end in found)
        spans = [span for span in grown if span is not None]
        if self.nested:
            doc.spans[self.spans_key] = SpanGroup(doc, name=self.spans_key, spans=_in_order((*doc.ents, *spans)))
        taken = {token.i for ent in doc.ents for token in ent}
        free = (span for span in spans if taken.isdisjoint(range(span.start, span.end)))
        doc.ents = (*doc.ents, *filter_spans(free))
        return doc

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the lexicon into a folder."""
        if self._lexicon is not None or self._folder is not None:
            write_lexicon(self.lexicon, Path(path))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> DictionaryDetector:
        """Read the lexicon from a folder of :meth:`to_disk`; one written without a lexicon leaves it unset."""
        if Path(path).is_dir():
            self.lexicon = read_lexicon(Path(path))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The files of :meth:`to_disk`, packed."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "lexicon")
            folder.mkdir()
            self.to_disk(folder)
            return pack_folder(folder)

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> DictionaryDetector:
        """Read the lexicon from what :meth:`to_bytes` gave."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "lexicon")
            unpack_folder(data, folder)
            return self.from_disk(folder)


def _in_order(spans: Iterable[Span]) -> list[Span]:
    """The spans by offsets, one of each."""
    return sorted({(span.start, span.end): span for span in spans}.values(), key=attrgetter("start", "end"))


@Language.factory(
    "medlink_dictionary",
    assigns=["doc.ents", "doc.spans"],
    default_config={"lexicon": None, "nested": False, "spans_key": SPANS_KEY},
)
def make_dictionary(nlp: Language, name: str, lexicon: str | None, nested: bool, spans_key: str) -> DictionaryDetector:
    """The dictionary component; see :class:`DictionaryDetector`."""
    return DictionaryDetector(lexicon_folder=Path(lexicon) if lexicon else None, nested=nested, spans_key=spans_key)
