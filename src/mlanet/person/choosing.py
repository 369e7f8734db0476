"""Which of the faces in each photo is the person that the photos have in common."""

from collections.abc import Sequence

import numpy as np

from mlanet.reconstruction import Reconstruction

USUAL_IDENTITY, USUAL_ALBEDO = 0.21, 0.24
"""Root mean square by which coefficients of one person differ from photo to photo: medians over
pairs of videos of 60 people. Between people it is a seventh more: they are told apart badly."""

CLEARLY = 0.4
"""Another face than the largest is taken if its distance from the other photos' is less than this
share of the largest's. With more, the largest would be given up wrongly more often than rightly."""

OTHER_PERSON = 5.2
"""Distance beyond which a face is of another person; one pair in 200 of one person is."""

ROUNDS = 3


def choose_faces(found: Sequence[Sequence[Reconstruction]]) -> list[Reconstruction | None]:
    """The person's face in each photo; None where there is none, or another person's alone.

    The largest face of each photo, or one that is clearly nearer to those of the other photos. A
    face that is very far from those of the others is another person's; of two, the first stays.

    Args:
        found: all faces of each photo.
    """
    chosen: list[Reconstruction | None] = [
        max(faces, key=_side_px) if faces else None for faces in found
    ]
    for _ in range(ROUNDS):
        before = list(chosen)
        for k, faces in enumerate(found):
            others = [face for i, face in enumerate(chosen) if face is not None and i != k]
            largest = max(faces, key=_side_px) if faces else None
            if largest is None or not others or len(faces) < 2:
                continue
            nearest = min(faces, key=lambda face: _from_all(face, others))
            near, usual = _from_all(nearest, others), _from_all(largest, others)
            chosen[k] = nearest if near < CLEARLY * usual else largest
        if all(new is old for new, old in zip(chosen, before, strict=True)):
            break
    return _without_others(chosen)


def _without_others(chosen: list[Reconstruction | None]) -> list[Reconstruction | None]:
    """The faces without those of other people, the farthest first."""
    kept = list(chosen)
    while True:
        places = [k for k, face in enumerate(kept) if face is not None]
        if len(places) < 2:
            return kept
        faces = [face for face in kept if face is not None]
        away = [_from_all(face, [o for o in faces if o is not face]) for face in faces]
        worst = len(away) - 1 - int(np.argmax(away[::-1]))
        if away[worst] < OTHER_PERSON:
            return kept
        kept[places[worst]] = None


def distance(first: Reconstruction, second: Reconstruction) -> float:
    """How unlike two faces are: about 1 for one person, by shape and albedo."""
    one, two = first.coefficients, second.coefficients
    identity = np.square((one.identity - two.identity) / USUAL_IDENTITY).mean()
    albedo = np.square((one.albedo - two.albedo) / USUAL_ALBEDO).mean()
    return float(identity + albedo) / 2.0


def _from_all(face: Reconstruction, others: Sequence[Reconstruction]) -> float:
    return float(np.median([distance(face, other) for other in others]))


def _side_px(face: Reconstruction) -> float:
    return float(np.ptp(face.crop.square_px[::2]))
