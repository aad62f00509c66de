"""Writes how common the words of general English are, from the frequency lists of the ``wordfreq`` package.

Usage: python -m pipelines.common_words --wordfreq FOLDER [--out medlink/detection/common_words.csv]

``wordfreq`` (R. Speer 2022, version 3.1.1; its data are CC BY-SA 4.0) merges books, web pages, subtitles, news and
Wikipedia; FOLDER is the unpacked package. Words of a Zipf value (the logarithm to base 10 of the occurrences among a
billion words) below ``LEAST_ZIPF`` are left out: most medical terms are rarer.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from pathlib import Path

import srsly

from medlink.text import normalise_word

OUT = Path("medlink/detection/common_words.csv")
LEAST_ZIPF = 3.5


def common_words(packed: bytes) -> dict[str, float]:
    """The words in normal form with their Zipf values, most common first.

    :param packed: wordfreq's list: a header, then for each centibel the words of that frequency.
    """
    words: dict[str, float] = {}
    for centibels, bucket in enumerate(srsly.msgpack_loads(packed)[1:]):
        zipf = round(9 - centibels / 100, 2)
        for word in bucket:
            norm = normalise_word(word)
            if zipf >= LEAST_ZIPF and norm.isalpha() and len(norm) > 1:
                words.setdefault(norm, zipf)
    return words


def main() -> None:
    """Reads and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordfreq", type=Path, required=True, help="folder of the unpacked package")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    packed = gzip.decompress((arguments.wordfreq / "wordfreq" / "data" / "large_en.msgpack.gz").read_bytes())
    words = common_words(packed)
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("word", "zipf"))
        writer.writerows(words.items())
    sys.stdout.write(f"{len(words)} words: {arguments.out}\n")


if __name__ == "__main__":
    main()
