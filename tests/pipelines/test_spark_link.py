"""Spark: a real session with several Python workers gives the rows of a single process."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from medlink.formats.link_table import COLUMNS, write_parquet
from medlink.linking.assemble import load_annotator
from medlink.linking.recipe import Recipe
from medlink.records import Document
from pipelines.spark_link import link_notes, read_notes, start_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'medlink[spark]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17 or later, and there is no java"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    # Spark's sockets are closed when its session is collected.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# The quick compiler alone, as the session lives for seconds; patience, as machines that run tests may be busy.
SUBMIT = (
    "--driver-memory 1g --conf spark.ui.enabled=false --conf spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 "
    "--conf spark.network.timeout=900s --conf spark.executor.heartbeatInterval=300s"
)
NOTES = [
    Document(
        f"n{i}",
        f"Note {i}: denies seizures. {'Renal cysts were seen.' * (i % 3)}\nNo heart attack \N{DNA DOUBLE HELIX}.",
    )
    for i in range(40)
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"{SUBMIT} pyspark-shell")
        session = start_session("local[2]")
        yield session
        session.stop()


def _alone(recipe: Recipe) -> list[dict[str, Any]]:
    """The rows of one process, by way of its Parquet file."""
    stream = io.BytesIO()
    write_parquet(load_annotator(recipe).annotate(NOTES), stream)
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(stream.getvalue())).to_pylist()
    return rows


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["doc_id"], row["start"], row["end"]))


def test_link_notes_equals_a_single_process(spark: SparkSession, recipe: Recipe, tmp_path: Path) -> None:
    expected = _alone(recipe)
    notes = spark.createDataFrame([(note.id, note.text) for note in NOTES], "note string, body string").repartition(4)
    assert notes.rdd.getNumPartitions() == 4
    links = link_notes(notes, recipe, id_field="note", text_field="body")
    assert links.columns == list(COLUMNS)
    links.write.parquet(str(tmp_path / "links"))
    written: list[dict[str, Any]] = pq.read_table(tmp_path / "links").to_pylist()
    assert len(written) > len(NOTES)
    assert _ordered(written) == _ordered(expected)
    assert {row["release"] for row in written} == {expected[0]["release"]}
    assert all(row["ontology_version"] for row in written)


def test_link_notes_takes_what_is_no_note(spark: SparkSession, recipe: Recipe) -> None:
    rows = [(1, "A renal cyst."), (2, None), (3, " \n"), (None, "A renal cyst.")]
    links = link_notes(spark.createDataFrame(rows, "id int, text string"), recipe).collect()
    assert [(row["doc_id"], row["concept_id"]) for row in links] == [("1", "HP:0000107")]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_read_notes_reads_files_of_notes(spark: SparkSession, tmp_path: Path, suffix: str) -> None:
    text = 'A "renal" cyst,\nand no fever.'
    rows = {".jsonl": json.dumps({"id": "a", "text": text}), ".csv": 'id,text\na,"A ""renal"" cyst,\nand no fever."'}
    path = tmp_path / f"notes{suffix}"
    path.write_text(rows[suffix] + "\n", encoding="utf-8")
    [note] = read_notes(spark, str(path)).select("id", "text").collect()
    assert (note["id"], note["text"]) == ("a", text)
