"""The settings of detection."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_NER = "default"
STYLES = ("bc5cdr", "ncbi-disease")
#: Least probability of being a mention.
DEFAULT_KEEP = 0.25


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """What finds the mentions of a note, and which of them are kept.

    :param nested: keep the dictionary matches inside and across longer ones too, in ``doc.spans["medlink"]``;
        ``doc.ents`` holds the longest ones either way.
    :param ner: name or path of a spaCy pipeline whose ``doc.ents`` are the mentions, instead of the dictionary's; or
        :data:`DEFAULT_NER`, medlink's own recogniser of diseases and chemicals, beside the dictionary.
    :param style: the corpus whose annotators' idea of a disease that recogniser has: where a mention ends, and whether
        a symptom is one; see :data:`STYLES`.
    :param keep: least probability of being a mention, in (0, 1): higher for precision, lower for recall. Another
        pipeline's mentions are all kept.
    """

    nested: bool = False
    ner: str | None = None
    style: str = STYLES[0]
    keep: float = DEFAULT_KEEP
