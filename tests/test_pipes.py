"""The spaCy component: what it sets, what it honours, and that it survives saving, bytes, pickle and processes."""

from __future__ import annotations

import gc
import pickle
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup

from medlink.errors import SettingError
from medlink.linking.recipe import Recipe
from medlink.records import Link
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace
from tests.tiny_release import make_release, pushing_adapter

TEXT = "He denies seizures. A renal cyst was seen; kidney cysts run in the family. Heart attack in 2010."


@pytest.fixture
def config(recipe: Recipe) -> dict[str, Any]:
    return {"ontology": recipe.ontology, "encoder": recipe.encoder, "workspace": str(recipe.workspace)}


@pytest.fixture
def nlp(config: dict[str, Any]) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink", config=config)
    return nlp


def links_of(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.kb_id_) for ent in doc.ents]


def test_component_finds_and_links_the_ontologys_names(nlp: Language) -> None:
    doc = nlp(TEXT)
    assert links_of(doc) == [
        ("seizures", "HP:0001250"),
        ("renal cyst", "HP:0000107"),
        ("kidney cysts", "HP:0000107"),
        ("Heart attack", "HP:0001658"),
    ]


def test_component_sets_kb_ents_like_scispacy_and_the_whole_link(nlp: Language) -> None:
    ent = nlp(TEXT).ents[0]
    assert ent._.kb_ents[0][0] == ent.kb_id_
    assert [score for _, score in ent._.kb_ents] == sorted((score for _, score in ent._.kb_ents), reverse=True)
    link = ent._.medlink
    assert isinstance(link, Link)
    assert (link.concept_id, link.mention.surface, link.mention.assertion.negated) == ("HP:0001250", "seizures", True)
    assert link.candidates[0].name == "Seizure"


