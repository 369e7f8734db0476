"""`mlanet batch`: faces a second, processes, memory, what `kill -9` does, and what Ray adds.

    python benchmarks/batch.py --photos FOLDER --json batch.json              # speed
    python benchmarks/batch.py --photos FOLDER --memory-photos 20000          # memory
    python benchmarks/batch.py --photos FOLDER --kill-photos 2000 --kills 100  # kills
    python benchmarks/batch.py --photos FOLDER --ray-parts 500                # Ray

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
    ray_parts: int = 0
    """Parts that Ray's driver hands out, to actors that do nothing; 0 leaves it out."""
    seed: int = 0


def main(options: Options) -> int:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if options.memory_photos:
            figures |= memory(Path(folder), options)
        elif options.kill_photos:
            figures |= kills(Path(folder), options)
        elif options.ray_parts:
            figures |= ray_engine(Path(folder), options)
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
    before = os.times()
    process = subprocess.Popen(command(photos, out, 2), stdout=subprocess.DEVNULL)
    samples: list[tuple[float, float]] = []
    while process.poll() is None:
        done = len(list(out.glob("pictures/part-*.parquet")))
        samples.append((done, resident_mb(process.pid)))
        time.sleep(2.0)
    after = os.times()
    parts = len(list(out.glob("pictures/part-*.parquet")))
    middle = [mb for done, mb in samples if 0.1 * parts <= done < 0.2 * parts]
    last = [mb for done, mb in samples if 0.9 * parts <= done < parts]
    return {
        "photos": options.memory_photos,
        "memory_mb": round(float(np.median(last)), 1),
        "memory_growth_mb": round(float(np.median(last) - np.median(middle)), 1),
        "cpu_ms_per_photo": round(
            1000.0 * (sum(after[2:4]) - sum(before[2:4])) / options.memory_photos, 2
        ),
    }


def kills(folder: Path, options: Options) -> dict[str, Any]:
    """Kill a batch again and again until it is done, compare it with an unbroken run; and anew.

    Tables that are there after a kill must already be those of the unbroken run: so what is known
    is told after each kill, for those who cannot wait.
    """
    rng = np.random.default_rng(options.seed)
    photos = repeated(options.photos, folder / "photos", options.kill_photos)
    whole = folder / "whole"
    subprocess.run(command(photos, whole, 2), check=True, stdout=subprocess.DEVNULL)
    wanted = tables(whole)
    figures = {"photos": options.kill_photos, "parts": len(wanted) // 2}
    figures |= dict.fromkeys(("kills", "batches", "differing_tables", "left_over"), 0)
    while figures["kills"] < options.kills:
        broken = folder / f"broken-{figures['batches']}"
        differing = 0
        while figures["kills"] < options.kills and killed(command(photos, broken, 2), broken, rng):
            found = tables(broken)
            differing = sum(wanted.get(name) != content for name, content in found.items())
            figures["kills"] += 1
            told = {**figures, "differing_tables": figures["differing_tables"] + differing}
            tell({**told, "tables": len(found)}, options)
        subprocess.run(command(photos, broken, 2), check=True, stdout=subprocess.DEVNULL)
        found = tables(broken)
        figures["differing_tables"] += sum(
            found.get(name) != wanted.get(name) for name in found.keys() | wanted.keys()
        )
        figures["left_over"] += len(list(broken.rglob(".mlanet-*")))
        figures["batches"] += 1
    return figures


def killed(words: list[str], out: Path, rng: np.random.Generator) -> bool:
    """Run a batch and kill it at a random moment; False if it ended before.

    Half of the kills may hit while it starts, the others hit it at work.
    """
    before = len(list(out.glob("pictures/part-*.parquet")))
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    aim = before + int(rng.integers(2))
    while process.poll() is None and len(list(out.glob("pictures/part-*.parquet"))) < aim:
        time.sleep(0.01)
    time.sleep(float(rng.uniform(0.0, 1.0)))
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return alive


def tell(figures: dict[str, Any], options: Options) -> None:
    """What is known so far."""
    print(json.dumps(figures), file=sys.stderr, flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(figures) + "\n")


def ray_engine(folder: Path, options: Options) -> dict[str, Any]:
    """Processor time of the driver for a part and a shard, and memory of the processes."""
    import ray

    from mlanet.bulk import ENGINES, Batch, Settings, run
    from mlanet.bulk.sources import PictureFiles

    figures: dict[str, float] = {
        f"open_{kind}_ms": cost for kind, cost in shard_costs(folder).items()
    }
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    items = [{"part": bytes(500)} for _ in range(options.ray_parts)]
    start_s = time.process_time()
    done = ray.data.from_items(items, override_num_blocks=len(items)).map(
        Idle, compute=ray.data.ActorPoolStrategy(size=1), num_cpus=1
    )
    for _ in done.iter_rows():
        pass
    figures["driver_ms_per_part"] = 1000.0 * (time.process_time() - start_s) / len(items)
    photos = tuple(str(path) for path in sorted(options.photos.rglob("*.jpg"))[:32])

    def sizes(_: Any) -> None:
        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or [])
            if "MapWorker(Map(PartActor))" in words:
                figures["actor_mb"] = process.memory_info().rss / 1e6
                both = resident_mb(process.pid)  # at the end it is alone
                figures["actor_and_its_process_mb"] = max(
                    both, figures.get("actor_and_its_process_mb", 0.0)
                )

    batch = Batch(folder / "ray", [PictureFiles(photos)], Settings())
    run(batch, 1, sizes, ENGINES["ray"])
    ray.shutdown()
    return {name: round(value, 2) for name, value in figures.items()}


class Idle:
    """An actor that does nothing."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"bytes": len(row["part"])}


def shard_costs(folder: Path) -> dict[str, float]:
    """Milliseconds of a processor in which a shard of 4,000 photos of 20 kB is opened."""
    import io
    import tarfile

    import pyarrow as pa
    import pyarrow.parquet as pq

    from mlanet.bulk.sources import open_sources

    content, count = bytes(20_000), 4000
    with tarfile.open(folder / "shard.tar", "w") as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    table = pa.table({"jpg": pa.array([content] * count, pa.binary())})
    pq.write_table(table, folder / "shard.parquet", row_group_size=256)
    costs: dict[str, float] = {}
    for kind in ("tar", "parquet"):
        open_sources([str(folder / f"shard.{kind}")])
        start_s = time.process_time()
        open_sources([str(folder / f"shard.{kind}")])
        costs[kind] = 1000.0 * (time.process_time() - start_s)
    return costs


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
