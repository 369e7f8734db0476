"""Films: speed, steadiness, blinks, who is who, and how near to the truth expressions are.

    python benchmarks/video.py --json video.json

Needs the extra `video`. All films are rendered heads with photographic albedo before a moving
background, with a camera's noise, compressed as H.264, so that the truth is known.
"""

import json
import resource
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation
from video_scenes import RATE, Repeated, alone, compressed, crossing, leaving

from mlanet import Reconstructor
from mlanet.geometry import Pose, angle_between, box_iou, landmarks_in_pixels
from mlanet.image import square_from_landmarks
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.synthesis.films import RenderedFilm
from mlanet.video import Tracker
from mlanet.video.capture import FaceCapture
from mlanet.video.people import FilmedPerson, film_camera, filmed_people
from mlanet.video.reading import Film
from mlanet.video.recording import Recording
from mlanet.video.results import record_film, write_overlay
from mlanet.video.sending import LiveLinkReceiver, UdpPort, VmcReceiver
from mlanet.video.smoothing import DEFAULT_SMOOTH, LiveSmoother, Motion
from mlanet.video.track import square_of

BARS = {
    "track_fps": (60.0, "at least"),
    "overlay_fps": (25.0, "at least"),
    "jitter_ratio": (0.3, "at most"),
    "live_jitter_ratio": (0.3, "at most"),
    "blink_kept": (0.9, "at least"),
    "live_delay_frames": (1.0, "at most"),
    "live_blink_kept": (0.9, "at least"),
    "identity_spread_mm": (0.0, "at most"),
    "switches": (0.0, "at most"),
    "lost_and_found": (0.95, "at least"),
    "jawOpen_r": (0.95, "at least"),
    "blink_r": (0.9, "at least"),
    "smile_r": (0.85, "at least"),
    "rotation_error_deg": (2.0, "at most"),
    "live_latency_ms": (25.0, "at most"),
    "memory_growth_mb": (50.0, "at most"),
}


SPEED_ROUNDS = 5


@dataclass(frozen=True)
class Options:
    """What to measure."""

    json: Path | None = None
    """File for the figures."""
    films: int = 20
    """Films of each kind for switches and lost people, and a quarter as many for the rest."""
    first: int = 0
    """Seed of the first film."""
    frames: int = 90
    """Of the films whose speed, expressions and steadiness are measured."""
    memory_frames: int = 20_000
    """Frames of the film whose memory is measured."""
    threads: int = 2
    only: tuple[Literal["speed", "live", "people", "numbers", "memory"], ...] = (
        "speed",
        "live",
        "people",
        "numbers",
    )
    """What to measure; memory takes long."""


class Passes:
    """Both passes over a film, in a folder of their own."""

    def __init__(self, film: Film, reconstructor: Reconstructor, folder: Path) -> None:
        layout = reconstructor.regressor.config.layout
        self.film, self.reconstructor = film, reconstructor
        self.recording = Recording(folder / "recording", layout, {})

    def track(self) -> float:
        """The first pass; its seconds."""
        start = time.perf_counter()
        record_film(self.film, self.reconstructor, self.recording, lambda _: True)
        return time.perf_counter() - start

    def people(self, smooth: float = DEFAULT_SMOOTH) -> list[FilmedPerson]:
        """The second pass."""
        model = self.reconstructor.model
        return filmed_people(self.recording, model, film_camera(self.film), smooth, self.film)


def live(motion: Motion) -> Motion:
    """A motion as the live smoother lets it through."""
    smoother, rows = LiveSmoother(), []
    for k in range(len(motion.times_s)):
        part = slice(k, k + 1)
        pose = Pose(motion.pose.rotation[part], motion.pose.translation[part])
        rows.append(smoother(Motion(motion.times_s[part], motion.expression[part], pose)))
    return Motion(
        motion.times_s,
        np.concatenate([row.expression for row in rows]),
        Pose(
            np.concatenate([row.pose.rotation for row in rows]),
            np.concatenate([row.pose.translation for row in rows]),
        ),
    )


