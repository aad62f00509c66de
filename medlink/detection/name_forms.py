"""Which stretches of a text a name may match, beside having the same content words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from spacy.lang.en.stop_words import STOP_WORDS

from medlink.detection.variants import shared_letters, word_class, word_family
from medlink.detection.words import Gap, content_words_of, stem
from medlink.records import Concept, Name
from medlink.text import singular

# Headings of clinical notes that are names too: "ALLERGIES:" is no finding. In 2,357 transcribed notes these made 412
# of the 459 matches before a colon; the others were findings.
_HEADINGS = frozenset({("allergy",), ("drug", "allergy"), ("constitutional", "symptom")})
# A name in capitals is an acronym up to this length; HPO's longest that it does not itself mark as one has five
# letters ("PPROM"), and longer ones ("ALCAPA") are no English words in lower case.
_LONGEST_ACRONYM = 5
# Shorter words have too many others with the same beginning.
_SHORTEST_RELATIVE, _RELATIVE_SHARE = 5, 0.7


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a text that has the content words of some name.

    :param words: its content words in normal form.
    :param surface: the untouched text.
    :param gap: the strongest gap between two of its words.
    :param shouted: the words around it are all in capitals, so its own capitals say nothing.
    :param follower: the next character that is no space, empty at the end of the text.
    """

    words: tuple[str, ...]
    surface: str
    gap: Gap
    shouted: bool
    follower: str


@dataclass(frozen=True, slots=True)
class NameForm:
    """One way in which an ontology writes a name.

    :param words: its content words, reduced as :func:`reduce_words` does.
    :param gap: the strongest gap between two of them.
    :param acronym: how it is written, where the name is one word whose capitals matter; else empty.
    """

    words: tuple[str, ...]
    gap: Gap
    acronym: str

    @classmethod
    def of(cls, name: Name, concept: Concept) -> NameForm:
        """The form of a concept's name."""
        words = content_words_of(name.text)
        return cls(
            reduce_words(words.norms),
            max(words.gaps[1:], default=Gap.PLAIN),
            name.text if _is_acronym(name, concept) else "",
        )

    def admits(self, window: Window) -> bool:
        """Whether the window may be this name.

        The words must be the same. In another order they count only where nothing but space, hyphens and prepositions
        stands between them: "weakness of the muscles" is "muscle weakness", "weakness and muscle pain" is not. A window
        across "and", "or", "with" or a slash needs a name across one; a window across a comma needs a name across one,
        and must end where its phrase ends: "mitral regurgitation, mild tricuspid regurgitation" holds no "mitral
        regurgitation, mild". A single word must not be a number or a letter; an acronym is written as in the ontology,
        a plural "s" aside; and an English function word ("all", "is") counts only as an acronym among words that are
        not in capitals. The heading "Allergies:" is no allergy.
        """
        words = reduce_words(window.words)
        if window.gap is Gap.PLAIN:
            if words != self.words and Counter(words) != Counter(self.words):
                return False
        elif words != self.words or window.gap is not self.gap:
            return False
        if window.gap is Gap.COMMA and window.follower.isalnum():
            return False
        if is_heading(window):
            return False
        return len(words) > 1 or self._admits_word(window)

    def resembles(self, stems: Sequence[str], *, ordered: bool = False) -> bool:
        """Whether these words are those of the name but for others of the same class, in any order or the name's.

        A single word must be of the same family ("myoclonic" for "Myoclonus"), and no acronym.
        """
        if len(self.words) == 1:
            return len(stems) == 1 and not self.acronym and self._is_relative(stems[0])
        asked, own = tuple(map(word_class, stems)), tuple(map(word_class, self.words))
        return asked == own if ordered else Counter(asked) == Counter(own)

    def _is_relative(self, stemmed: str) -> bool:
        own = stem(self.words[0])
        shared, longest = shared_letters(own, stemmed), max(len(own), len(stemmed))
        alike = len(stemmed) >= _SHORTEST_RELATIVE and shared >= _RELATIVE_SHARE * longest
        return alike and word_family(own) == word_family(stemmed)

    def _admits_word(self, window: Window) -> bool:
        word = window.words[0]
        if len(word) == 1 or word.isnumeric():
            return False
        if self.acronym:
            if window.surface.removesuffix("s") != self.acronym.removesuffix("s"):
                return False
            return not (window.shouted and word in STOP_WORDS)
        return word not in STOP_WORDS


def is_heading(window: Window) -> bool:
    """Whether a window is a heading of clinical notes, which is a name only by chance."""
    return window.follower == ":" and reduce_words(window.words) in _HEADINGS


def reduce_words(norms: tuple[str, ...]) -> tuple[str, ...]:
    """The words to compare: stems, or the singular of a single word, which has no others to vouch for it.

    >>> reduce_words(("shortened", "intervals")), reduce_words(("swellings",))
    (('short', 'interval'), ('swelling',))
    """
    return tuple(map(stem, norms)) if len(norms) > 1 else tuple(map(singular, norms))


def _is_acronym(name: Name, concept: Concept) -> bool:
    """Whether a name is one word whose capitals matter.

    It is where the ontology says so, where it has at most two letters, and where it has at most five with a capital
    behind the first one, unless the ontology writes the whole concept in capitals.
    """
    text = name.text
    if len(text.split()) > 1:
        return False
    if "abbreviation" in name.kind.lower() or len(text) <= 2:
        return True
    inner_capital = any(char.isupper() for char in text[1:])
    mixed_case = any(char.islower() for other in concept.names for char in other.text)
    return inner_capital and mixed_case and len(text) <= _LONGEST_ACRONYM
