"""A tracker's state as arrays, so that a run can go on as if it had never stopped."""

from typing import Any

import numpy as np

from mlanet.image import Crop
from mlanet.reconstruction import Reconstruction
from mlanet.video.person import Looks, Person
from mlanet.video.track import Track
from mlanet.video.tracker import Tracker

SCALARS = {
    "number": int,
    "time_s": float,
    "score": float,
    "missed": int,
    "placed": bool,
    "stretch": int,
    "since_s": float,
    "apart_s": float,
    "settled": bool,
}


def snapshot(tracker: Tracker) -> dict[str, np.ndarray]:
    """All that the tracker's next answer depends on."""
    state = tracker.state()
    tracks = [*state.active, *state.lost]
    join = tracker.reconstructor.regressor.config.layout.join
    arrays = {
        "num_active": np.array(len(state.active)),
        "people": np.array(state.encounters.people),
        "numbers": np.array(state.encounters.numbers, dtype=np.int64),
        "detected_s": np.array(state.detected_s),
        "cut_usual": np.array(state.is_cut.usual),
        "cut_before": np.zeros(0) if state.is_cut.before is None else state.is_cut.before,
        "scalars": np.array([[getattr(t, name) for name in SCALARS] for t in tracks]),
        "velocity": np.array([t.velocity for t in tracks]),
        "vectors": np.array([join(t.face.coefficients) for t in tracks]),
        "crops": np.array([t.face.crop.image for t in tracks]),
        "transforms": np.array([t.face.crop.crop_from_image for t in tracks]),
    }
    for name in ("known", "fresh"):
        people: list[Person] = [getattr(track, name) for track in tracks]
        arrays[name] = np.array([_sums(person, state.looks_size) for person in people])
        arrays[f"{name}_spread"] = np.array([person.spread for person in people])
    return arrays


def restored(tracker: Tracker, arrays: dict[str, Any]) -> None:
    """Put a tracker into the state of a snapshot.

    Raises:
        KeyError: an array is missing.
    """
    state = tracker.state()
    layout, model = tracker.reconstructor.regressor.config.layout, tracker.reconstructor.model
    tracks: list[Track] = []
    for k, scalars in enumerate(arrays["scalars"]):
        crop = Crop(arrays["crops"][k], arrays["transforms"][k])
        vector = arrays["vectors"][k]
        face = Reconstruction(crop.image, None, crop, layout.split(vector), layout.rotation, model)
        plain: dict[str, Any] = {
            name: kind(v) for (name, kind), v in zip(SCALARS.items(), scalars, strict=True)
        }
        known, fresh = (
            Person(_parts(arrays[name][k], layout), float(arrays[f"{name}_spread"][k]))
            for name in ("known", "fresh")
        )
        tracks.append(
            Track(face=face, velocity=arrays["velocity"][k], known=known, fresh=fresh, **plain)
        )
    num_active = int(arrays["num_active"])
    state.active[:], state.lost[:] = tracks[:num_active], tracks[num_active:]
    before = arrays["cut_before"]
    state.is_cut.before = before if len(before) else None
    state.is_cut.usual = float(arrays["cut_usual"])
    state.encounters.people = int(arrays["people"])
    state.encounters.numbers[:] = arrays["numbers"].tolist()
    tracker.resume(float(arrays["detected_s"]))


def _sums(person: Person, size: int) -> np.ndarray:
    """Weight, identity, albedo and colours of each view; a weight of 0 where it was not seen."""
    rows = np.zeros((len(person.sums), 1 + size))
    for row, known in zip(rows, person.sums, strict=True):
        if known is not None:
            looks = known[1]
            row[:] = np.concatenate([[known[0]], looks.identity, looks.albedo, looks.colors])
    return rows


def _parts(rows: np.ndarray, layout: Any) -> list[tuple[float, Looks] | None]:
    ends = np.cumsum([1, layout.identity, layout.albedo])
    return [
        (float(row[0]), Looks(*np.split(row, ends)[1:])) if row[0] > 0.0 else None for row in rows
    ]
