"""Start-up with a warm cache: seconds and memory to the first link, and where they go.

Usage: python -m pipelines.bench.startup
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from pipelines.bench.results import append_result

N_RUNS = 5

STEPS = """
import json, resource, time
marks = [("start", time.perf_counter())]
def mark(name): marks.append((name, time.perf_counter()))
import torch; mark("import torch")
import spacy; mark("import spaCy")
import medlink.linking.assemble as assemble; mark("import medlink")
from medlink.linking.recipe import Recipe
from medlink.store.workspace import default_workspace_root
from medlink.records import Document
recipe = Recipe(default_workspace_root())
lexicon = assemble.load_lexicon(recipe); mark("read lexicon")
index = assemble.load_index(lexicon, recipe); mark("check and read index")
linker = assemble.make_linker(recipe, lexicon, index)
detector = assemble.build_detector(lexicon, settings=recipe.detection); mark("make detector")
annotator = assemble.Annotator(detector, linker)
annotator.annotate_batch([Document("first", "A seizure.")]); mark("first note, exact names")
annotator.annotate_batch([Document("second", "Cysts in the kidney.")]); mark("first note that needs the encoder")
seconds = {name: at - before for (_, before), (name, at) in zip(marks, marks[1:])}
print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, **seconds}))
"""


def main() -> None:
    """Measures a few fresh processes and prints the medians."""
    runs = []
    for _ in range(N_RUNS + 1):
        finished = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
        runs.append(json.loads(finished.stdout))
    medians = {name: statistics.median(run[name] for run in runs[1:]) for name in runs[0]}
    peak = medians.pop("peak_mib")
    for name, seconds in medians.items():
        print(f"{name:36} {seconds:6.2f} s")
    total = sum(medians.values())
    to_first = total - medians["first note that needs the encoder"]
    print(f"{'to the first link':36} {to_first:6.2f} s")
    print(f"{'with the encoder':36} {total:6.2f} s")
    print(f"{'peak memory':36} {peak:6.0f} MiB")
    append_result(
        "startup",
        n=N_RUNS,
        to_first_link_s=round(to_first, 2),
        with_encoder_s=round(total, 2),
        peak_mib=round(peak),
        **{f"{name} (s)": round(seconds, 2) for name, seconds in medians.items()},
    )


if __name__ == "__main__":
    main()
