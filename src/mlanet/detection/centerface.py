"""CenterFace: boxes and five points of faces, on the CPU (Xu et al., 2019, arXiv 1911.03599)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mlanet.assets import verified_path
from mlanet.detection.decoding import Candidates, decode_maps, suppress
from mlanet.detection.detection import Detection
from mlanet.detection.looks import (
    FILLS,
    FINEST_PX,
    FIRST_PX,
    SECOND_GLANCE_PX,
    TILE_OVERLAP_PX,
    Region,
    fine_px,
    glance_px,
    looked_at_px,
    needs_tiles,
    network_input,
    resized,
    tiles,
)
from mlanet.detection.plausible import are_upright
from mlanet.image import Crop, crop_square
from mlanet.sessions import open_session

if TYPE_CHECKING:
    import onnxruntime

FILLING_LONG_SIDE_PX = 128
"""Look for a face that fills the whole picture: the picture small, in a wide grey frame."""

FILLING_MARGIN_PX = 64
"""Width of that frame."""

LOOKING = 6
"""Version of the way pictures are looked at: what other versions found is not what this one finds.
"""

SCORE_THRESHOLD = 0.5
"""What a face's score exceeds; docs/explanation/detection.md has what other values would find."""

MAX_OVERLAP = 0.3

PROPOSAL = 0.12
"""Least score in a look at the whole picture; what is not convincing is looked at again."""

DOUBT = 0.05
"""Least score of what a glance leaves in doubt: the first look then follows."""

CONVINCING = 0.8
"""A score that upright faces reach and few other things do."""

NEARLY_CONVINCING = 0.7
"""The same of a face that fills the picture, if it looks less like one upside down."""

TURNED_PX, TURNED_FACE_PX = 96, 53
"""Side of the square around such a face in which it is seen upside down, and of the face in it."""

MOST_INKLINGS = 4
"""Of so many places beside such a face a close look is had; with more, everything is looked at."""

INKLING_PX, INKLING_FACE_PX = 64, 32
"""Side of the square around such a place, and of the face in it."""

CLOSE_PX, CLOSE_FACE_PX = 128, 48
"""Side of the square around a doubtful face as the network sees it, and of the face in it."""

UNDECIDED, LEAST_AGREEMENT = 0.6, 0.65
"""A face that scores less than the first must get this share of it in one of its closer looks."""

CLOSER_PX, CLOSER_FACES_PX = (160, 192), (80, 96)
"""Sides of the squares around an undecided face, and of the face in each."""

NEARLY = 0.2
"""Turns whose score is less than this behind the best one's are compared in the mirror, too."""

MOST_DOUBTFUL = 200
"""Places of a picture that are looked at again at most, the best first."""


