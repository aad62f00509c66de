"""The spaCy component of the dictionary: the names of a lexicon as ``doc.ents``."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable
from operator import attrgetter
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans

from medlink.detection.attributes import LABEL, SPANS_KEY, register_attributes
from medlink.detection.matcher import DictionaryMatcher
from medlink.detection.packing import pack_folder, unpack_folder
from medlink.detection.readings import Kind
from medlink.errors import SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.persistence import read_lexicon, write_lexicon


class DictionaryDetector:
    """A spaCy component that adds a lexicon's names to ``doc.ents``.

    Entities that are there already stay, and no dictionary mention overlaps them. Where the tokenizer of the pipeline
    joins what a name divides, the mention grows to whole tokens.

    :param lexicon_folder: a lexicon written by :func:`medlink.ontology.persistence.write_lexicon`, read at first use;
        or else set :attr:`lexicon`.
    :param nested: put all mentions, nested and overlapping ones too, into ``doc.spans[spans_key]`` besides.
    """

    #: How a stretch of text may be a name.
    kinds: Collection[Kind] = frozenset({Kind.EXACT})

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

    @property
    def matcher(self) -> DictionaryMatcher:
        """What finds them."""
        if self._matcher is None:
            self._matcher = DictionaryMatcher(self.lexicon, kinds=self.kinds)
        return self._matcher

    def __call__(self, doc: Doc) -> Doc:
        """The doc with the dictionary mentions added."""
        found = self.matcher.find(doc.text, nested=self.nested)
        grown = (doc.char_span(start, end, label=LABEL, alignment_mode="expand") for start, end in found)
        spans = [span for span in grown if span is not None]
        if self.nested:
            set_group(doc, self.spans_key, (*doc.ents, *spans))
        add_ents(doc, spans)
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


def set_group(doc: Doc, key: str, spans: Iterable[Span]) -> None:
    """Make spans the span group of that name, by offsets, of several with the same offsets the last."""
    ordered = sorted({(span.start, span.end): span for span in spans}.values(), key=attrgetter("start", "end"))
    doc.spans[key] = SpanGroup(doc, name=key, spans=ordered)


def add_ents(doc: Doc, spans: Iterable[Span]) -> None:
    """Add to ``doc.ents`` the spans that overlap none of them, of those that overlap each other the longest."""
    taken = {token.i for ent in doc.ents for token in ent}
    free = (span for span in spans if taken.isdisjoint(range(span.start, span.end)))
    doc.ents = (*doc.ents, *filter_spans(free))


@Language.factory(
    "medlink_dictionary",
    assigns=["doc.ents", "doc.spans"],
    default_config={"lexicon": None, "nested": False, "spans_key": SPANS_KEY},
)
def make_dictionary(nlp: Language, name: str, lexicon: str | None, nested: bool, spans_key: str) -> DictionaryDetector:
    """The dictionary component; see :class:`DictionaryDetector`."""
    return DictionaryDetector(lexicon_folder=Path(lexicon) if lexicon else None, nested=nested, spans_key=spans_key)