def test_component_drops_by_assertion_and_branch(config: dict[str, Any]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink", config=config | {"drop": ["negated", "family"], "keep_branches": ["HP:0012210"]})
    assert links_of(nlp(TEXT)) == [("renal cyst", "HP:0000107")]


def test_component_honours_entities_set_by_others(nlp: Language, config: dict[str, Any]) -> None:
    ruler = nlp.add_pipe("entity_ruler", before="medlink")
    ruler.add_patterns([{"label": "FINDING", "pattern": "kidney cysts"}])  # type: ignore[attr-defined]
    doc = nlp(TEXT)
    assert [(ent.text, ent.label_, ent.kb_id_) for ent in doc.ents] == [("kidney cysts", "FINDING", "HP:0000107")]


def test_component_honours_that_others_found_nothing(nlp: Language) -> None:
    doc = nlp.make_doc(TEXT)
    doc.ents = ()
    doc.set_ents([], default="outside")
    assert links_of(nlp(doc)) == []


def test_component_links_a_span_group(config: dict[str, Any]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink", config={**config, "spans_key": "mine"})
    doc = nlp.make_doc("renal cyst and seizure")
    doc.spans["mine"] = SpanGroup(doc, spans=[Span(doc, 0, 2, "A"), Span(doc, 0, 2, "B"), Span(doc, 1, 2, "C")])
    doc = nlp(doc)
    assert [(span.label_, span.kb_id_) for span in doc.spans["mine"]][:2] == [("A", "HP:0000107"), ("B", "HP:0000107")]
    assert doc.ents == ()


def test_component_leaves_a_doc_without_the_span_group_alone(config: dict[str, Any]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink", config={**config, "spans_key": "mine"})
    assert "mine" not in nlp("renal cyst").spans or not nlp("renal cyst").spans["mine"]


@pytest.mark.parametrize("text", ["", " ", "\n", "Nothing to see."])
def test_component_leaves_a_text_without_mentions_alone(nlp: Language, text: str) -> None:
    assert nlp(text).text == text
    assert nlp(text).ents == ()


def test_nil_has_an_empty_id(config: dict[str, Any]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink", config={**config, "threshold": 1.0})
    doc = nlp.make_doc("renal cystoid thing")
    doc.ents = [Span(doc, 0, 2, "X")]
    (ent,) = nlp(doc).ents
    assert ent.kb_id_ == ""
    assert ent._.kb_ents
    assert ent._.medlink.concept_id is None


def test_component_gives_the_ids_of_other_systems(config: dict[str, Any]) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink", config={**config, "maps": ["umls"]})
    assert [ent._.medlink.equivalents for ent in nlp("A seizure.").ents] == [("UMLS:C0036572",)]


def test_pipe_gives_what_call_gives(nlp: Language) -> None:
    texts = [TEXT, "", "Seizure.", TEXT, "cleft lip"]
    together = [links_of(doc) for doc in nlp.pipe(texts, batch_size=2)]
    assert together == [links_of(nlp(text)) for text in texts]


def test_pipe_in_two_processes_gives_the_same(nlp: Language) -> None:
    texts = [TEXT, "cleft lip", "Seizure."]
    docs = list(nlp.pipe(texts, n_process=2, batch_size=1))
    assert [links_of(doc) for doc in docs] == [links_of(nlp(text)) for text in texts]
    assert docs[0].ents[0]._.medlink.concept_id == "HP:0001250"


def test_doc_is_picklable_and_goes_through_a_docbin(nlp: Language) -> None:
    doc = nlp(TEXT)
    again = pickle.loads(pickle.dumps(doc))  # noqa: S301
    assert links_of(again) == links_of(doc)
    assert again.ents[0]._.medlink == doc.ents[0]._.medlink
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (read,) = DocBin().from_bytes(stored).get_docs(nlp.vocab)
    assert links_of(read) == links_of(doc)


LOAD = """
import sys, spacy
nlp = spacy.load(sys.argv[1])
print([(ent.text, ent.kb_id_, ent._.medlink.concept_id) for ent in nlp(sys.argv[2]).ents])
"""


@pytest.mark.slow
def test_saved_pipeline_loads_in_a_fresh_process_without_the_workspace(
    nlp: Language, config: dict[str, Any], tmp_path: Path
) -> None:
    nlp.to_disk(tmp_path / "saved")
    settings = (tmp_path / "saved" / "config.cfg").read_text(encoding="utf-8")
    moved = settings.replace(str(config["workspace"]), str(tmp_path / "nowhere"))
    (tmp_path / "saved" / "config.cfg").write_text(moved.replace(str(config["ontology"]), "gone"), encoding="utf-8")
    command = [sys.executable, "-c", LOAD, str(tmp_path / "saved"), TEXT]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str([(ent.text, ent.kb_id_, ent.kb_id_) for ent in nlp(TEXT).ents])
    assert not (tmp_path / "nowhere").exists()


def test_bytes_give_the_same_pipeline(nlp: Language, config: dict[str, Any]) -> None:
    other = spacy.blank("en")
    other.add_pipe("medlink", config=config)
    other.from_bytes(nlp.to_bytes())
    assert links_of(other(TEXT)) == links_of(nlp(TEXT))


@pytest.fixture
def own(tmp_path: Path, recipe: Recipe, pair_folder: Path) -> dict[str, Any]:
    """A workspace with two releases, the second one current."""
    workspace = tmp_path / "workspace"
    make_release(workspace, pair_folder)
    second = make_release(workspace, pair_folder, adapter=pushing_adapter(), threshold=0.5)
    ReleaseStore(Workspace(workspace).releases).promote(second.id)
    return {"ontology": recipe.ontology, "workspace": str(workspace)}


def with_component(config: dict[str, Any]) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink", config=config)
    return nlp


def release_of(nlp: Language) -> str:
    release: str = nlp(TEXT).ents[0]._.medlink.release
    return release


@pytest.mark.slow
def test_component_links_with_the_current_release_unless_told_otherwise(own: dict[str, Any], pair_folder: Path) -> None:
    assert release_of(with_component(own)).startswith("r0002-")
    assert release_of(with_component(own | {"release": "r0001"})).startswith("r0001-")
    assert release_of(with_component(own | {"encoder": str(pair_folder)})).startswith("base-")
    with pytest.raises(SettingError, match="a release or an encoder"):
        with_component(own | {"encoder": "surface", "release": "base"})(TEXT)


@pytest.mark.slow
def test_saved_component_keeps_its_release(own: dict[str, Any], tmp_path: Path) -> None:
    nlp = with_component(own)
    before = [ent._.medlink for ent in nlp(TEXT).ents]
    nlp.to_disk(tmp_path / "saved")
    shutil.rmtree(own["workspace"])
    again = spacy.load(tmp_path / "saved")
    assert [ent._.medlink for ent in again(TEXT).ents] == before
    packed = with_component(own).from_bytes(again.to_bytes())
    assert [ent._.medlink for ent in packed(TEXT).ents] == before
    assert not Path(own["workspace"]).exists()
    with pytest.raises(SettingError, match="saved with another release"):
        with_component(own | {"release": "base"}).from_disk(tmp_path / "saved")


@pytest.mark.slow
def test_unpacked_release_goes_with_its_component(own: dict[str, Any]) -> None:
    packed = with_component(own).from_bytes(with_component(own).to_bytes())
    folder = packed.get_pipe("medlink").linker.release_folder  # type: ignore[attr-defined]
    assert folder.is_dir()
    del packed
    gc.collect()
    assert not folder.exists()


@pytest.mark.slow
def test_factories_are_found_through_their_entry_points() -> None:
    names = [entry.name for entry in entry_points(group="spacy_factories") if entry.name.startswith("medlink")]
    code = f"import spacy; nlp = spacy.blank('en'); [nlp.add_pipe(name) for name in {names}]; print(nlp.pipe_names)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(names)
    assert {"medlink", "medlink_detector", "medlink_recogniser", "medlink_sections", "medlink_assertion"} <= set(names)


def test_score_counts_links(nlp: Language) -> None:
    from spacy.training import Example

    predicted, gold = nlp(TEXT), nlp(TEXT)
    wrong = list(gold.ents)
    wrong[0] = Span(gold, wrong[0].start, wrong[0].end, wrong[0].label_, kb_id="HP:0")
    gold.ents = tuple(wrong)
    scores = nlp.get_pipe("medlink").score([Example(predicted, gold)])  # type: ignore[attr-defined]
    assert scores["nel_micro_p"] == pytest.approx(0.75)
