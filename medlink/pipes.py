"""medlink as a spaCy component: ``nlp.add_pipe("medlink", config={"ontology": "hpo"})``."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import finalize

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from spacy.util import minibatch

from medlink.detection.components import detection_components
from medlink.detection.mentions import mentions_of
from medlink.detection.packing import pack_folder, unpack_folder
from medlink.encoder.default import DEFAULT_ENCODER
from medlink.errors import SettingError
from medlink.formats.links_json import link_row, parse_line
from medlink.linking.assemble import load_linker
from medlink.linking.linker import Linker
from medlink.linking.portable import read_linker, write_linker
from medlink.linking.recipe import Recipe, choose_release
from medlink.linking.selection import LinkFilter, Selection, make_filter
from medlink.linking.settings import LinkerSettings
from medlink.records import Link
from medlink.store.workspace import default_workspace_root

NIL = ""
_DEFAULTS = LinkerSettings()
_DATA = "linker"

Component = Callable[[Doc], Doc]


def register_attributes() -> None:
    """Makes ``span._.kb_ents`` and ``span._.medlink`` known to spaCy.

    ``kb_ents`` is ``[(concept id, score), …]``, best first, as scispaCy has it. ``medlink`` is the whole
    :class:`medlink.records.Link`, or ``None`` where nothing was linked; what is stored of it is plain data, so that
    every ``Doc`` can be pickled and sent to another process.
    """
    if not Span.has_extension("kb_ents"):
        Span.set_extension("kb_ents", default=[])
    if not Span.has_extension("medlink"):
        Span.set_extension("medlink_row", default=None)
        Span.set_extension("medlink", getter=_stored_link)


def _stored_link(span: Span) -> Link | None:
    row = span._.medlink_row
    return None if row is None else parse_line(json.dumps({"id": "", "links": [row]})).links[0]


@dataclass(frozen=True, slots=True)
class MentionSource:
    """Where the component finds its mentions.

    :param spans_key: the span group that holds them; by default ``doc.ents``.
    """

    spans_key: str | None = None

    def spans(self, doc: Doc) -> Sequence[Span]:
        """The mentions of a doc."""
        return list(doc.ents) if self.spans_key is None else list(doc.spans.get(self.spans_key, ()))

    def is_set(self, doc: Doc) -> bool:
        """Whether somebody has looked for mentions in this doc, with or without finding any."""
        return self.spans_key is not None or doc.has_annotation("ENT_IOB")


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """What a user may name to link with, one of both; see :func:`medlink.linking.recipe.choose_release`."""

    release: str | None = None
    encoder: str | None = None


class MedlinkPipe:
    """Links the mentions of each doc to concepts.

    Mentions are what is in ``doc.ents``, or in a span group. In a doc on which no component has set entities, not even
    none, the component first finds mentions itself: the ontology's names, abbreviations, sections, assertion.

    Sets ``ent.kb_id_`` (empty for NIL), ``ent._.kb_ents`` and ``ent._.medlink``. The linker is loaded at first use.

    :param nlp: the pipeline that the component is part of.
    :param selection: mentions whose links it does not want leave ``doc.ents``, or the span group.
    :param chosen: the release and encoder that the user named; looked up at first use.
    """

    def __init__(
        self,
        nlp: Language,
        name: str,
        recipe: Recipe,
        source: MentionSource,
        *,
        selection: Selection,
        chosen: ChosenModel,
    ) -> None:
        register_attributes()
        self.name = name
        self._selection = selection
        self._filter: LinkFilter | None = None
        self._nlp, self._recipe, self._source = nlp, recipe, source
        self._chosen = chosen
        self._linker: Linker | None = None
        self._detection: tuple[Component, ...] | None = None

    @property
    def linker(self) -> Linker:
        """What links; built or read from the workspace at first use, with the release that is current then."""
        if self._linker is None:
            recipe = choose_release(self._recipe, self._chosen.release, encoder=self._chosen.encoder)
            self._linker = load_linker(recipe, show_progress=True)
        return self._linker

    @property
    def wanted(self) -> LinkFilter:
        """What of the links stays; made ready at first use."""
        if self._filter is None:
            self._filter = make_filter(self._selection, lambda: self.linker.lexicon)
        return self._filter

    def __call__(self, doc: Doc) -> Doc:
        """The doc with its links."""
        return self._link([doc])[0]

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """The docs with their links, linked ``batch_size`` docs at a time."""
        for docs in minibatch(stream, batch_size):  # type: ignore[no-untyped-call]
            yield from self._link(docs)

    def score(self, examples: Iterable[Example], **_: Any) -> dict[str, Any]:
        """Precision, recall and F of ``kb_id_`` on mentions that the gold has too (spaCy's ``nel_*``)."""
        return Scorer.score_links(examples, negative_labels=[NIL])

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]] | None = None, *, nlp: Language | None = None
    ) -> None:
        """Loads the linker; there is nothing to train here."""
        _ = self.linker

    def _link(self, docs: Sequence[Doc]) -> list[Doc]:
        found = [doc if self._source.is_set(doc) else self._detect(doc) for doc in docs]
        mentions = [mentions_of(doc, "", spans_key=self._source.spans_key) for doc in found]
        links = iter(self.linker.link([mention for of_doc in mentions for mention in of_doc]))
        for doc, of_doc in zip(found, mentions, strict=True):
            by_offsets = {(mention.start, mention.end): next(links) for mention in of_doc}
            self._annotate(doc, by_offsets)
        return found

    def _detect(self, doc: Doc) -> Doc:
        if self._detection is None:
            self._detection = detection_components(self._nlp, self.linker.lexicon)
        for component in self._detection:
            doc = component(doc)
        return doc

    def _annotate(self, doc: Doc, links: dict[tuple[int, int], Link]) -> None:
        spans = []
        for span in self._source.spans(doc):
            link = links[span.start_char, span.end_char]
            if not self.wanted.keeps(link):
                continue
            linked = Span(doc, span.start, span.end, span.label, kb_id=link.concept_id or NIL, span_id=span.id)
            linked._.kb_ents = [(candidate.concept_id, candidate.score) for candidate in link.candidates]
            linked._.medlink_row = link_row(link)
            spans.append(linked)
        if self._source.spans_key is None:
            doc.ents = tuple(spans)
        else:
            doc.spans[self._source.spans_key] = SpanGroup(doc, name=self._source.spans_key, spans=spans)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Writes lexicon, index and release into a folder; what ships is named, not copied."""
        write_linker(self.linker, Path(path))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> MedlinkPipe:
        """Reads what :meth:`to_disk` wrote; neither ontology nor workspace is needed, nor the release that is there.

        :raises ArtifactError: when a file is missing or damaged.
        :raises EncoderError: when the encoder is not the one that made the index.
        :raises SettingError: when the config names another release than the one that was saved.
        """
        linker = read_linker(Path(path), replace(self._recipe, encoder=self._chosen.encoder or DEFAULT_ENCODER))
        wanted = self._chosen.release
        if wanted and not linker.release.startswith(wanted):
            raise SettingError("saved with another release", where=str(path), expected=wanted, got=linker.release)
        self._linker, self._detection, self._filter = linker, None, None
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The files of :meth:`to_disk`, packed."""
        with tempfile.TemporaryDirectory() as folder:
            self.to_disk(Path(folder, _DATA))
            return pack_folder(Path(folder, _DATA))

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> MedlinkPipe:
        """Reads what :meth:`to_bytes` gave; a release's files stay in a temporary folder while the component lives."""
        folder = Path(tempfile.mkdtemp(prefix="medlink-"))
        remove = finalize(self, _remove_own, folder, os.getpid())
        unpack_folder(data, folder / _DATA)
        self.from_disk(folder / _DATA)
        if self.linker.release_folder is None:
            remove()
        return self


