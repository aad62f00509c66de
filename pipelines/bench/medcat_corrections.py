"""MedCAT v2 taught the same corrections by its own ``train_supervised_raw``, in an environment of its own.

Usage: python -m pipelines.bench.medcat_corrections [TASK ANSWERS] [--learn aliases]
Without files, on NCBI Disease (Dogan et al. 2014) below $MEDLINK_BENCH_DATA: the training split as corrections in two
halves, asked about the gold mentions of the development split, linked to MEDIC of July 2012. Prints and appends the
accuracy; a link is right when its concept is one of the gold's.

TASK is a JSON object:

- ``names``: ``[{"id": "MESH:D003924", "names": ["Type 2 Diabetes Mellitus", …]}, …]``, the preferred name first;
- ``texts``: ``["…"]``, texts without annotations, of which MedCAT makes its vocabulary beside the names; also what it
  reads before any correction, unless ``read_texts`` is ``false``;
- ``batches``: in order, ``[{"name": "week 1", "documents": [DOCUMENT, …], "ask": true}, …]``; after a batch it is asked
  unless ``ask`` is ``false``;
- ``test``: ``[DOCUMENT, …]``, the documents that it is asked about;
- ``learn``: ``train`` (default), or ``aliases``: the wordings of the corrections become names and nothing is trained;
- ``epochs``: 1 by default; ``settings``: fields of ``Settings`` in pipelines/bench/rivals/medcat_model.py, if others
  than its defaults are wanted.

DOCUMENT is ``{"id": "10021369", "text": "…", "mentions": [{"start": 5, "end": 15, "concepts": ["MESH:D003110"]}, …]}``
with half-open code point offsets. Of a batch, ``concepts`` are what the annotator says, of which the first that is
among the names is taught; a mention without any is passed over, as MedCAT has no word for it. Of ``test`` they are not
read. A document may come in several batches with other mentions each.

ANSWERS is a JSON object: ``medcat`` (its version), ``seconds_to_build`` (concept database and vocabulary),
``seconds_to_read``, ``peak_mib``, and ``milestones``: first one named ``none``, then one for each batch asked after. A
milestone has ``name``, ``n_corrections`` taught so far, ``seconds_to_teach`` in all so far, ``seconds_to_find``,
``seconds_to_link``, ``peak_mib`` so far and ``answers``, one for each mention of ``test`` in its order:

- ``doc_id``, ``start``, ``end``;
- ``found``: the concept that MedCAT's own detection and linking gives there, exactly there or else where it shares most
  with the span, ``null`` where it finds nothing; ``exact``: whether exactly there;
- ``given``: the concept where the span is given to its linker with what its dictionary has for its words, and what was
  ``found`` where it has nothing. This is the generous figure.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.corpora import read_corpus
from medlink.linking.assemble import load_lexicon
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.store.workspace import default_workspace_root
from pipelines.bench.results import append_result, bench_data
from pipelines.bench.rival_environments import make_environment, run_inside

MEDCAT = ("medcat[spacy]==2.9.0", "spacy-lookups-data==1.0.5", "gensim==4.4.0")
TRAIN, ALIASES = "train", "aliases"
DEFAULTS: Mapping[str, Any] = {"learn": TRAIN, "epochs": 1, "read_texts": True, "settings": {}}
NCBI_TRAIN = "ncbi-disease/NCBItrainset_corpus.txt"
NCBI_DEV = "ncbi-disease/NCBIdevelopset_corpus.txt"
MEDIC = "medic-2012/medic_06Jul2012.txt"
WAYS = ("found", "given")


def run_medcat(task: Mapping[str, Any]) -> dict[str, Any]:
    """MedCAT's answers to a task; both as the head of this file says.

    :raises NotInstalledError: when its environment cannot be made.
    """
    python = make_environment("medcat", MEDCAT)
    with TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "task.json", Path(folder) / "answers.json"
        asked.write_text(json.dumps({**DEFAULTS, **task}), encoding="utf-8")
        run_inside(python, "medcat_learner", str(asked), str(answered))
        answers: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
    return answers


def names_of(lexicon: Lexicon) -> list[dict[str, Any]]:
    """The names of an ontology, as a task has them."""
    return [
        {"id": concept.id, "names": [concept.name, *(name.text for name in concept.synonyms)]}
        for concept in lexicon.concepts.values()
    ]


def documents_of(file: Path, concepts: ConceptMap) -> list[dict[str, Any]]:
    """The documents of a PubTator file with their gold mentions, as a task has them."""
    corpus = read_corpus([file], "pubtator")
    mentions: dict[str, list[dict[str, Any]]] = {document.id: [] for document in corpus.documents}
    for one in concepts.resolve_all(corpus.annotations):
        mentions[one.doc_id].append({"start": one.start, "end": one.end, "concepts": sorted(one.concepts)})
    return [{"id": one.id, "text": one.text, "mentions": mentions[one.id]} for one in corpus.documents]


def accuracy(answers: Iterable[Mapping[str, Any]], documents: Iterable[Mapping[str, Any]], way: str) -> float:
    """The share of the mentions of documents whose answer is one of their concepts.

    :param way: ``found`` or ``given``.
    """
    gold = [mention["concepts"] for document in documents for mention in document["mentions"]]
    right = [answer[way] in concepts for answer, concepts in zip(answers, gold, strict=True)]
    return sum(right) / len(right)


def measure_ncbi(learn: str) -> None:
    """Prints and appends the accuracy on the development split after none, half and all of the training split."""
    recipe = Recipe(default_workspace_root(), ontology=str(bench_data() / MEDIC))
    lexicon = load_lexicon(recipe)
    concepts = ConceptMap(lexicon)
    train = documents_of(bench_data() / NCBI_TRAIN, concepts)
    test = documents_of(bench_data() / NCBI_DEV, concepts)
    half = len(train) // 2
    batches = [{"name": "half", "documents": train[:half]}, {"name": "all", "documents": train[half:]}]
    texts = [document["text"] for document in train]
    task = {"names": names_of(lexicon), "texts": texts, "batches": batches, "test": test, "learn": learn}
    answers = run_medcat(task)
    print(f"{'corrections':12} {'n':>5} {'found':>7} {'given':>7} {'s to teach':>11} {'peak MiB':>9}")
    for milestone in answers["milestones"]:
        figures = {way: round(accuracy(milestone["answers"], test, way), 4) for way in WAYS}
        taught = {key: milestone[key] for key in ("n_corrections", "seconds_to_teach", "peak_mib")}
        print(
            f"{milestone['name']:12} {taught['n_corrections']:>5} {figures['found']:>7.3f} {figures['given']:>7.3f}"
            f" {taught['seconds_to_teach']:>11.1f} {taught['peak_mib']:>9}"
        )
        append_result(
            "medcat_corrections",
            set="ncbi-disease",
            split="dev",
            learn=learn,
            milestone=milestone["name"],
            n_mentions=len(milestone["answers"]),
            medcat=answers["medcat"],
            seconds_to_build=answers["seconds_to_build"],
            **figures,
            **taught,
        )


def main() -> None:
    """Answers a task, or measures MedCAT on NCBI Disease."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", type=Path, help="JSON file to read")
    parser.add_argument("answers", nargs="?", type=Path, help="JSON file to write")
    parser.add_argument("--learn", choices=(TRAIN, ALIASES), default=TRAIN, help="where the task does not say it")
    options = parser.parse_args()
    if options.task is None:
        measure_ncbi(options.learn)
        return
    if options.answers is None:
        parser.error("a TASK needs a file for its ANSWERS")
    task = {"learn": options.learn, **json.loads(options.task.read_text(encoding="utf-8"))}
    options.answers.write_text(json.dumps(run_medcat(task)), encoding="utf-8")
    print(f"Wrote {options.answers}")


if __name__ == "__main__":
    main()