def landmarks_px(person: FilmedPerson, motion: Motion) -> Float[np.ndarray, "n 68 2"]:
    """Landmarks of a motion in the film's pictures."""
    identity = np.broadcast_to(person.identity, (len(motion.times_s), len(person.identity)))
    points = person.model.landmarks(identity, motion.expression).astype(np.float64)
    return landmarks_in_pixels(person.camera, motion.pose, points)[..., :2]


def curve(person: FilmedPerson, motion: Motion, *names: str) -> Float[np.ndarray, "n"]:
    """Mean of some expressions."""
    known = list(person.model.expression_names)
    return motion.expression[:, [known.index(name) for name in names]].mean(axis=1)


BLINK, SMILE = ("eyeBlinkLeft", "eyeBlinkRight"), ("mouthSmileLeft", "mouthSmileRight")


def depth_kept(
    smooth: Float[np.ndarray, "n"], raw: Float[np.ndarray, "n"], true: np.ndarray
) -> float:
    """Mean of the blinks' depths over the unsmoothed ones."""
    ratios: list[float] = []
    for peak in np.flatnonzero((true[1:-1] > 0.7) & (true[1:-1] >= true[2:])) + 1:
        part = slice(max(peak - 3, 0), peak + 4)
        rest = np.median(raw[max(peak - 12, 0) : peak + 13])
        if raw[part].max() - rest > 0.1:
            ratios.append(float((smooth[part].max() - rest) / (raw[part].max() - rest)))
    return float(np.mean(ratios)) if ratios else float("nan")


def delay_frames(late: Float[np.ndarray, "n k 2"], raw: Float[np.ndarray, "n k 2"]) -> float:
    """By how many frames a motion lags behind another: the shift under which they are nearest."""
    late, raw = late.reshape(len(late), -1).T, raw.reshape(len(raw), -1).T
    frames = np.arange(5, late.shape[1])

    def difference(shift: float) -> float:
        shifted = [np.interp(frames - shift, np.arange(late.shape[1]), each) for each in raw]
        return float(np.abs(late[:, frames] - shifted).mean())

    return float(min(np.arange(0.0, 4.0, 0.1), key=difference))