def _remove_own(folder: Path, process: int) -> None:
    """Removes a folder of this process, not one that a forked process has from its parent."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


@Language.factory(
    "medlink",
    assigns=["doc.ents", "token.ent_kb_id", "span._.kb_ents", "span._.medlink"],
    default_config={
        "ontology": "hpo",
        "branches": [],
        "release": None,
        "encoder": None,
        "pooling": "mean",
        "device": "cpu",
        "workspace": None,
        "spans_key": None,
        "top_k": _DEFAULTS.top_k,
        "threshold": None,
        "drop": [],
        "keep_branches": [],
        "keep_types": [],
    },
    default_score_weights={"nel_micro_f": 1.0, "nel_micro_r": None, "nel_micro_p": None},
)
def make_medlink(
    nlp: Language,
    name: str,
    ontology: str,
    branches: list[str],
    release: str | None,
    encoder: str | None,
    pooling: str,
    device: str,
    workspace: str | None,
    spans_key: str | None,
    top_k: int,
    threshold: float | None,
    drop: list[str],
    keep_branches: list[str],
    keep_types: list[str],
) -> MedlinkPipe:
    """The medlink component; see :class:`MedlinkPipe`, :class:`medlink.linking.recipe.Recipe` and
    :class:`medlink.linking.selection.Selection`.

    :param release: an id, the beginning of one, or ``base``; by default the workspace's current one, as on the command
        line, or ``base`` where an encoder is named.
    """
    recipe = Recipe(
        workspace=Path(workspace) if workspace else default_workspace_root(),
        ontology=ontology,
        branches=tuple(branches),
        pooling=pooling,
        device=device,
        linking=LinkerSettings(top_k=top_k, threshold=threshold),
    )
    selection = Selection(drop=tuple(drop), branches=tuple(keep_branches), types=tuple(keep_types))
    chosen = ChosenModel(release, encoder)
    return MedlinkPipe(nlp, name, recipe, MentionSource(spans_key), selection=selection, chosen=chosen)
