from __future__ import annotations

from pathlib import Path

from medlink.formats.writers import write_links
from medlink.records import Verdict
from tests.formats.annotating import OTHER, read, said

TEXT = "No fits.\r\nLeft and right kidney."


def write(folder: Path, ann: str, text: str | None = TEXT) -> Path:
    folder.mkdir()
    (folder / "note.ann").write_bytes(ann.encode())
    if text is not None:
        (folder / "note.txt").write_bytes(text.encode())
    return folder


def test_pieces_references_and_types_are_read(tmp_path: Path) -> None:
    ann = (
        "T1\tDisease 3 7\tfits\r\nN1\tReference T1 HP:0001250\tSeizure\nA1\tNegated T1\n"
        "T2\tBody 10 14;25 31\tLeft kidney\nN2\tReference T2 UBERON:0004538\n#1\tAnnotatorNotes T2\tsure\n"
        "T3\tNIL 19 31\tright kidney\nE1\tEvent:T1 Theme:T2\nR1\tCauses Arg1:T1 Arg2:T2\n*\tEquiv T1 T2\n"
    )
    good, bad = read(write(tmp_path / "x", ann))
    assert bad == []
    assert [(a.surface, a.expanded, a.concept_id, a.verdict, str(a.source.line), a.source.record_id) for a in good] == [
        ("fits", "", "HP:0001250", Verdict.MISSED, "1", "T1"),
        ("Left and right kidney", "Left kidney", "UBERON:0004538", Verdict.MISSED, "4", "T2"),
        ("right kidney", "", None, Verdict.MISSED, "7", "T3"),
    ]
    assert {(a.doc_id, a.text) for a in good} == {("note", TEXT)}


def test_a_file_without_its_text_is_read_by_its_surfaces(tmp_path: Path) -> None:
    (got,), bad = read(write(tmp_path / "x", "T1\tX 3 7\tfits\nN1\tReference T1 HP:1\n", text=None))
    assert (bad, got.surface, got.text) == ([], "fits", None)


def test_bad_lines_say_why(tmp_path: Path) -> None:
    ann = (
        "T1\tX 3 7\tfits\nN1\tReference T1 HP:1\nN2\tReference T1 HP:2\nT2\tX 3 7 fits\nT2\tX 3 7\tfits\n"
        "N3\tReference T9 HP:1\nfits\nT4\tX 7 3\tfits\nN4\tReference T4 HP:1\nT5\tX 3 7\tfits\nT6\tX -3 7\tfits\n"
    )
    good, bad = read(write(tmp_path / "x", ann))
    assert good == []
    assert sorted((item.source.line, item.reason.split(";")[0].split(":")[0]) for item in bad) == [
        (1, "several concepts for one span"),
        (4, "no text-bound annotation"),
        (5, "a second line of this id"),
        (6, "a concept for a span that is not there"),
        (7, "a line of no known form"),
        (8, "expected offsets with 0 <= start < end, got [7, 3)"),
        (10, "a span without a concept"),
        (11, "no text-bound annotation"),
    ]


def test_offsets_that_windows_shifted_are_not_taken_for_deletions(tmp_path: Path) -> None:
    write_links([OTHER], tmp_path / "x", format="brat")
    (tmp_path / "x" / "plain.txt").write_bytes(b"\r\nNo fits.")
    good, bad = read(tmp_path / "x")
    assert bad == []
    assert said(good, "plain") == {("fits", Verdict.ACCEPT, "HP:0001250", ())}


def test_an_emptied_file_takes_everything_back(tmp_path: Path) -> None:
    write_links([OTHER], tmp_path / "x", format="brat")
    (tmp_path / "x" / "plain.ann").write_bytes(b"")
    good, bad = read(tmp_path / "x")
    assert bad == []
    assert said(good, "plain") == {("fits", Verdict.NOT_A_MENTION, None, ("HP:0001250",))}


def test_a_misplaced_span_leaves_the_proposals_open(tmp_path: Path) -> None:
    write_links([OTHER], tmp_path / "x", format="brat")
    (tmp_path / "x" / "plain.ann").write_text("T1\tConcept 0 3\tits\nN1\tReference T1 HP:0001250\n")
    good, (rejected,) = read(tmp_path / "x")
    assert [(a.surface, a.verdict) for a in good] == [("its", Verdict.MISSED)]
    assert rejected.reason.startswith("1 proposals left open")