def measure_people(
    reconstructor: Reconstructor, model: MorphableModel, options: Options, folder: Path
) -> dict[str, float]:
    """Expressions, rotation, blinks and steadiness; means over films."""
    found: dict[str, list[float]] = {}
    for seed in range(options.first, options.first + max(options.films // 4, 1)):
        film = alone(model, seed, options.frames)
        (own := folder / f"person-{seed}").mkdir()
        passes = Passes(compressed(film, own / "a.mp4"), reconstructor, own)
        passes.track()
        (person,) = passes.people()
        truth, raw = film.actors[0], person.raw
        names = list(model.expression_names)
        true_blink = truth.expression[person.frames, names.index("eyeBlinkLeft")]
        true_jaw = truth.expression[person.frames, names.index("jawOpen")]
        true_smile = truth.expression[person.frames, names.index("mouthSmileLeft")]
        quick = live(raw)
        turned, known = person.motion.pose.rotation, truth.pose.rotation[person.frames]
        row = {
            "jawOpen_r": np.corrcoef(true_jaw, curve(person, person.motion, "jawOpen"))[0, 1],
            "blink_r": np.corrcoef(true_blink, curve(person, person.motion, *BLINK))[0, 1],
            "smile_r": np.corrcoef(true_smile, curve(person, person.motion, *SMILE))[0, 1],
            "rotation_error_deg": np.degrees(angle_between(turned, known)).mean(),
            "turning_error_deg": np.degrees(
                angle_between(turned @ _usual(turned, known), known)
            ).mean(),
            "blink_kept": depth_kept(
                curve(person, person.motion, *BLINK), curve(person, raw, *BLINK), true_blink
            ),
            "live_blink_kept": depth_kept(
                curve(person, quick, *BLINK), curve(person, raw, *BLINK), true_blink
            ),
            "identity_spread_mm": _spread(person),
            "live_delay_frames": delay_frames(
                landmarks_px(person, quick)[:, ::4], landmarks_px(person, raw)[:, ::4]
            ),
        }
        still = alone(model, seed, options.frames, still=True)
        passes = Passes(compressed(still, own / "b.mp4", crf=16), reconstructor, own / "still")
        passes.track()
        (person,) = passes.people()
        trembles = [
            landmarks_px(person, each)[15:-15].std(axis=0).mean()
            for each in (person.raw, person.motion, live(person.raw))
        ]
        row["jitter_px"] = trembles[0]
        row["jitter_ratio"] = trembles[1] / trembles[0]
        row["live_jitter_ratio"] = trembles[2] / trembles[0]
        for name, value in row.items():
            found.setdefault(name, []).append(float(value))
    return {name: float(np.nanmean(values)) for name, values in found.items()}


def _usual(
    turned: Float[np.ndarray, "n 3 3"], known: Float[np.ndarray, "n 3 3"]
) -> Float[np.ndarray, "3 3"]:
    """The turn of the head that brings one motion nearest to another in all frames."""
    return Rotation.from_matrix(np.swapaxes(turned, 1, 2) @ known).mean().as_matrix()


def _spread(person: FilmedPerson) -> float:
    """Standard deviation of the neutral head's vertices over the frames of what is drawn."""
    neutral = [
        person.head(k).vertices
        - person.model.vertices(0.0 * person.identity, person.motion.expression[k])
        for k in range(0, len(person.frames), 15)
    ]
    return float(np.std(neutral, axis=0).max().round(3))


def numbers_by_actor(
    film: RenderedFilm, shown: Film, reconstructor: Reconstructor
) -> list[list[tuple[int, int]]]:
    """For each actor (frame, number) where somebody is tracked in their place, as files have it."""
    tracker = Tracker(reconstructor)
    squares = [
        [square_from_landmarks(points) for points in film.landmarks_px(actor)]
        for actor in range(len(film.actors))
    ]
    seen: list[list[tuple[int, int]]] = [[] for _ in film.actors]
    for index, frame in enumerate(shown.frames()):
        for tracked in tracker(frame.image, frame.time_s):
            own = square_of(tracked.face)[None]
            iou = [float(box_iou(own, each[index][None])[0, 0]) for each in squares]
            if max(iou) > 0.4:
                seen[int(np.argmax(iou))].append((index, tracked.stretch))
    return [[(f, tracker.numbers[stretch]) for f, stretch in each] for each in seen]


def measure_numbers(
    reconstructor: Reconstructor, model: MorphableModel, options: Options, folder: Path
) -> dict[str, float]:
    """Switches over crossings, share of people who keep their number, frames followed."""
    switches, kept, followed = 0, [], []
    for seed in range(options.first, options.first + options.films):
        film = crossing(model, seed)
        seen = numbers_by_actor(film, compressed(film, folder / "c.mp4"), reconstructor)
        switches += sum(_changes(each) for each in seen)
        followed.append(sum(map(len, seen)) / 2.0 / len(film))
        film = leaving(model, seed)
        seen = numbers_by_actor(film, compressed(film, folder / "l.mp4"), reconstructor)
        kept.append(_changes(seen[1]) == 0 and seen[1][-1][0] > 2.6 * RATE)
    return {
        "switches": float(switches),
        "followed": float(np.mean(followed)),
        "lost_and_found": float(np.mean(kept)),
    }


def _changes(seen: Sequence[tuple[int, int]]) -> int:
    numbers = [number for _, number in seen]
    return sum(a != b for a, b in pairwise(numbers))


def measure_speed(
    reconstructor: Reconstructor, model: MorphableModel, options: Options, folder: Path
) -> dict[str, float]:
    """Frames per second of the first pass alone, and of both with the overlay.

    The film is played `SPEED_ROUNDS` times: what is done once for each person, a second of a CPU,
    counts as it does in a film of that length.
    """
    film, frames = alone(model, 0, options.frames), SPEED_ROUNDS * options.frames
    shown = compressed(film, folder / "s.mp4", rounds=SPEED_ROUNDS)
    passes = Passes(shown, reconstructor, folder)
    passes.track()
    passes.recording.remove()
    passes = Passes(passes.film, reconstructor, folder)
    busy = time.process_time()
    track_s = passes.track()
    track_cpu_ms = (time.process_time() - busy) / frames * 1e3
    start = time.perf_counter()
    write_overlay(
        folder / "overlay.mp4", passes.film, passes.recording, passes.people(), lambda _: True
    )
    both_s = track_s + time.perf_counter() - start
    both_cpu_ms = (time.process_time() - busy) / frames * 1e3
    return {
        "track_fps": frames / track_s,
        "overlay_fps": frames / both_s,
        "track_cpu_ms": track_cpu_ms,
        "overlay_cpu_ms": both_cpu_ms,
    }


def measure_live(
    reconstructor: Reconstructor, model: MorphableModel, options: Options, folder: Path
) -> dict[str, float]:
    """From a picture to its weights at the receivers' sockets: median, 95 %, time of the CPU."""
    film = alone(model, 0, options.frames)
    images = [frame.image for frame in compressed(film, folder / "w.mp4").frames()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port = UdpPort("--osc", f"127.0.0.1:{listener.getsockname()[1]}")
        receivers = [kind(model, port) for kind in (VmcReceiver, LiveLinkReceiver)]
        capture, wall, busy = FaceCapture(reconstructor), [], []
        for k, image in enumerate(images):
            start, busy_start = time.perf_counter(), time.process_time()
            face = capture(image, k / RATE)
            for receiver in receivers:
                receiver.send(face, k / RATE, calibrated=False)
            wall.append(1e3 * (time.perf_counter() - start))
            busy.append(1e3 * (time.process_time() - busy_start))
        port.close()
    return {
        "live_latency_ms": float(np.median(wall[5:])),
        "live_latency_95_ms": float(np.percentile(wall[5:], 95.0)),
        "live_cpu_ms": float(np.median(busy[5:])),
    }


def measure_memory(
    reconstructor: Reconstructor, model: MorphableModel, options: Options, folder: Path
) -> dict[str, float]:
    """How much more a long film takes than a few of 2 s: both passes, but for the overlay."""
    film = compressed(alone(model, 0, 60), folder / "m.mp4")
    peaks_mb: list[float] = []
    for number, count in enumerate((60, 60, 60, options.memory_frames)):
        shown = Repeated(film, count)
        passes = Passes(shown, reconstructor, folder / str(number))  # type: ignore[arg-type]
        passes.track()
        camera = film_camera(film)
        filmed_people(passes.recording, reconstructor.model, camera, DEFAULT_SMOOTH, shown)
        peaks_mb.append(_peak_mb())
    return {"memory_growth_mb": peaks_mb[-1] - peaks_mb[-2]}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main(options: Options) -> None:
    """Print the table and write the file."""
    reconstructor = Reconstructor.load(threads=options.threads)
    model = AlbedoModel.load().on(reconstructor.model)
    figures: dict[str, float] = {}
    parts: dict[str, Callable[..., dict[str, float]]] = {
        "memory": measure_memory,
        "speed": measure_speed,
        "live": measure_live,
        "people": measure_people,
        "numbers": measure_numbers,
    }
    for name, part in parts.items():
        if name in options.only:
            with tempfile.TemporaryDirectory() as folder:
                figures |= part(reconstructor, model, options, Path(folder))
    table = Table(title=f"rendered films, {options.films} of each kind")
    for column in ("figure", "measured", "bar"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, value in figures.items():
        bar = BARS.get(name)
        table.add_row(name, f"{value:.3f}", f"{bar[1]} {bar[0]:g}" if bar else "")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))
