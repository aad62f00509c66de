"""British and American spellings of medical words."""

from __future__ import annotations

import re

# British and American form of a stem, listed only where exchanging them is right in every medical word: "haem" for
# "hem" alone is not (hemiplegia), nor "paed" for "ped" (pedicle). "^" and "$" tie a stem to a word's start and end.
_STEMS = """
    ^haema ^hema        ^haemo ^hemo          haemoglobin hemoglobin   haemorrh hemorrh     aemia$ emia$
    ischaem ischem      glycaem glycem        leukaem leukem           ^anaem ^anem         anaesth anesth
    ^oedem ^edem        lymphoedem lymphedem  myxoedem myxedem         papilloedem papilledem
    ^oesophag ^esophag  ^oestr ^estr          ^aetiolog ^etiolog       ^caec ^cec           coeliac celiac
    paediatr pediatr    orthopaed orthoped    gynaec gynec             faecal fecal         faeces feces
    rrhoea rrhea        rrhoeic rrheic        pnoea pnea               pnoeic pneic         homoeo homeo
    foetal fetal        foetus fetus          foeto feto               caesarean cesarean   leucocyt leukocyt
    tumour tumor        behaviour behavior    discolour discolor       colour$ color$       labour$ labor$
    fibre$ fiber$       centre$ center$       titre$ titer$            sulph sulf           ^ageing$ ^aging$
    isation$ ization$   lised$ lized$
"""
_BRITISH, _AMERICAN = (tuple(_STEMS.split()[start::2]) for start in (0, 1))


def _plain(stem: str) -> str:
    return stem.strip("^$")


def _pattern(stem: str) -> str:
    start, end = (r"\b" if stem.startswith("^") else ""), (r"\b" if stem.endswith("$") else "")
    return f"{start}{_plain(stem)}{end}"


def _compile(own: tuple[str, ...], other: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    """What finds stems in either spelling, and what turns the own spelling into the other.

    Stems that are already in the other spelling match too, and stay: "edema" must not be found within "oedema".
    """
    stems = sorted((*own, *other), key=len, reverse=True)
    turned = {_plain(a): _plain(b) for a, b in zip(own, other, strict=True)}
    return re.compile("|".join(map(_pattern, stems)), re.IGNORECASE), turned


_TO_BRITISH, _TO_AMERICAN = _compile(_AMERICAN, _BRITISH), _compile(_BRITISH, _AMERICAN)


def to_british(text: str) -> str:
    """The text in British spelling.

    >>> to_british("Anemia with hemorrhage, hemiplegia and edema")
    'Anaemia with haemorrhage, hemiplegia and oedema'
    """
    return _respell(text, *_TO_BRITISH)


def to_american(text: str) -> str:
    """The text in American spelling.

    >>> to_american("OESOPHAGEAL TUMOUR, lymphoedema, angioedema")
    'ESOPHAGEAL TUMOR, lymphedema, angioedema'
    """
    return _respell(text, *_TO_AMERICAN)


def _respell(text: str, pattern: re.Pattern[str], turned: dict[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        found = match.group()
        return _in_case_of(found, turned.get(found.lower(), found.lower()))

    return pattern.sub(replace, text)


def _in_case_of(model: str, word: str) -> str:
    """The word in capitals, capitalised, or as it is, as the model is."""
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
