"""The exception tree: every error says what went wrong, where, what was expected, what came, and the next step."""

from __future__ import annotations


class MedlinkError(Exception):
    """The root of medlink's errors.

    :param what: what went wrong, in one clause; never any text of a note.
    :param where: file and line, document id and offsets, or the setting's name.
    :param expected: what would have been right.
    :param got: what came instead.
    :param hint: the next step for the person who reads this.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", got: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.expected, self.got, self.hint = what, where, expected, got, hint

    def __str__(self) -> str:
        message = f"{self.where}: {self.what}" if self.where else self.what
        if self.expected:
            message += f"; expected {self.expected}"
        if self.got:
            message += f"; got {self.got}"
        return f"{message}. {self.hint}" if self.hint else message


class OntologyFormatError(MedlinkError, ValueError):
    """An ontology file breaks the rules of its format; ``where`` names file and line."""


class UnknownNameError(MedlinkError, KeyError):
    """A name that no registry, catalogue or lexicon knows."""


class NoteReadError(MedlinkError, OSError):
    """A note or a file of notes that cannot be read; the rest of the run goes on without it."""


class ArtifactError(MedlinkError, OSError):
    """A stored artifact that is missing, half-written or damaged."""


class SettingError(MedlinkError, ValueError):
    """A setting or argument outside of its range, or two that contradict each other."""


class EncoderError(MedlinkError, ValueError):
    """An encoder that cannot be loaded, or vectors that are not finite."""


class MissingExtraError(MedlinkError, ImportError):
    """An optional dependency that is not installed; ``hint`` is the install line."""


class CorpusFormatError(MedlinkError, ValueError):
    """A corpus or query file that breaks the rules of its format; ``where`` names file and line."""


class StoreError(MedlinkError, OSError):
    """A database of the workspace that is missing, cannot be written, is damaged, or was made by another version."""


class LedgerError(StoreError):
    """A ledger that is missing, cannot be written, is damaged, or was made by another version of medlink."""
