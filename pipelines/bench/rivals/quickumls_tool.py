"""QuickUMLS on given names: approximate dictionary matching by simstring, with its default settings.

Its installer reads UMLS alone, so its own writer gets the names instead. In place of a spaCy model to be fetched it has
a blank one, which tags no parts of speech, so it tries spans with determiners and prepositions too; in place of NLTK's
stop words it has spaCy's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

from pipelines.bench.rivals.figures import concept_at
from pipelines.bench.rivals.tool import Found, Row, Tool, run_tool

LONGEST = 12  # words of a given span; in running text it looks at 5, its default
FLAGS = {"lowercase.flag": "", "normalize-unicode.flag": "", "language.flag": "ENG", "database_backend.flag": "unqlite"}


def build(task: Row, folder: Path) -> None:
    """Writes the names by its own writer, lowercased and without accents, as its options -L and -U do."""
    from quickumls.install import parse_and_encode_ngrams
    from spacy.lang.en.stop_words import STOP_WORDS

    for name, content in FLAGS.items():
        (folder / name).write_text(content, encoding="utf-8")
    words = folder / "nltk" / "corpora" / "stopwords" / "english"
    words.parent.mkdir(parents=True)
    words.write_text("\n".join(sorted(STOP_WORDS)), encoding="utf-8")
    parts = [str(folder / part) for part in ("umls-simstring.db", "cui-semtypes.db")]
    parse_and_encode_ngrams(_terms(task["names"]), *parts, database_backend="unqlite")


def _terms(names: Iterable[Row]) -> Iterator[tuple[str, str, list[str], int]]:
    from unidecode import unidecode

    for row in names:
        for number, name in enumerate(row["names"]):
            yield unidecode(name.strip().lower()), row["id"], ["T047"], int(number == 0)


def load(task: Row, folder: Path) -> Tool:
    """Its matcher on what was written."""
    from importlib.metadata import version

    import nltk
    import spacy

    nltk.data.path.insert(0, str(folder / "nltk"))
    from quickumls import QuickUMLS

    matcher = QuickUMLS(str(folder), accepted_semtypes=None, spacy_component=True)
    matcher.nlp = spacy.blank("en")
    longer = QuickUMLS(str(folder), accepted_semtypes=None, spacy_component=True, window=LONGEST)
    longer.nlp = matcher.nlp
    tools = SimpleNamespace(text=matcher, span=longer)

    def find_in(text: str, matcher: QuickUMLS) -> list[Found]:
        best = [matches[0] for matches in matcher.match(text)]
        return [(one["start"], one["end"], one["cui"]) for one in best]

    def find(documents: Sequence[Row]) -> list[list[Found]]:
        return [find_in(document["text"], tools.text) for document in documents]

    def link(documents: Sequence[Row]) -> list[list[str | None]]:
        surfaces = [[d["text"][one["start"] : one["end"]] for one in d["mentions"]] for d in documents]
        return [[concept_at(0, len(one), find_in(one, tools.span))[0] for one in row] for row in surfaces]

    return Tool(version("quickumls"), link, find)


if __name__ == "__main__":
    run_tool(build, load)
