"""`mlanet batch`: faces a second, processes, memory, and what `kill -9` does.

    python benchmarks/batch.py --photos FOLDER --json batch.json              # speed
    python benchmarks/batch.py --photos FOLDER --memory-photos 20000          # memory
    python benchmarks/batch.py --photos FOLDER --kill-photos 2000 --kills 100  # kills

FOLDER holds JPEG files; they are repeated under other names. Needs the extra `bulk`. On a machine
with other work, wall times say little: `cpu_ms_per_photo` and its ratio say how one process costs
beside two. Kills hit the command itself at random moments; the tables must then be those of an
unbroken run, byte for byte.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tyro


@dataclass(frozen=True)
class Options:
    """What to measure."""

    photos: Path
    json: Path | None = None
    speed_photos: int = 400
    """Photos of each timed batch."""
    repeats: int = 3
    """Timed batches with one process and with two, in turns."""
    memory_photos: int = 0
    """Photos of the batch whose memory is measured; 0 leaves it out."""
    kill_photos: int = 0
    """Photos of the batch that is killed; 0 leaves it out."""
    kills: int = 10
    seed: int = 0


def main(options: Options) -> int:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if options.memory_photos:
            figures |= memory(Path(folder), options)
        elif options.kill_photos:
            figures |= kills(Path(folder), options)
        else:
            figures |= speed(Path(folder), options)
    figures["load_average"] = os.getloadavg()[0]
    for name, value in figures.items():
        print(f"{name:28s} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if figures.get("differing_tables") or figures.get("left_over") else 0


def speed(folder: Path, options: Options) -> dict[str, Any]:
    """One process and two in turns, medians; the photos are done anew each time."""
    photos = repeated(options.photos, folder / "photos", options.speed_photos)
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, list[float]] = {1: [], 2: []}
    for number in range(options.repeats):
        for processes in rates:
            out = folder / f"out-{number}-{processes}"
            before = os.times()
            done = json.loads(
                subprocess.run(
                    command(photos, out, processes), capture_output=True, text=True, check=True
                ).stdout
            )
            after = os.times()
            spent = sum(after[2:4]) - sum(before[2:4])
            rates[processes].append(done["faces"] / done["seconds"])
            costs[processes].append(1000.0 * spent / done["photos"])
    one, two = (float(np.median(rates[count])) for count in (1, 2))
    cost_one, cost_two = (float(np.median(costs[count])) for count in (1, 2))
    return {
        "batch_faces_per_s": round(two, 2),
        "faces_per_s_1_process": round(one, 2),
        "thread_scaling": round(two / one, 3),
        "cpu_ms_per_photo": round(cost_two, 2),
        "cpu_ms_per_photo_1_process": round(cost_one, 2),
    }


def memory(folder: Path, options: Options) -> dict[str, Any]:
    """Growth of all processes together from a tenth of the batch to its end."""
    photos = repeated(options.photos, folder / "photos", options.memory_photos)
    out = folder / "out"
    process = subprocess.Popen(command(photos, out, 2), stdout=subprocess.DEVNULL)
    samples: list[tuple[float, float]] = []
    while process.poll() is None:
        done = len(list(out.glob("pictures/part-*.parquet")))
        samples.append((done, resident_mb(process.pid)))
        time.sleep(2.0)
    parts = len(list(out.glob("pictures/part-*.parquet")))
    middle = [mb for done, mb in samples if 0.1 * parts <= done < 0.2 * parts]
    last = [mb for done, mb in samples if 0.9 * parts <= done < parts]
    return {
        "photos": options.memory_photos,
        "memory_mb": round(float(np.median(last)), 1),
        "memory_growth_mb": round(float(np.median(last) - np.median(middle)), 1),
    }


def kills(folder: Path, options: Options) -> dict[str, Any]:
    """Kill a batch again and again, run it to its end, and compare with an unbroken run."""
    rng = np.random.default_rng(options.seed)
    photos = repeated(options.photos, folder / "photos", options.kill_photos)
    whole, broken = folder / "whole", folder / "broken"
    subprocess.run(command(photos, whole, 2), check=True, stdout=subprocess.DEVNULL)
    wanted = tables(whole)
    parts = len(wanted) // 2
    killed, most = 0, max(2 * parts // (options.kills + 1), 1)
    for number in range(options.kills):
        before = len(list(broken.glob("pictures/part-*.parquet")))
        process = subprocess.Popen(
            command(photos, broken, 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        aim = before + int(rng.integers(most))
        while process.poll() is None:
            if len(list(broken.glob("pictures/part-*.parquet"))) >= aim:
                break
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0.0, 1.0)))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        done = len(list(broken.glob("pictures/part-*.parquet")))
        print(f"kill {number}: {done} of {parts} parts are done", file=sys.stderr, flush=True)
    subprocess.run(command(photos, broken, 2), check=True, stdout=subprocess.DEVNULL)
    found = tables(broken)
    return {
        "photos": options.kill_photos,
        "kills": killed,
        "parts": parts,
        "differing_tables": sum(found.get(name) != content for name, content in wanted.items())
        + len(found.keys() - wanted.keys()),
        "left_over": len(list(broken.rglob(".mlanet-*"))),
    }


def repeated(photos: Path, folder: Path, count: int) -> Path:
    """A folder of `count` links to photos."""
    folder.mkdir()
    given = sorted(photos.rglob("*.jpg"))
    for number in range(count):
        source = given[number % len(given)].resolve()
        (folder / f"{number:07d}.jpg").symlink_to(source)
    return folder


def command(photos: Path, out: Path, processes: int) -> list[str]:
    words = [sys.executable, "-m", "mlanet", "batch", str(photos), "--out", str(out)]
    return [*words, "--processes", str(processes), "--json"]


def tables(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")
    }


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children."""
    total = 0
    try:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total / 1e6


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
