"""The tokens that every mention is a run of."""

from __future__ import annotations

import re
from typing import Any

from spacy.language import Language

from medlink.text import WORD

# A token is a word of medlink.text, or one other character.
_TOKEN = re.compile(rf"{WORD.pattern}|[\s\S]")


def tokenise_by_words(nlp: Language) -> None:
    """Make the tokens of a pipeline the words of :func:`medlink.text.tokenise` and single other characters.

    Every mention found in a text is then a run of whole tokens.
    """
    tokenizer: Any = nlp.tokenizer
    tokenizer.rules = {}
    tokenizer.prefix_search = tokenizer.suffix_search = tokenizer.token_match = tokenizer.url_match = None
    tokenizer.infix_finditer = _TOKEN.finditer
