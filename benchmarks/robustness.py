"""Damaged files by the thousand and killed runs: nothing may crash, hang, swell or be lost.

python benchmarks/robustness.py --json robustness.json

Every file is made here from the shipped photo and small models; nothing is downloaded. The same
seed gives the same files. Each failing file is kept below --failures, with what it did.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hostile.kills import kill_runs
from hostile.pool import Outcome, Task, content_of, run_mutants, way_of
from hostile.source import Source
from hostile.sources import make_files, make_pictures

BARS = {
    "crash": "crashes",
    "traceback": "tracebacks",
    "hang": "hangs",
    "over_memory": "over_memory",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=5000, help="damaged pictures")
    parser.add_argument("--files", type=int, default=3000, help="damaged files of other kinds")
    parser.add_argument("--kills", type=int, default=50, help="kill -9 of a run over 60 photos")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--failures", type=Path, default=Path("robustness-failures"))
    arguments = parser.parse_args()
    start = time.perf_counter()
    figures: dict[str, object] = {"seed": arguments.seed}
    with tempfile.TemporaryDirectory(prefix="robustness-") as folder:
        root = Path(folder)
        counts: Counter[str] = Counter()
        for what, make, number in (
            ("pictures", make_pictures, arguments.pictures),
            ("files", make_files, arguments.files),
        ):
            sources = make(root / what) if number else []
            found = try_mutants(sources, number, root, arguments)
            figures[what] = sum(found.values())
            counts += found
        figures |= {name: counts[kind] for kind, name in BARS.items()}
        figures |= {name: counts[name] for name in ("read", "refused", "unexpected")}
        if arguments.kills:
            damage = kill_runs(root / "kills", arguments.seed, arguments.kills)
            for name, broken in vars(damage).items():
                figures[name] = len(broken)
                for line in broken[:10]:
                    print(f"{name}: {line}")
        figures["kills"] = arguments.kills
    figures["seconds"] = round(time.perf_counter() - start)
    print(json.dumps(figures, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    bars = (*BARS.values(), "broken_files", "lost", "foreign_touched")
    return 1 if any(figures.get(name) for name in bars) else 0


def try_mutants(
    sources: list[Source], number: int, root: Path, arguments: argparse.Namespace
) -> Counter[str]:
    """How many mutants did what. What hangs is tried once more, alone, before it counts."""
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    hung: list[Task] = []

    def told(outcome: Outcome) -> None:
        source = sources[outcome.task.source]
        way = way_of(source, outcome.task.number)
        if outcome.kind == "hang" and outcome.task not in hung:
            hung.append(outcome.task)
            return
        counts[outcome.kind] += 1
        if counts.total() % 500 == 0:
            print(f"{counts.total()} of {number}", file=sys.stderr, flush=True)
        if outcome.kind not in BARS:
            return
        kind = f"{outcome.kind}: {way}, {source.name}: {outcome.detail}"
        kinds[kind] += 1
        if kinds[kind] <= 2:
            print(f"{kind} (mutant {outcome.task.number})", flush=True)
        keep(source, outcome, arguments)

    tasks = share_out(sources, number)
    run_mutants(sources, tasks, root / "workers", arguments.seed, arguments.jobs, told)
    run_mutants(sources, list(hung), root / "again", arguments.seed, 1, told)
    shutil.rmtree(root / "workers", ignore_errors=True)
    return counts


def share_out(sources: list[Source], number: int) -> list[Task]:
    """So many mutants over the sources by their shares, in turn."""
    total = sum(source.share for source in sources)
    due = [0.0] * len(sources)
    made = [0] * len(sources)
    tasks = []
    for _ in range(number):
        due = [value + source.share / total for value, source in zip(due, sources, strict=True)]
        chosen = max(range(len(sources)), key=due.__getitem__)
        due[chosen] -= 1.0
        tasks.append(Task(chosen, made[chosen]))
        made[chosen] += 1
    return tasks


def keep(source: Source, outcome: Outcome, arguments: argparse.Namespace) -> None:
    """A failing file, in a folder of its kind, with what it did beside it."""
    folder = arguments.failures / outcome.kind / source.name.replace(" ", "-").replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{outcome.task.number:05d}-{Path(source.victim).name}"
    (folder / name).write_bytes(content_of(source, outcome.task.number, arguments.seed))
    way = way_of(source, outcome.task.number)
    (folder / f"{name}.txt").write_text(f"{way}: {outcome.detail}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
