"""What detection and ranking look up among the words of a lexicon's names, from the lexicon's folder where it is there.

Working it out takes a second for a hundred thousand names; mapping it takes none.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from medlink import text
from medlink.detection import key_table, typos, variants, vocabulary, words
from medlink.detection.key_table import KeyTable
from medlink.detection.typos import SpellChecker, Spellings
from medlink.detection.vocabulary import Vocabulary
from medlink.ontology.lexicon import Lexicon

_FOLDER, _RULES = "words", "rules"

Part = TypeVar("Part")


@cache
def rules_hash() -> str:
    """The sha256 of what the files depend on beside the names."""
    sources = [inspect.getsource(module) for module in (text, key_table, typos, variants, vocabulary, words)]
    sources.append(files("medlink.detection").joinpath("word_variants.csv").read_text(encoding="utf-8"))
    return hashlib.sha256("\n".join(sources).encode()).hexdigest()


def write_name_words(lexicon: Lexicon, folder: Path) -> None:
    """Writes what the functions below give for a lexicon into the folder that holds its files."""
    target = folder / _FOLDER
    target.mkdir(parents=True, exist_ok=True)
    _build_keys(lexicon).write(target)
    Vocabulary.of(lexicon.names).write(target)
    _build_spellings(lexicon).write(target)
    (target / _RULES).write_text(rules_hash(), encoding="ascii")


def keys_of(lexicon: Lexicon) -> KeyTable:
    """The names by their words."""
    stored = _stored(lexicon, KeyTable.read)
    if stored is None:
        return _build_keys(lexicon)
    rows = lexicon.changed_rows
    changed = ((row, lexicon.names[row]) for row in rows)
    return stored.extended(changed, written=_writing(lexicon)) if rows else stored


def vocabulary_of(lexicon: Lexicon) -> Vocabulary:
    """The stems of the names' words."""
    stored = _stored(lexicon, Vocabulary.read)
    if stored is None:
        return Vocabulary.of(lexicon.names)
    added = lexicon.names[stored.n_names :]
    return stored.extended(added) if added else stored


def spell_checker_of(lexicon: Lexicon) -> SpellChecker:
    """What corrects words to those of the names."""
    known, stored = vocabulary_of(lexicon), _stored(lexicon, Spellings.read)
    if stored is None:
        return SpellChecker(_build_spellings(lexicon), known)
    added = _words(lexicon.names[row] for row in lexicon.changed_rows)
    new = {word for word in added if word not in set(stored.near(word))}
    return SpellChecker(stored.extended(new) if new else stored, known)


def _stored(lexicon: Lexicon, read: Callable[[Path], Part]) -> Part | None:
    """A part from the lexicon's folder; ``None`` where it is not there, or other rules made it."""
    if lexicon.folder is None:
        return None
    folder = lexicon.folder / _FOLDER
    try:
        return read(folder) if (folder / _RULES).read_text(encoding="ascii") == rules_hash() else None
    except (OSError, ValueError):
        return None


def _build_keys(lexicon: Lexicon) -> KeyTable:
    return KeyTable.build(enumerate(lexicon.names), written=_writing(lexicon))


def _build_spellings(lexicon: Lexicon) -> Spellings:
    return Spellings.of(_words(lexicon.names))


def _writing(lexicon: Lexicon) -> Callable[[int], Iterable[str]]:
    return lambda row: (posting.name.text for posting in lexicon.postings(row))


def _words(names: Iterable[str]) -> set[str]:
    return {word for name in names for word in name.split()}
