"""From a photo to the 3D faces in it: where the stages meet."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.detection import (
    SCORE_THRESHOLD,
    CenterFace,
    Detection,
    Detector,
    square_from_detection,
    turns_to_upright,
)
from mlanet.errors import AssetError, ImageError
from mlanet.geometry import turn_coefficients_back
from mlanet.image import Crop, ImageSource, crop_square, read_image
from mlanet.morphable import MorphableModel, load_model
from mlanet.network.runtime import CoefficientRegressor
from mlanet.reconstruction import Reconstruction
from mlanet.sessions import DeviceName

_LOG = logging.getLogger(__name__)

BATCH = 16
"""Crops that the network sees at a time: its memory does not grow with a crowd."""

WAITING_PIXELS = 24_000_000
"""Of pictures whose crops wait for others (72 MB): the network does not wait for more."""


SAME_DISTANCE = 1.15
"""Who is in front is not known of heads whose sizes in the photo differ by less than this."""

HEAD_PER_CROP = 2.0
"""Side of the square around a whole head with its hair over its crop's."""


@dataclass(frozen=True, slots=True, eq=False)
class Reconstructor:
    """Detector, network and face model. Safe to call from several threads, and to pickle.

    A pickle names the files of networks and holds a face model that does not ship; networks are
    opened anew where it is read.

        reconstructor = Reconstructor.load()
        for face in reconstructor(image):
            face.save("out")

    Attributes:
        detector: finds faces; `mlanet.detection.Detector` says what others must do.
        regressor: predicts coefficients from crops.
        model: turns coefficients into meshes.
    """

    detector: Detector
    regressor: CoefficientRegressor
    model: MorphableModel

    @classmethod
    def load(
        cls,
        *,
        threads: int = 1,
        weights: str | os.PathLike[str] | None = None,
        model: str | os.PathLike[str] | None = None,
        min_score: float = SCORE_THRESHOLD,
        detector: Detector | None = None,
        device: DeviceName = "auto",
    ) -> "Reconstructor":
        """The shipped detector, network and face model, or a network and a model of the user's.

        Args:
            threads: CPU threads that the networks may use for one photo; more than the machine
                has are not started.
            weights: an ONNX file that `mlanet export` wrote.
            model: the face model whose coefficients that network regresses, if it is not the
                embedded one (docs/reference/face-models.md).
            min_score: what a detection of the shipped detector must exceed to be a face
                (docs/explanation/detection.md).
            detector: finds faces instead of the shipped one.
            device: what runs the network: `auto`, `cpu`, `cuda`, `openvino` or `coreml`
                (docs/how-to/devices.md). The shipped detector always runs on the CPU.

        Raises:
            AssetError: a file is missing, altered or does not fit the face model.
            UsageError: there is no such device here; the message says how to get it.
            ValueError: `threads` is not positive or `min_score` not between 0 and 1.
        """
        threads = min(threads, os.cpu_count() or 1)
        file = None if weights is None else Path(weights)
        regressor = CoefficientRegressor.load(file, threads, device)
        face_model = load_model(None if model is None else Path(model))
        name, layout = weights or "the shipped network", regressor.config.layout
        same_layout = replace(layout, rotation=face_model.layout.rotation) == face_model.layout
        if regressor.face_model != face_model.name or not same_layout:
            raise AssetError(
                f"{name}: drives the face model {regressor.face_model!r} with {layout}, "
                f"this one is {face_model.name!r} with {face_model.layout}"
            )
        finder = CenterFace.load(threads, min_score) if detector is None else detector
        return cls(finder, regressor, face_model)

    @overload
    def __call__(
        self,
        image: "list[ImageSource] | tuple[ImageSource, ...]",
        *,
        max_faces: int | None = None,
        bgr: bool = False,
    ) -> list[list[Reconstruction]]: ...

    @overload
    def __call__(
        self, image: ImageSource, *, max_faces: int | None = None, bgr: bool = False
    ) -> list[Reconstruction]: ...

    def __call__(
        self, image: Any, *, max_faces: int | None = None, bgr: bool = False
    ) -> list[Reconstruction] | list[list[Reconstruction]]:
        """All faces in a photo, best detection first; an empty list if there are none.

        Args:
            image: whatever `read_image` takes: a path, bytes, an open file, a Pillow image, an
                array. A list or tuple of them gives a list of lists (`many` holds less at once).
            max_faces: keep the largest faces only.
            bgr: whether arrays are in OpenCV's order, blue first.

        Raises:
            ImageError: it is no picture; of several, the message says which.
            ValueError: `max_faces` is not positive.
        """
        if isinstance(image, list | tuple):
            return list(self.many(image, max_faces=max_faces, bgr=bgr))
        _check_positive(max_faces=max_faces)
        picture = read_image(image, bgr=bgr)
        return facing_others(self._read(self._views(picture, max_faces)))

    def many(
        self,
        pictures: "Iterable[ImageSource]",
        *,
        batch_size: int = BATCH,
        max_faces: int | None = None,
        bgr: bool = False,
        failed: Callable[[int, Exception], None] | None = None,
    ) -> Iterator[list[Reconstruction]]:
        """The faces of each picture, in the pictures' order: crops go to the network together.

        Pictures are taken when they are needed, and at most `batch_size` of them, or
        `WAITING_PIXELS`, are held: memory does not grow with their number.

            for faces in reconstructor.many(sorted(Path("holiday").glob("*.jpg"))):
                ...

        Args:
            pictures: each is whatever `read_image` takes.
            batch_size: crops that the network waits for.
            max_faces: keep the largest faces of each picture only.
            bgr: whether arrays are in OpenCV's order, blue first.
            failed: is told the number (from 0) of a picture that cannot be read or looked at, and
                why; its list is then empty. Without it, that ends the iteration.

        Raises:
            ImageError: it is no picture, and `failed` is not given; the message says which.
            ValueError: `batch_size` or `max_faces` is not positive.
        """
        _check_positive(max_faces=max_faces, batch_size=batch_size)
        return self._many(pictures, batch_size, max_faces, bgr, failed)

    def _many(
        self,
        pictures: "Iterable[ImageSource]",
        batch_size: int,
        max_faces: int | None,
        bgr: bool,
        failed: Callable[[int, Exception], None] | None,
    ) -> Iterator[list[Reconstruction]]:
        waiting: list[list[_View]] = []
        crops, pixels = 0, 0
        for number, source in enumerate(pictures):
            views: list[_View] = []
            try:
                picture = read_image(source, bgr=bgr)
                views = self._views(picture, max_faces)
            except Exception as error:
                if failed is not None:
                    failed(number, error)
                elif isinstance(error, ImageError):
                    raise ImageError(f"picture {number + 1}: {error}") from error
                else:
                    raise
            waiting.append(views)
            crops += len(views)
            pixels += views[0].image.size // 3 if views else 0
            if max(crops, len(waiting)) >= batch_size or pixels > WAITING_PIXELS:
                yield from self._together(waiting)
                waiting, crops, pixels = [], 0, 0
        yield from self._together(waiting)

    def person(
        self, images: Sequence[ImageSource], *, bgr: bool = False
    ) -> list[Reconstruction | None]:
        """One person in several photos: a head for each, with one shape and one texture.

        Of several faces the largest is taken, or one that is clearly nearer to the other photos'
        (`mlanet.person.choose_faces`). None stands for a photo without the person.

        Args:
            images: as `Reconstructor()` takes them.
            bgr: whether arrays are in OpenCV's order, blue first.

        Raises:
            ImageError: one is no picture; the message says which.
        """
        from mlanet.person import choose_faces, join_person

        chosen = choose_faces(self(list(images), bgr=bgr))
        kept = [face for face in chosen if face is not None]
        joined = iter(join_person(kept) if kept else [])
        return [None if face is None else next(joined) for face in chosen]

    def _together(self, pictures: "Sequence[Sequence[_View]]") -> Iterator[list[Reconstruction]]:
        """The faces of some pictures, whose crops the network sees at once."""
        faces = iter(self._read([view for views in pictures for view in views]))
        for views in pictures:
            yield facing_others(list(islice(faces, len(views))))

    def _views(self, picture: UInt8[np.ndarray, "h w 3"], max_faces: int | None) -> "list[_View]":
        """What the network is to see of a picture."""
        detections = self.detect(picture)
        height, width = picture.shape[:2]
        scores = [round(found.score, 2) for found in detections]
        _LOG.debug("%d x %d pixels: detections with scores %s", width, height, scores)
        if max_faces is not None:
            largest = sorted(detections, key=lambda d: -d.size_px)[:max_faces]
            detections = [d for d in detections if d in largest]
        return [self._view(picture, found) for found in detections]

    def _view(self, picture: UInt8[np.ndarray, "h w 3"], detection: Detection) -> "_View":
        size = self.regressor.config.input_size
        crop = crop_square(picture, self.crop_box(detection), size)
        return _View(picture, crop, turns_to_upright(detection), detection)

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Faces in an RGB picture, best score first."""
        return list(self.detector(image))

    def crop_box(self, detection: Detection) -> Float[np.ndarray, "4"]:
        """The square (left, top, right, bottom; pixels) that the network sees of a detection.

        It is `square_from_detection` with whole pixels, which are cut out faster.
        """
        left, top, right, _ = square_from_detection(detection)
        corner, side = np.rint([left, top]), max(np.rint(right - left), 1.0)
        return np.concatenate([corner, corner + side])

    def reconstruct_detection(
        self, image: UInt8[np.ndarray, "h w 3"], detection: Detection
    ) -> Reconstruction:
        """One of the faces that `detect` found in the picture."""
        return self._read([self._view(image, detection)])[0]

    def predict_in_box(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        box_px: Float[np.ndarray, "4"],
        quarter_turns: int = 0,
    ) -> Reconstruction:
        """The face in a given square (left, top, right, bottom; pixels), without detection.

        `quarter_turns` of the square by `numpy.rot90` bring the face nearest to upright.
        """
        return self.predict_in_boxes(image, [box_px], [quarter_turns])[0]

    def predict_in_boxes(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        boxes_px: Sequence[Float[np.ndarray, "4"]],
        quarter_turns: Sequence[int],
    ) -> list[Reconstruction]:
        """The faces in several squares of a picture, as `predict_in_box` has each."""
        size = self.regressor.config.input_size
        return self._read(
            [
                _View(image, crop_square(image, box, size), turn, None)
                for box, turn in zip(boxes_px, quarter_turns, strict=True)
            ]
        )

    def _read(self, views: "Sequence[_View]") -> list[Reconstruction]:
        """What the network says of crops that it sees turned, of the crops as they are."""
        layout = self.regressor.config.layout
        upright = [np.rot90(view.crop.image, view.turn) for view in views]
        answers = [
            self.regressor.answers(np.stack(upright[start : start + BATCH]))
            for start in range(0, len(upright), BATCH)
        ]
        vectors = [vector for some, _ in answers for vector in some]
        sure = [each for _, some in answers for each in self._confidences(some)]
        return [
            Reconstruction(
                image=view.image,
                detection=view.detection,
                crop=view.crop,
                coefficients=turn_coefficients_back(
                    layout.split(vector), layout.rotation, view.turn
                ),
                rotation_kind=layout.rotation,
                model=self.model,
                confidence=of_face,
                landmark_confidence=of_landmarks,
            )
            for view, vector, (of_face, of_landmarks) in zip(
                views, vectors, sure or [(None, None)] * len(views), strict=True
            )
        ]

    def _confidences(
        self, log_variances: Float[np.ndarray, "b 68"] | None
    ) -> list[tuple[float, Float[np.ndarray, "68"]]]:
        """Of each face and of its landmarks; none where the network does not say."""
        known = self.regressor.confidence
        if known is None or log_variances is None:
            return []
        of_faces = map(float, known.of_faces(log_variances))
        return list(zip(of_faces, known.of_landmarks(log_variances), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What the network is to see: a crop of a picture, turned by quarters."""

    image: UInt8[np.ndarray, "h w 3"]
    crop: Crop
    turn: int
    detection: Detection | None


def _check_positive(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f"{name} must be positive, got {count}")


def facing_others(faces: Sequence[Reconstruction]) -> list[Reconstruction]:
    """The faces of a photo, each with the heads that may hide it (`Reconstruction.before`)."""
    if len(faces) < 2:
        return list(faces)
    heads = [face.unbuilt for face in faces]
    distance = np.array([head.mm_per_px for head in heads])
    squares = np.stack([face.crop.square_px for face in faces])
    centers, reach = (squares[:, :2] + squares[:, 2:]) / 2.0, squares[:, 2] - squares[:, 0]
    result: list[Reconstruction] = []
    for k, face in enumerate(faces):
        apart = np.abs(centers - centers[k]).max(axis=1)
        touching = apart < HEAD_PER_CROP * (reach + reach[k]) / 2.0
        near = touching & (distance < SAME_DISTANCE * distance[k])
        near[k] = False
        result.append(replace(face, before=tuple(heads[i] for i in np.flatnonzero(near))))
    return result
