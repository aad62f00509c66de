"""RxNorm, from the RRF files of a release.

Columns after the RxNorm Technical Documentation, section 12
(https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html): RXNCONSO, RXNSTY, RXNREL, RXNSAB and RXNCUI.
"""

from __future__ import annotations

from pathlib import Path

from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release
from medlink.ontology.rrf import add_types, cross_reference, read_atoms, read_parents, read_rows
from medlink.ontology.source import Ontology, tidy

PREFIX = "RXNORM"
FILES = {
    "RXNCONSO.RRF": r"RXNCONSO\.RRF",
    "RXNSTY.RRF": r"RXNSTY\.RRF",
    "RXNREL.RRF": r"RXNREL\.RRF",
    "RXNSAB.RRF": r"RXNSAB\.RRF",
    "RXNCUI.RRF": r"RXNCUI\.RRF",
}
# RxNorm's own kinds of terms that name a concept (appendix 5); the others of its terms are synonyms of these.
_NAMING = (
    "IN", "PIN", "MIN", "BN", "SCD", "SBD", "GPCK", "BPCK", "SCDC", "SBDC", "SCDF", "SBDF", "SCDG", "SBDG",
    "SCDFP", "SBDFP", "SCDGP", "DF", "DFG",
)  # fmt: skip


class RxNormOptions(ReaderOptions):
    """What is read of RxNorm.

    :param sources: SAB values, such as RXNORM and DRUGBANK; names come from these. Empty for all.
    :param term_types: RxNorm's TTY values, such as IN, BN, SCD; other concepts are left out. Empty for all.
    :param suppressible: whether rows count that are marked obsolete or suppressible.
    """

    sources: tuple[str, ...] = ()
    term_types: tuple[str, ...] = ()
    suppressible: bool = False


def read_rxnorm(
    path: Path, *, name: str, show_progress: bool = False, options: RxNormOptions | None = None
) -> Ontology:
    """The concepts of a release folder or zip archive of RxNorm, or of a single RXNCONSO.RRF.

    Of a full release, the files in ``rrf`` are read, not the prescribable ones. RXNSTY gives semantic types, RXNREL the
    ``isa`` parents, RXNCUI the retired ids that lead to a concept, RXNSAB the release. The preferred name is RxNorm's
    own, the codes of other sources are cross-references. Ids are ``RXNORM:1191``.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when RXNCONSO is missing or a row lacks cells; names file and line.
    """
    options = options or RxNormOptions()
    release = Release(path, FILES)
    release.need("RXNCONSO.RRF")
    drafts = _read_names(release, options, show_progress=show_progress)
    add_types(drafts, read_rows(release, "RXNSTY.RRF", 6))
    for child, parent in read_parents(release, "RXNREL.RRF", drafts, ("RXNORM",), show_progress=show_progress):
        drafts[child].put_below(drafts[parent].id)
    for retired, _, _, _, successor, *_ in read_rows(release, "RXNCUI.RRF", 5):
        if successor in drafts and retired not in drafts:
            drafts[successor].stand_for(f"{PREFIX}:{retired}")
    return drafts.collect(release, name=name, title="RxNorm", version=_find_version(release))


def _read_names(release: Release, options: RxNormOptions, *, show_progress: bool) -> Drafts:
    drafts, chosen = Drafts(), set[str]()
    for atom in read_atoms(release, "RXNCONSO.RRF", show_progress=show_progress):
        if atom.language != "ENG" or (atom.suppressed and not options.suppressible):
            continue
        if options.sources and atom.source not in options.sources:
            continue
        draft = drafts.get(atom.concept)
        if draft is None:
            draft = drafts[atom.concept] = Draft(f"{PREFIX}:{atom.concept}")
        own = atom.source == "RXNORM"
        naming = own and atom.term_type in _NAMING
        draft.name_it(tidy(atom.text), (not naming, not own))
        if own and atom.term_type in options.term_types:
            chosen.add(atom.concept)
        if not own:
            draft.refer(cross_reference(atom.source, atom.code))
    if options.term_types:
        for concept in drafts.keys() - chosen:
            del drafts[concept]
    return drafts


def _find_version(release: Release) -> str:
    """RxNorm's own release, from the row of RXNSAB with its root source abbreviation; empty without it."""
    for row in read_rows(release, "RXNSAB.RRF", 24):
        if row[3] == "RXNORM":
            return row[6] or row[2]
    return ""
