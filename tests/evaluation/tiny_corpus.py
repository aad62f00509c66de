"""One small corpus in each form: two notes, the same gold in all three."""

from __future__ import annotations

from pathlib import Path

TITLE_1, ABSTRACT_1 = "Kidney cysts.", "Febrile seizures, no heart attack in MI."
TITLE_2, ABSTRACT_2 = "Deafness.", "Enlarged kidneys and cysts."
TEXTS = {"d1": f"{TITLE_1} {ABSTRACT_1}", "d2": f"{TITLE_2} {ABSTRACT_2}"}
# Document, surface, ids as a corpus writes them. HP:0002182 is an alternative id of seizure, nested in the febrile one.
GOLD = (
    ("d1", "Kidney cysts", "HP:0000107"),
    ("d1", "Febrile seizures", "HP:0002373"),
    ("d1", "seizures", "HP:0002182"),
    ("d1", "heart attack", "HP:0001658"),
    ("d2", "Deafness", "HP:0000365"),
    ("d2", "Enlarged kidneys and cysts", "HP:0000105|HP:0000107"),
)


def write_pubtator(folder: Path) -> Path:
    """As one PubTator file."""
    lines = []
    for doc_id, title, abstract in (("d1", TITLE_1, ABSTRACT_1), ("d2", TITLE_2, ABSTRACT_2)):
        lines += [f"{doc_id}|t|{title}", f"{doc_id}|a|{abstract}"]
        for owner, surface, ids in GOLD:
            if owner == doc_id:
                lines.append("\t".join((doc_id, *map(str, span(doc_id, surface)), surface, "Phenotype", ids)))
        lines.append("")
    path = folder / "corpus.pubtator"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_brat(folder: Path) -> Path:
    """As a folder of brat's standoff files."""
    root = folder / "brat"
    root.mkdir()
    for doc_id, text in TEXTS.items():
        (root / f"{doc_id}.txt").write_text(text, encoding="utf-8", newline="")
        lines = []
        for number, (owner, surface, ids) in enumerate(GOLD, start=1):
            if owner == doc_id:
                start, end = span(doc_id, surface)
                lines.append(f"T{number}\tPhenotype {start} {end}\t{surface}")
                lines += [f"N{number}{i}\tReference T{number} {c}\tname" for i, c in enumerate(ids.split("|"))]
                lines.append(f"#{number}\tAnnotatorNotes T{number}\tsure")
        (root / f"{doc_id}.ann").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def write_gsc(folder: Path) -> Path:
    """As folders of texts and of spans; a composite is two lines."""
    root = folder / "gsc"
    for part in ("Text", "Annotations"):
        (root / part).mkdir(parents=True)
    for doc_id, text in TEXTS.items():
        (root / "Text" / doc_id).write_text(text, encoding="utf-8", newline="")
        lines = []
        for owner, surface, ids in GOLD:
            if owner == doc_id:
                start, end = span(doc_id, surface)
                lines += [f"{start}:{end}\t{written}\t{surface}" for written in ids.split("|")]
        (root / "Annotations" / doc_id).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def span(doc_id: str, surface: str) -> tuple[int, int]:
    """Where a surface stands in its document."""
    start = TEXTS[doc_id].index(surface)
    return start, start + len(surface)


WRITERS = {"pubtator": write_pubtator, "brat": write_brat, "gsc": write_gsc}
