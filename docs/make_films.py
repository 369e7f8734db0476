"""Draw images/animate.webp: `python docs/make_films.py --data DATA --work FOLDER`.

DATA/portraits/us_house.tar holds official portraits of members of the United States House of
Representatives, which are in the public domain. One portrait's avatar performs what is written
here; the film of that is tracked, and drives another portrait's avatar. FOLDER keeps what was made
on the way, and what is there is not made again. Needs the extra `video`.
"""

import argparse
import csv
import tarfile
from pathlib import Path

import av
import numpy as np
from picture_parts import FOLDER
from PIL import Image

from mlanet.cli import main
from mlanet.video.livelink import ANGLES, WEIGHTS, timecode

DRIVER, DRIVEN = "us_house_00508", "us_house_00248"
SIDE, RATE, SECONDS = 320, 30, 8.0
EVERY, QUALITY = 2, 60
"""Of the film's frames, every second one is shown."""

BLINKS_S, BLINK_HALF_S = (0.7, 2.6, 4.9, 6.3), 0.14
YAW_DEG, PITCH_DEG, ROLL_DEG = 25.0, 7.0, 8.0


def during(t: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """One between two times, with soft edges."""
    steepness = 4.0 / 0.35
    edges = (1.0 / (1.0 + np.exp(-steepness * (t - edge))) for edge in (start_s, end_s))
    return np.subtract(*edges)


def performance(t: np.ndarray) -> dict[str, np.ndarray]:
    """Smiles, talks, is surprised, pouts; looks around and blinks."""
    near = [np.clip(1.0 - np.abs(t - each) / BLINK_HALF_S, 0.0, 1.0) ** 0.8 for each in BLINKS_S]
    smile, talk = 0.85 * during(t, 1.0, 3.0), during(t, 3.2, 5.0)
    surprise, pout = 0.9 * during(t, 5.0, 6.2), 0.9 * during(t, 6.6, 7.6)
    look = 0.5 * np.sin(2.0 * np.pi * t / 4.0)
    jaw = 0.22 * during(t, 1.2, 2.8) + 0.35 * during(t, 5.2, 6.1)
    both = {
        "eyeBlink": np.clip(np.sum(near, axis=0), 0.0, 1.0),
        "mouthSmile": smile,
        "cheekSquint": 0.5 * smile,
        "browOuterUp": surprise,
        "eyeWide": 0.6 * surprise,
        "browDown": 0.5 * pout,
    }
    return {f"{name}{side}": w for name, w in both.items() for side in ("Left", "Right")} | {
        "jawOpen": jaw + 0.14 * talk * (1.0 - np.cos(2.0 * np.pi * 2.6 * t)),
        "mouthFunnel": 0.2 * talk * (1.0 + np.sin(2.0 * np.pi * 1.7 * t)),
        "browInnerUp": surprise,
        "mouthPucker": pout,
        "eyeLookOutLeft": np.clip(-look, 0.0, 1.0),
        "eyeLookInRight": np.clip(-look, 0.0, 1.0),
        "eyeLookInLeft": np.clip(look, 0.0, 1.0),
        "eyeLookOutRight": np.clip(look, 0.0, 1.0),
        "HeadYaw": np.radians(YAW_DEG) * np.sin(2.0 * np.pi * t / 4.0),
        "HeadPitch": np.radians(PITCH_DEG * np.sin(2.0 * np.pi * t / 3.1 + 1.0) - 2.0),
        "HeadRoll": np.radians(ROLL_DEG) * np.sin(2.0 * np.pi * t / 5.0 + 0.5),
    }


def write_performance(path: Path) -> None:
    """In the layout of Live Link Face."""
    t = np.arange(round(SECONDS * RATE)) / RATE
    curves = performance(t)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        names = [name[0].upper() + name[1:] for name in WEIGHTS]
        writer.writerow(["Timecode", "BlendShapeCount", *names, *ANGLES])
        for k, time_s in enumerate(t):
            row = [f"{curves[n][k] if n in curves else 0.0:.6f}" for n in (*WEIGHTS, *ANGLES)]
            writer.writerow([timecode(float(time_s)), len(row), *row])


def mlanet(*words: object) -> None:
    """Run a command.

    Raises:
        SystemExit: it failed.
    """
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        if stop.code:
            raise


def reconstructed(data: Path, work: Path, name: str) -> Path:
    """A portrait's avatar."""
    face = work / name / "face_00.glb"
    if not face.exists():
        with tarfile.open(data / "portraits" / "us_house.tar") as archive:
            (member,) = [m for m in archive.getmembers() if Path(m.name).stem == name]
            content = archive.extractfile(member)
            assert content is not None
            (work / Path(member.name).name).write_bytes(content.read())
        mlanet("reconstruct", work / Path(member.name).name, "--out", work)
    return face


def animated(face: Path, driver: Path, work: Path, *words: str) -> Path:
    """The folder of an avatar's films."""
    if not work.exists():
        mlanet("animate", face, "--driver", driver, "--out", work, "--size", SIDE, *words)
    (folder,) = work.iterdir()
    return folder


def write_webp(film: Path, path: Path) -> None:
    """A film as an animated picture that goes on for ever."""
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    pictures = [Image.fromarray(frame) for frame in frames[::EVERY]]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000.0 * EVERY / RATE),
        loop=0,
        quality=QUALITY,
        method=3,
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def draw() -> None:
    """Make the films, then the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    write_performance(work / "performance.csv")
    faces = [reconstructed(options.data, work, name) for name in (DRIVER, DRIVEN)]
    acted = animated(faces[0], work / "performance.csv", work / "acted", "--neutral", "off")
    driven = animated(faces[1], acted / "front.mp4", work / "driven")
    write_webp(driven / "beside.mp4", FOLDER / "animate.webp")


if __name__ == "__main__":
    draw()
