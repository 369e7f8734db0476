"""The rendered films that `video.py` measures on."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from mlanet.morphable import MorphableModel
from mlanet.synthesis.films import RenderedFilm, acted, bumps, random_actor
from mlanet.video.reading import Film, Frame

RATE = 30
LARGE, SMALL = (480, 640), (240, 320)
STILL_NOISE = 0.03
"""Of a webcam in a dim room: with less, compression leaves little to be calmed."""

SEED = 2**31
"""Seeds of rendered heads from here on are for evaluation."""


def alone(model: MorphableModel, seed: int, frames: int, *, still: bool = False) -> RenderedFilm:
    """One person who turns, talks, smiles and blinks, or keeps still."""
    rng = np.random.default_rng([SEED, seed])
    t = np.arange(frames) / RATE
    zero, moving = 0.0 * t, 0.0 if still else 1.0
    phase = rng.uniform(0.0, 2.0 * np.pi, 6)
    angles = moving * np.stack(
        [
            8.0 * np.sin(1.7 * t + phase[0]),
            25.0 * np.sin(1.3 * t + phase[1]),
            8.0 * np.sin(1.1 * t + phase[2]),
        ],
        axis=1,
    )
    place = np.stack(
        [
            moving * 60.0 * np.sin(0.9 * t + phase[3]),
            10.0 + zero,
            rng.uniform(550.0, 800.0) + moving * 60.0 * np.sin(0.7 * t + phase[4]),
        ],
        axis=1,
    )
    blink = zero if still else bumps(t, np.arange(0.4, t[-1], 0.9).tolist())
    smile = np.clip(0.5 + 0.6 * np.sin(1.5 * t + phase[5]), 0.0, 1.0)
    curves = {"eyeBlinkLeft": blink, "eyeBlinkRight": blink}
    if not still:
        curves["jawOpen"] = 0.35 - 0.35 * np.cos(7.0 * t + phase[0])
        curves |= {"mouthSmileLeft": smile, "mouthSmileRight": smile}
    actor = random_actor(model, rng, acted(model, t, curves), angles, place)
    noise = STILL_NOISE if still else 0.01
    return RenderedFilm(model, (actor,), t, LARGE, noise, seed=SEED + seed)


def crossing(model: MorphableModel, seed: int) -> RenderedFilm:
    """Two people who walk past each other, one behind the other, in 2 s."""
    rng = np.random.default_rng([SEED, 1, seed])
    t = np.arange(2 * RATE) / RATE
    speed, actors = rng.uniform(1.3, 1.9), []
    for near, side in ((0.0, 1.0), (rng.uniform(150.0, 350.0), -1.0)):
        angles = np.stack(
            [0.0 * t, 15.0 * np.sin(1.5 * t + side) - 10.0 * side, 5.0 * np.sin(t)], axis=1
        )
        x = side * 190.0 * np.cos(speed * t)
        place = np.stack([x, rng.uniform(-20.0, 20.0) + 0.0 * t, 900.0 + near + 0.0 * t], axis=1)
        jaw = 0.3 - 0.3 * np.cos(5.0 * t + side)
        actors.append(random_actor(model, rng, acted(model, t, {"jawOpen": jaw}), angles, place))
    return RenderedFilm(model, actors, t, SMALL, seed=SEED + seed)


def leaving(model: MorphableModel, seed: int) -> RenderedFilm:
    """Two people of whom one leaves the picture for about a second and comes back."""
    rng = np.random.default_rng([SEED, 2, seed])
    t = np.arange(3 * RATE) / RATE
    actors = []
    for k, x in enumerate((-90.0, 90.0)):
        away = 600.0 * np.clip(1.0 - np.abs(t - 1.5) / 1.0, 0.0, 1.0) * k
        angles = np.stack([0.0 * t, 12.0 * np.sin(1.5 * t + k), 0.0 * t], axis=1)
        place = np.stack([x + away, 0.0 * t, 900.0 + 0.0 * t], axis=1)
        actors.append(random_actor(model, rng, acted(model, t, {}), angles, place))
    return RenderedFilm(model, actors, t, SMALL, seed=SEED + seed)


def compressed(film: RenderedFilm, path: Path, crf: int = 23, rounds: int = 1) -> Film:
    """The film as H.264 in MP4, played so often, forwards and backwards in turn."""
    once = [film[k] for k in range(len(film))]
    images = [image for k in range(rounds) for image in (once[::-1] if k % 2 else once)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width = film.size
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf), "preset": "veryfast"}
        for k, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Film.open(path)


class Repeated:
    """A film that plays a few frames forwards and backwards, made up while it is read."""

    def __init__(self, film: Film, count: int) -> None:
        self.images = [frame.image for frame in film.frames()]
        self.count = count

    def frames(self, since: int = 0) -> Iterator[Frame]:
        """As a film's."""
        return map(self.frame_at, range(since, self.count))

    def frame_at(self, pts: int) -> Frame:
        """Times are numbers of frames."""
        turn, place = divmod(pts, len(self.images))
        image = self.images[place if turn % 2 == 0 else -1 - place]
        return Frame(image, pts, pts / RATE)
