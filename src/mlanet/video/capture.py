"""One person's face as it moves, frame by frame: what `mlanet live` sends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import Camera, Pose, mean_rotation, viewer_from_camera
from mlanet.morphable import MorphableModel
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor
from mlanet.render import UnbuiltHead
from mlanet.video.people import middle_camera
from mlanet.video.posing import poses_in_film
from mlanet.video.smoothing import DEFAULT_SMOOTH, LiveSmoother, Motion
from mlanet.video.track import square_of
from mlanet.video.tracker import TrackedFace, Tracker

PATIENCE_S = 1.0
"""Who is not seen for so long gives way to somebody else."""

LEAST_RANGE = 0.2
"""A weight of the neutral face takes at most the rest of its range."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveFace:
    """A person's face in one frame.

    Attributes:
        time_s: of the frame.
        number: of the person.
        expression: weights in [0, 1], from the neutral face on.
        rotation: model to camera as if the neutral head faced the camera.
        head: as it is seen, without regard to the neutral face.
        albedo: coefficients.
    """

    time_s: float
    number: int
    expression: Float[np.ndarray, "e"]
    rotation: Float[np.ndarray, "3 3"]
    head: UnbuiltHead
    albedo: Float[np.ndarray, "a"]


@dataclass(frozen=True, slots=True, eq=False)
class Neutral:
    """How a person looks at rest.

    Attributes:
        expression: weights that the person has at rest; what goes beyond them counts.
        rotation: model to camera when the person looks straight ahead.
    """

    expression: Float[np.ndarray, "e"]
    rotation: Float[np.ndarray, "3 3"]

    @classmethod
    def of(
        cls, expression: Float[np.ndarray, "n e"], rotation: Float[np.ndarray, "n 3 3"]
    ) -> "Neutral":
        """The middle of some frames: a blink among them does not count."""
        return cls(np.median(expression, axis=0), mean_rotation(rotation))

    def weights(self, expression: Float[np.ndarray, "e"]) -> Float[np.ndarray, "e"]:
        """Weights in [0, 1] from the neutral face on; a full weight stays one."""
        rest = np.clip(self.expression, 0.0, 1.0 - LEAST_RANGE)
        return np.clip((expression - rest) / (1.0 - rest), 0.0, 1.0)

    def turned(self, rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
        """Model to camera as if the neutral head faced the camera."""
        rest = viewer_from_camera(self.rotation)
        return viewer_from_camera(rest.T @ viewer_from_camera(rotation))


class FaceCapture:
    """Follows one person through pictures that come one by one.

        capture = FaceCapture(Reconstructor.load())
        for image, time_s in pictures:
            face = capture(image, time_s)

    Whoever was seen first is followed, the largest of several; who is gone for a second gives way
    to the largest face that is there.

    Args:
        reconstructor: detector, network and face model.
        smooth: strength of the smoother, in [0, 1].
        focal_length_px: of the camera; without it, as for films (`middle_camera`).

    Raises:
        ValueError: `smooth` is not in [0, 1].
    """

    def __init__(
        self,
        reconstructor: Reconstructor,
        smooth: float = DEFAULT_SMOOTH,
        focal_length_px: float | None = None,
    ) -> None:
        self.model: MorphableModel = reconstructor.model
        self.neutral: Neutral | None = None
        self._tracker = Tracker(reconstructor)
        self._layout = reconstructor.regressor.config.layout
        self._smooth, self._focal_length_px = smooth, focal_length_px
        self._smoother = LiveSmoother(smooth)
        self._stretch: int | None = None
        self._seen_s = -np.inf
        self._rest: list[Motion] = []
        self._rest_s = 0.0

    def warm_up(self) -> None:
        """Load and compile what the first picture would wait for."""
        size = self._tracker.reconstructor.regressor.config.input_size
        blank = np.zeros((4 * size, 4 * size, 3), np.uint8)
        self._tracker.reconstructor.detect(blank)
        face = self._tracker.reconstructor.predict_in_box(
            blank, np.array([size, size, 2.0 * size, 2.0 * size])
        )
        self._pose(face, face.coefficients.identity, middle_camera((4 * size, 4 * size)))

    def take_neutral(self, length_s: float) -> None:
        """The faces of the next seconds are the neutral one."""
        self._rest, self._rest_s = [], length_s

    @property
    def takes_neutral(self) -> bool:
        """Whether the neutral face is being looked at."""
        return self._rest_s > 0.0

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], time_s: float) -> LiveFace | None:
        """The person in the next picture (RGB); None if nobody is followed there."""
        tracked = self._chosen(self._tracker(image, time_s), time_s)
        if tracked is None:
            return None
        known = self._tracker.person(tracked.number)
        camera = middle_camera((image.shape[0], image.shape[1]), self._focal_length_px)
        expression = tracked.face.coefficients.expression[None].astype(np.float64)
        pose = self._pose(tracked.face, known.identity, camera)
        motion = self._smoother(Motion(np.array([time_s]), expression, pose))
        self._look_at_rest(motion)
        weights, rotation = motion.expression[0], motion.pose.rotation[0]
        neutral = self.neutral
        place = Pose(rotation, motion.pose.translation[0])
        return LiveFace(
            time_s,
            tracked.number,
            np.clip(weights, 0.0, 1.0) if neutral is None else neutral.weights(weights),
            rotation if neutral is None else neutral.turned(rotation),
            UnbuiltHead(self.model, known.identity, weights, place, camera),
            known.albedo,
        )

    def _pose(self, face: Reconstruction, identity: Float[np.ndarray, "i"], camera: Camera) -> Pose:
        """The pose of the person's own shape, a batch of one."""
        seen = self._layout.split(self._layout.join(face.coefficients)[None].astype(np.float64))
        square = face.crop.square_px[None]
        return poses_in_film(seen, self._layout.rotation, square, identity, self.model, camera)

    def _chosen(self, faces: Sequence[TrackedFace], time_s: float) -> TrackedFace | None:
        """Who is followed, if they are there."""
        numbers, stretch = self._tracker.numbers, self._stretch
        own = [face for face in faces if stretch is not None and face.number == numbers[stretch]]
        if not own and faces and time_s - self._seen_s > PATIENCE_S:
            own = [max(faces, key=lambda each: float(np.ptp(square_of(each.face)[::2])))]
            if stretch is not None:
                self.neutral = None
            self._stretch = own[0].stretch
            self._smoother = LiveSmoother(self._smooth)
        if not own:
            return None
        self._seen_s = time_s
        return own[0]

    def _look_at_rest(self, motion: Motion) -> None:
        if not self.takes_neutral:
            return
        self._rest.append(motion)
        if motion.times_s[0] - self._rest[0].times_s[0] >= self._rest_s:
            self.neutral = Neutral.of(
                np.concatenate([each.expression for each in self._rest]),
                np.concatenate([each.pose.rotation for each in self._rest]),
            )
            self._rest, self._rest_s = [], 0.0
