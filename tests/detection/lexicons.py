"""Small lexicons for the tests of detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name, Scope


def lexicon_of(*concepts: Concept) -> Lexicon:
    """The lexicon of some concepts, in any order."""
    ordered = tuple(sorted(concepts, key=lambda concept: concept.id))
    return Lexicon(Ontology(name="tiny", title="Tiny", version="1", licence="CC0", sha256="0" * 64, concepts=ordered))


def lexicon_with(names: Mapping[str, Sequence[str]]) -> Lexicon:
    """The lexicon of concepts given as id → (preferred name, synonyms …)."""
    return lexicon_of(
        *(Concept(id=key, name=texts[0], synonyms=tuple(map(Name, texts[1:]))) for key, texts in names.items())
    )


def clinical_lexicon() -> Lexicon:
    """A lexicon with every kind of name that matching has a rule for."""
    return lexicon_of(
        Concept(id="T:1", name="Shortened PR interval"),
        Concept(id="T:2", name="Muscle weakness", synonyms=(Name("Weakness of muscles"),)),
        Concept(id="T:3", name="Seizure", synonyms=(Name("Seizures"), Name("Fits", kind="layperson"))),
        Concept(id="T:4", name="Acute lymphoblastic leukemia", synonyms=(Name("ALL", kind="abbreviation"),)),
        Concept(id="T:5", name="Mitral regurgitation", synonyms=(Name("Mitral regurgitation, mild"),)),
        Concept(id="T:6", name="Cleft lip and palate"),
        Concept(id="T:7", name="Hepatitis"),
        Concept(id="T:8", name="Hepatitis A"),
        Concept(id="T:9", name="Third heart sound", synonyms=(Name("S3"),)),
        Concept(id="T:10", name="Fever"),
        Concept(id="T:11", name="Chest pain"),
        Concept(id="T:12", name="Pain"),
        Concept(id="T:13", name="Allergy", synonyms=(Name("Allergies"),)),
        Concept(id="T:14", name="Ménière disease"),
        Concept(id="T:15", name="Rash"),
        Concept(id="T:16", name="Retired concept", obsolete=True),
        Concept(id="T:17", name="Patent ductus arteriosus", synonyms=(Name("PDA", kind="abbreviation"),)),
        Concept(id="T:18", name="Patient-driven abnormality", synonyms=(Name("PDA", Scope.RELATED),)),
        Concept(id="T:19", name="Cough"),
        Concept(id="T:20", name="Headache"),
        Concept(id="T:21", name="Down", synonyms=(Name("47"), Name("X"))),
    )
