"""HTML output: one page that needs nothing else, with every link highlighted in its note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from jinja2 import Environment, PackageLoader, StrictUndefined

from medlink.formats.decision import Decision, decide
from medlink.formats.highlight import Run, nested_runs
from medlink.records import Assertion, Link, LinkedDocument

NIL = "no concept"
_FLUSH_EVERY = 200  # template pieces that are joined before they are written


@dataclass(frozen=True, slots=True)
class MentionView:
    """A mention as the page shows it.

    :param anchor: its id in the page.
    :param look: which highlight it gets: "present", "negated", "uncertain", "context" (past or family) or "nil".
    """

    anchor: str
    link: Link
    decision: Decision
    look: str


@dataclass(frozen=True, slots=True)
class ConceptView:
    """A row of a note's table: all its mentions of one concept, or of one string without a concept."""

    mentions: tuple[MentionView, ...]

    @property
    def head(self) -> MentionView:
        """The first of the mentions with the highest score."""
        return max(self.mentions, key=lambda mention: mention.decision.score)

    @property
    def surfaces(self) -> tuple[MentionView, ...]:
        """The first mention of each way the note writes it."""
        return tuple({m.link.mention.surface.casefold(): m for m in reversed(self.mentions)}.values())[::-1]

    @property
    def assertions(self) -> tuple[tuple[str, int], ...]:
        """What the note says of it, and how often."""
        labels = (label for m in self.mentions for label in m.link.mention.assertion.labels or ("present",))
        return tuple(Counter(labels).items())


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note as the page shows it."""

    anchor: str
    doc_id: str
    runs: tuple[Run, ...]
    mentions: tuple[MentionView, ...]
    concepts: tuple[ConceptView, ...]

    @property
    def n_nil(self) -> int:
        """How many mentions got no concept."""
        return sum(mention.decision.is_nil for mention in self.mentions)


@dataclass(slots=True)
class Contents:
    """What the page has shown so far, for the list of notes at its end."""

    entries: list[tuple[str, str, int]] = field(default_factory=list)
    versions: set[tuple[str, str]] = field(default_factory=set)
    n_mentions: int = 0
    n_nil: int = 0

    def add(self, note: NoteView) -> None:
        """Count the note in."""
        self.entries.append((note.anchor, note.doc_id, len(note.mentions) - note.n_nil))
        self.versions.update((m.link.release, m.link.ontology_version) for m in note.mentions)
        self.n_mentions += len(note.mentions)
        self.n_nil += note.n_nil


def write_html(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    """A page with style and script inside and no address of anything else, which its content policy also forbids.

    Each note stands with its highlighted mentions, a table of its concepts, and a list of all mentions with score,
    assertion, the name that matched and every alternative. With scripts on, that comes up over a mention under the
    pointer or the focus too. NIL mentions are outlined in grey and listed last. Nested and crossing mentions are all
    highlighted. It follows the reader's light or dark theme and prints with concept ids in the text.

    Memory is constant but for the list of notes at the page's end, some 100 bytes a note.
    """
    page = Environment(
        loader=PackageLoader("medlink.formats"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("page.html")
    contents = Contents()
    rendered = page.stream(notes=_views(links, contents), contents=contents, nil=NIL)
    rendered.enable_buffering(_FLUSH_EVERY)
    for piece in rendered:
        stream.write(piece.encode())


def _views(links: Iterable[LinkedDocument], contents: Contents) -> Iterator[NoteView]:
    for number, linked in enumerate(links, start=1):
        note = note_view(linked, f"n{number}")
        contents.add(note)
        yield note


def note_view(linked: LinkedDocument, anchor: str) -> NoteView:
    """The note as the page shows it, its ids starting with ``anchor``."""
    mentions = tuple(
        MentionView(f"{anchor}m{number}", link, decide(link), _look(link))
        for number, link in enumerate(linked.links, 1)
    )
    spans = [(link.mention.start, link.mention.end) for link in linked.links]
    runs = tuple(nested_runs(linked.document.text, spans))
    return NoteView(anchor, linked.document.id, runs, mentions, _concepts(mentions))


def _look(link: Link) -> str:
    assertion = link.mention.assertion
    if link.concept_id is None:
        return "nil"
    if assertion.negated:
        return "negated"
    if assertion.uncertain or assertion.hypothetical:
        return "uncertain"
    return "present" if assertion == Assertion() else "context"


def _concepts(mentions: Sequence[MentionView]) -> tuple[ConceptView, ...]:
    """One row per concept in order of first mention, those without a concept last."""
    rows: dict[tuple[bool, str], list[MentionView]] = {}
    for mention in mentions:
        key = mention.decision.concept_id or mention.link.mention.query.casefold()
        rows.setdefault((mention.decision.is_nil, key), []).append(mention)
    in_order = sorted(rows.items(), key=lambda item: item[0][0])
    return tuple(ConceptView(tuple(row)) for _, row in in_order)