@dataclass(frozen=True, slots=True, eq=False)
class CenterFace:
    """Finds faces from about 14 pixels of the network's input up to the whole picture.

    `detector(image)` is safe to call from several threads. docs/explanation/detection.md says in
    which sizes a picture is looked at.
    """

    session: "onnxruntime.InferenceSession"
    threshold: float = SCORE_THRESHOLD

    @classmethod
    def load(cls, threads: int = 1, threshold: float = SCORE_THRESHOLD) -> "CenterFace":
        """The shipped detector, run on `threads` threads; `threshold` is the least score.

        Raises:
            AssetError: the shipped file is missing or altered.
            ValueError: `threads` is not positive or `threshold` not in (0, 1).
        """
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold must lie between 0 and 1, got {threshold}")
        session = open_session(verified_path("detector"), threads)
        return cls(session, threshold)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Faces in an RGB picture, best score first; an empty list if there are none."""
        picture = _reduced(image)
        found = self._at_a_glance(picture)
        if found is None:
            found = self._in_all_looks(picture)
        order = np.argsort(-found.scores, kind="stable")
        found = found.take(order[found.scores[order] > self.threshold])
        scale = image.shape[1] / picture.shape[1], image.shape[0] / picture.shape[0]
        found = found.mapped(scale, (0.0, 0.0))
        return [
            Detection(box, points, float(score))
            for box, points, score in zip(found.boxes, found.landmarks, found.scores, strict=True)
        ]

    def _at_a_glance(self, picture: UInt8[np.ndarray, "h w 3"]) -> Candidates | None:
        """The one face that fills a small picture; None if there is more to look at."""
        size = picture.shape[:2]
        if fine_px(size) is not None:
            return None
        for long_side, most_beside in ((glance_px(size), MOST_INKLINGS), (SECOND_GLANCE_PX, 0)):
            seen = self._look(picture, looked_at_px(size, long_side), least=DOUBT, quick=True)
            if not len(seen) or seen.sizes[0] < FILLS * max(size):
                return None
            if self._stands(picture, seen) and self._is_alone(picture, seen, most_beside):
                return seen.take(np.array([0]))
        return None

    def _stands(self, picture: UInt8[np.ndarray, "h w 3"], seen: Candidates) -> bool:
        """Whether the best of what a glance sees is an upright face."""
        face, score = seen.take(np.array([0])), float(seen.scores[0])
        if score < max(NEARLY_CONVINCING, self.threshold) or not are_upright(face).all():
            return False
        if score >= CONVINCING:
            return True
        close, _ = _square_around(picture, face, TURNED_PX, TURNED_FACE_PX)
        upside_down = self._run(network_input(np.rot90(close.image, 2)))
        return bool(upside_down.scores.max(initial=0.0) < score)

    def _is_alone(
        self, picture: UInt8[np.ndarray, "h w 3"], seen: Candidates, most_beside: int
    ) -> bool:
        """Whether few places score outside of the best one's box, and none of them is a face."""
        box, centers = seen.boxes[0], seen.centers
        outside = np.flatnonzero(((centers < box[:2]) | (box[2:] < centers)).any(axis=1))
        if len(outside) > most_beside:
            return False
        for index in outside:
            place = seen.take(np.array([index]))
            close, _ = _square_around(picture, place, INKLING_PX, INKLING_FACE_PX)
            if len(self._middle(close.image, INKLING_FACE_PX)):
                return False
        return True

    def _in_all_looks(self, picture: UInt8[np.ndarray, "h w 3"]) -> Candidates:
        """What is found in a picture of any kind, scores below the threshold included."""
        found = self._confirmed(picture, self._whole(picture))
        anybody = bool((found.scores > self.threshold).any())
        turns = _turns_of(found.take(np.flatnonzero(found.scores > self.threshold)))
        for turn in turns if anybody else range(1, 4):
            others = self._confirmed(picture, self._whole(picture, turn, tiled=anybody), turn)
            found = suppress(found.joined(others), MAX_OVERLAP)
        if not (found.scores > self.threshold).any():
            filling = self._look(picture, FILLING_LONG_SIDE_PX, margin=FILLING_MARGIN_PX)
            for index in range(len(filling)):
                found = found.joined(self._closely(picture, filling.take(np.array([index]))))
            found = suppress(found, MAX_OVERLAP)
        return self._decided(picture, found)

    def _decided(self, picture: UInt8[np.ndarray, "h w 3"], found: Candidates) -> Candidates:
        """What was found without undecided faces of which a closer look sees little."""
        undecided = (found.scores > self.threshold) & (found.scores < UNDECIDED)
        kept = ~undecided
        for index in np.flatnonzero(undecided):
            one = found.take(np.array([index]))
            kept[index] = self._agreed(picture, one, LEAST_AGREEMENT * found.scores[index])
        return found.take(np.flatnonzero(kept))

    def _agreed(self, picture: UInt8[np.ndarray, "h w 3"], one: Candidates, least: float) -> bool:
        """Whether a closer look or its mirror image, turned as the points say, scores `least`."""
        turn = next(iter(_turns_of(one)), 0)
        for size_px, face_px in zip(CLOSER_PX, CLOSER_FACES_PX, strict=True):
            close, _ = _square_around(picture, one, size_px, face_px)
            upright = np.rot90(close.image, turn)
            for view in (upright, upright[:, ::-1]):
                if self._middle(view, face_px).scores.max(initial=0.0) >= least:
                    return True
        return False

    def _whole(
        self, picture: UInt8[np.ndarray, "h w 3"], turn: int = 0, *, tiled: bool = True
    ) -> Candidates:
        """What looks of all sizes propose, in the picture turned by quarters or as it is."""
        size = picture.shape[:2]
        found = self._look(picture, looked_at_px(size, FIRST_PX), turn=turn)
        fine = fine_px(size)
        if fine is not None:
            found = _completed(found, self._look(picture, fine, turn=turn))
        if not (tiled and needs_tiles(size)):
            return found
        sure = found.take(np.flatnonzero(found.scores >= CONVINCING))
        small = Candidates.none()
        for tile in tiles(size):
            if not _covered(tile, sure):
                small = small.joined(self._tile(picture, tile, turn))
        return _completed(found, small)

    def _tile(self, picture: UInt8[np.ndarray, "h w 3"], tile: Region, turn: int) -> Candidates:
        """Small faces in a part of the picture: larger ones were seen before, or are cut here."""
        part = picture[tile.top : tile.bottom, tile.left : tile.right]
        found = self._look(part, max(part.shape[:2]), turn=turn)
        small = np.flatnonzero(found.sizes < TILE_OVERLAP_PX)
        return found.take(small).mapped((1.0, 1.0), (tile.left, tile.top))

    def _confirmed(
        self, picture: UInt8[np.ndarray, "h w 3"], found: Candidates, turn: int = 0
    ) -> Candidates:
        """The faces among what was found in a turn: what does not convince is looked at again.

        Of both looks at a face the one that scores higher counts; the first one only if points
        and box agree.
        """
        as_seen = found.turned_back(np.rot90(picture, turn).shape[:2], -turn)
        upright, convincing = are_upright(as_seen), _convincing(as_seen)
        doubtful = np.flatnonzero(~convincing)[:MOST_DOUBTFUL]
        faces = found.take(np.flatnonzero(convincing))
        for index in doubtful:
            first = found.take(np.array([index]))
            close = self._closely(picture, first, turn)
            better = close.scores.max(initial=0.0) > first.scores[0] or not upright[index]
            faces = faces.joined(close if better else first)
        return suppress(faces, MAX_OVERLAP) if len(doubtful) else faces

    def _closely(
        self, picture: UInt8[np.ndarray, "h w 3"], one: Candidates, turn: int = 0
    ) -> Candidates:
        """The face in one place; none if there is none.

        If it does not convince in the turn in which it was found, it is looked at in all four.
        Its score is then the mean of what it and its mirror image get in the best one.
        """
        close, square = _square_around(picture, one)
        best = self._middle(np.rot90(close.image, turn))
        if not _convincing(best).any():
            turn, best = self._best_turn(close.image, {turn: best})
        scale = (square[2] - square[0]) / CLOSE_PX
        back = best.turned_back((CLOSE_PX, CLOSE_PX), turn)
        return back.mapped((scale, scale), (square[0], square[1]))

    def _best_turn(
        self, close: UInt8[np.ndarray, "s s 3"], known: dict[int, Candidates]
    ) -> tuple[int, Candidates]:
        """By how many quarter turns a close look sees a face best, and what it sees then."""
        views = [np.rot90(close, turn) for turn in range(4)]
        seen = [known[k] if k in known else self._middle(view) for k, view in enumerate(views)]
        scores = np.array([found.scores.max(initial=0.0) for found in seen])
        for turn in np.flatnonzero((scores > 0.0) & (scores >= scores.max() - NEARLY)):
            mirrored = self._middle(views[turn][:, ::-1])
            scores[turn] = (scores[turn] + mirrored.scores.max(initial=0.0)) / 2.0
        turn = int(scores.argmax())
        best = seen[turn]
        return turn, Candidates(best.boxes, best.landmarks, scores[[turn]][: len(best)])

    def _middle(
        self, close: UInt8[np.ndarray, "s s 3"], face_px: int = CLOSE_FACE_PX
    ) -> Candidates:
        """The best face in the middle of a close look, if there is one of about `face_px`."""
        found = self._run(network_input(close))
        away = np.hypot(*(found.centers - len(close) / 2.0).T)
        size = found.sizes / face_px
        near = np.flatnonzero((away < 0.4 * face_px) & (size > 0.5) & (size < 2.0))
        return suppress(found.take(near), MAX_OVERLAP).take(np.arange(min(len(near), 1)))

    def _look(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        long_side: float,
        *,
        margin: int = 0,
        turn: int = 0,
        least: float = PROPOSAL,
        quick: bool = False,
    ) -> Candidates:
        """What scores from `least` in the picture resized to `long_side`, in its own pixels."""
        height, width = image.shape[:2]
        scale = long_side / max(height, width)
        rows, cols = max(1, round(height * scale)), max(1, round(width * scale))
        small = np.rot90(resized(image, rows, cols, quick=quick), turn)
        found = suppress(self._run(network_input(small, margin), least), MAX_OVERLAP)
        found = found.mapped((1.0, 1.0), (-margin, -margin)).turned_back((rows, cols), turn)
        return found.mapped((width / cols, height / rows), (0.0, 0.0))

    def _run(self, batch: Float[np.ndarray, "1 3 a b"], least: float = PROPOSAL) -> Candidates:
        """All candidates of one input, in its pixels."""
        maps = [np.asarray(output) for output in self.session.run(None, {"image": batch})]
        heat, log_size, offset, landmarks = maps
        return decode_maps(heat, log_size, offset, landmarks, min(least, self.threshold))


