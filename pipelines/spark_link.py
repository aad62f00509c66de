"""Links notes on a Spark cluster: a table of notes in, a table of links out.

Usage: spark-submit pipelines/spark_link.py NOTES OUT --workspace FOLDER [--ontology hpo] [--id-field id]
           [--text-field text] [--release ID] [--partitions N]

NOTES is a folder or file of Parquet, JSON lines or CSV that Spark reads, OUT a folder of Parquet that does not exist.
Every executor needs medlink in its Python, and the workspace under the same path: on a shared file system, or sent
along with ``--archives workspace.tar.gz#workspace``. The driver builds what the workspace lacks before the first task,
so build it once beforehand, with ``medlink link`` on one note. Nothing is downloaded.

Ids must differ: Spark compares no note with another. Rows are those of ``medlink link --format parquet``, each with the
release and the version of the ontology; their order is not kept.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from medlink.extras import import_extra
from medlink.linking.assemble import load_linker
from medlink.linking.frames import link_frames, spark_schema
from medlink.linking.recipe import Recipe, choose_release

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

READERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv"}
# Notes that go to a Python worker at once: few enough for long notes, enough to share the encoder's passes.
NOTES_AT_ONCE = 1024


def link_notes(notes: DataFrame, recipe: Recipe, *, id_field: str = "id", text_field: str = "text") -> DataFrame:
    """The links of a frame of notes, with the columns of :func:`medlink.linking.frames.spark_schema`.

    Lazy, as all of Spark: nothing is linked until the result is asked for. Each Python worker loads the recipe's
    annotator once.
    """

    def link(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        return link_frames(frames, recipe)

    chosen = notes.selectExpr(f"string(`{id_field}`) AS id", f"`{text_field}` AS text")
    return chosen.mapInPandas(link, spark_schema())


def read_notes(spark: SparkSession, path: str) -> DataFrame:
    """The table of notes in a file or folder, by its suffix; one without is Parquet."""
    form = READERS.get(Path(path).suffix, "parquet")
    reader = spark.read.format(form)
    if form == "csv":
        reader = reader.options(header=True, multiLine=True, escape='"')
    return reader.load(path)


def start_session(master: str | None = None) -> SparkSession:
    """A session with the settings that linking needs; the rest comes from ``spark-submit``.

    :param master: the cluster, where nothing else names it.
    """
    sql = import_extra("pyspark.sql", what="linking on Spark", extra="spark")
    builder = sql.SparkSession.builder.appName("medlink")
    if master:
        builder = builder.master(master)
    builder = builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", NOTES_AT_ONCE)
    session: SparkSession = builder.config("spark.python.worker.reuse", "true").getOrCreate()
    return session


def main() -> None:
    """Links a table of notes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes")
    parser.add_argument("out")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--ontology", default="hpo")
    parser.add_argument("--id-field", default="id")
    parser.add_argument("--text-field", default="text")
    parser.add_argument("--release", help="of the workspace, or base; by default the current one")
    parser.add_argument("--partitions", type=int, help="parts that are linked apart, several for each core")
    arguments = parser.parse_args()
    # pyspark 4.3 warns of every pandas from 3.0 on; frames of plain columns, as ours, are tested with it.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
    recipe = choose_release(Recipe(arguments.workspace, ontology=arguments.ontology), arguments.release)
    load_linker(recipe)
    spark = start_session()
    notes = read_notes(spark, arguments.notes)
    if arguments.partitions:
        notes = notes.repartition(arguments.partitions)
    links = link_notes(notes, recipe, id_field=arguments.id_field, text_field=arguments.text_field)
    links.write.parquet(arguments.out)
    spark.stop()


if __name__ == "__main__":
    main()
