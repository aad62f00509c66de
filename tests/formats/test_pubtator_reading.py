from __future__ import annotations

from pathlib import Path

from medlink.formats.writers import write_links
from medlink.records import Verdict
from tests.formats.annotating import BASELINE, NOTE, read_bytes

# In the form of BC5CDR and NCBI Disease, with a relation, a composite, a NIL and a mention without id.
PUBTATOR = """227508|t|Naloxone reverses the effect.
227508|a|Two fits and renal cysts.
227508\t0\t8\tNaloxone\tChemical\tD009270
227508\t34\t38\tfits\tDisease\tD012640|D004827
227508\t43\t54\trenal cysts\tDisease\t-1
227508\t43\t48\trenal\tDisease
227508\tCID\tD009270\tD007022

1|t|Other
1|a|
2\t0\t5\tOther\tDisease\tD1
1\t0\tx\tOther\tDisease\tD1
1\t0\t5\tOther\tDisease\tMESH:D2\t
free text
"""


def test_records_are_read_and_bad_lines_named(tmp_path: Path) -> None:
    good, bad = read_bytes(tmp_path, "\ufeff" + PUBTATOR)
    assert [(a.doc_id, a.start, a.surface, a.concept_id, a.verdict) for a in good] == [
        ("227508", 0, "Naloxone", "D009270", Verdict.MISSED),
        ("227508", 43, "renal cysts", None, Verdict.MISSED),
        ("1", 0, "Other", "MESH:D2", Verdict.MISSED),
    ]
    assert good[0].text == "Naloxone reverses the effect. Two fits and renal cysts."
    assert [(item.source.line, item.reason.split(";")[0].split(":")[0]) for item in bad] == [
        (4, "several concepts for one span"),
        (6, "a span without a concept"),
        (11, "a line of another document"),
        (12, "a line of another form"),
        (14, "a line of another document"),
    ]


def test_lines_without_a_document_are_named(tmp_path: Path) -> None:
    good, bad = read_bytes(tmp_path, "1\t0\t5\tOther\tDisease\tD1\n", format="pubtator")
    assert (good, [item.reason for item in bad]) == ([], ["a line without a document before it"])


def test_a_composite_leaves_the_rest_of_the_document_judged(tmp_path: Path) -> None:
    write_links([NOTE], tmp_path / "links", format="pubtator")
    lines = (tmp_path / "links").read_text().splitlines()
    kept = [line.replace("HP:0002020", "HP:1|HP:2") for line in lines if "\tfits\t" not in line]
    good, (rejected,) = read_bytes(tmp_path, "\n".join(kept), baseline=BASELINE)
    assert rejected.reason == "several concepts for one span; expected one; got 2"
    assert {(a.surface, a.verdict) for a in good} == {
        ("fits", Verdict.NOT_A_MENTION),
        ("heart\n  attack", Verdict.ACCEPT),
        ("zebra pain", Verdict.ACCEPT),
        ("Dyspnoea", Verdict.NIL),
    }