def _reduced(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as the finest look sees it, if it is larger."""
    height, width = image.shape[:2]
    scale = looked_at_px((height, width), FINEST_PX) / max(height, width)
    if scale >= 1.0:
        return image
    return resized(image, max(1, round(height * scale)), max(1, round(width * scale)))


def _square_around(
    picture: UInt8[np.ndarray, "h w 3"],
    one: Candidates,
    size_px: int = CLOSE_PX,
    face_px: int = CLOSE_FACE_PX,
) -> tuple[Crop, Float[np.ndarray, "4"]]:
    """A square of `size_px` in which a face has `face_px`, and where it lies in the picture."""
    side = one.sizes[0] * size_px / face_px
    square = np.concatenate([one.centers[0] - side / 2.0, one.centers[0] + side / 2.0])
    return crop_square(picture, square, size_px), square


def _convincing(found: Candidates) -> Bool[np.ndarray, "n"]:
    """Which candidates need no second look: certain ones whose points and box agree."""
    return (found.scores >= CONVINCING) & are_upright(found)


def _completed(found: Candidates, finer: Candidates) -> Candidates:
    """What a look found and what a finer one adds: convincing faces stay as they were seen."""
    both = found.joined(finer)
    sure = (both.scores >= CONVINCING) & (np.arange(len(both)) < len(found))
    return suppress(both, MAX_OVERLAP, both.scores + sure)


def _turns_of(found: Candidates) -> list[int]:
    """By which quarter turns faces that do not stand upright would."""
    down = found.landmarks[:, 3:].mean(axis=1) - found.landmarks[:, :2].mean(axis=1)
    turns = -np.rint(np.arctan2(down[:, 0], down[:, 1]) / (np.pi / 2.0)).astype(int) % 4
    return sorted({int(turn) for turn in turns} - {0})


def _covered(tile: Region, sure: Candidates) -> bool:
    """Whether a tile shows nothing but a part of a face that is known."""
    box = tile.box
    inside = (sure.boxes[:, :2] <= box[:2]).all(axis=1) & (sure.boxes[:, 2:] >= box[2:]).all(axis=1)
    return bool(inside.any())
