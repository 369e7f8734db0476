"""Batches of crops whose order and changes depend on the seed and the step alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mlanet.errors import ConfigurationError, DataError
from mlanet.image import crop_square, transform_points
from mlanet.morphable import MorphableModel
from mlanet.training.augmentation import AugmentationConfig, random_change, random_look
from mlanet.training.config import SourceConfig, TrainingConfig
from mlanet.training.following import follow
from mlanet.training.sample import Face
from mlanet.training.sources import Source, open_source

JAW_WEIGHT_2D = 0.2
"""Weight of the 17 jaw points of labels without depth: they follow the visible contour, while
the model's are fixed on the surface."""

FOLDERS = ("aflw_train", "ytf68")
"""Folders of labelled faces below the data's root that are used where no others are named."""

TRIES = 20
"""Samples in a row that may be broken before a run gives up."""

HEAD_SIZE = 128
"""Side in pixels of heads that are rendered while training."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`b` crops and their labels; the last ones may be unlabelled.

    Attributes:
        images: uint8 RGB.
        landmarks_px: in crop pixels; z larger nearer the viewer, its origin arbitrary.
        size_px: sqrt(width · height) of the landmarks' bounding box.
        weight: of each landmark.
        has_depth: 1 where z is labelled.
        coefficients: what a network should predict, zero where not known; None if nothing is
            known of any.
        known: 1 where a coefficient is known.
        num_unlabelled: how many crops at the end have labels that are not to be used.
    """

    images: UInt8[np.ndarray, "b s s 3"]
    landmarks_px: Float[np.ndarray, "b 68 3"]
    size_px: Float[np.ndarray, "b"]
    weight: Float[np.ndarray, "b 68"]
    has_depth: Float[np.ndarray, "b"]
    coefficients: Float[np.ndarray, "b n"] | None = None
    known: Float[np.ndarray, "b n"] | None = None
    num_unlabelled: int = 0

    @property
    def num_labelled(self) -> int:
        """Crops at the beginning whose labels count."""
        return len(self.images) - self.num_unlabelled


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Samples that are drawn from as one: pass after pass, each in an order of its own.

    Attributes:
        members: (source, index) of each sample.
        share: of the labelled or the unlabelled part of a batch.
        stream: tells the pool's orders from those of others.
    """

    members: list[tuple[int, int]]
    share: float
    stream: int

    def picks(self, seed: int, start: int, stop: int) -> list[tuple[int, int]]:
        """Pass and member number at each position of an endless sequence."""
        found: list[tuple[int, int]] = []
        count = len(self.members)
        for position in range(start, stop):
            epoch, place = divmod(position, count)
            found.append((epoch, int(_order(seed, epoch, count, self.stream)[place])))
        return found


@dataclass(frozen=True, slots=True)
class _Changed:
    """A crop and its labels."""

    image: UInt8[np.ndarray, "s s 3"]
    landmarks_px: Float[np.ndarray, "68 3"]
    has_depth: bool
    coefficients: Float[np.ndarray, "n"]
    known: Bool[np.ndarray, "n"]


class LabelledFaces:
    """All samples of a run, split into training and held-out ones.

    Held out is every n-th photo with depth of the folders that the run uses; faces that were made
    of it (`mlanet synthesize profiles`) are left out of the training. Where there are no photos,
    it is every n-th of the other faces.

    Args:
        root: folder of the data.
        held_out: the n.
        labelled: sources of labelled samples; all of `FOLDERS` as one if there are none.
        unlabelled: sources of unlabelled samples; the labelled ones if there are none.
        seed: of rendered heads.

    Attributes:
        sources: folders and rendered heads.
        training: (source, index) of all labelled training samples.
        held_out: (source, index) of the held-out ones.
        broken: what was wrong with each sample that was skipped, by its place.

    Raises:
        DataError: none of `FOLDERS` exists, a source is malformed, or training or held-out
            samples are lacking.
    """

    def __init__(
        self,
        root: Path,
        held_out: int,
        labelled: Sequence[SourceConfig] = (),
        unlabelled: Sequence[SourceConfig] = (),
        seed: int = 0,
    ) -> None:
        self.model = MorphableModel.load()
        if not labelled and not any((root / name).is_dir() for name in FOLDERS):
            raise DataError(f"{root}: holds none of {', '.join(FOLDERS)}")
        self.broken: dict[tuple[int, int], str] = {}
        self.sources: list[Source] = []
        opened: dict[SourceConfig, int] = {}

        def number(source: SourceConfig) -> int:
            key = SourceConfig(folder=source.folder, labels=source.labels, heads=source.heads)
            if key not in opened:
                opened[key] = len(self.sources)
                self.sources.append(open_source(key, root, self.model, seed, HEAD_SIZE))
            return opened[key]

        default = [SourceConfig(folder=name) for name in FOLDERS if (root / name).is_dir()]
        groups = [([number(source)], source.share) for source in labelled] or [
            ([number(source) for source in default], 1.0)
        ]
        others = [([number(source)], source.share) for source in unlabelled] or groups
        used = list(dict.fromkeys(k for members, _ in (*groups, *others) for k in members))
        watched = [k for k in used if self._is_real(k)] or [
            k for k in used if self.sources[k].with_depth and not self.sources[k].real
        ]
        self.held_out = [
            (k, index) for k in watched for index in range(0, len(self.sources[k]), held_out)
        ]
        kept_out = self._kept_out(held_out)
        self.labelled = self._pools(groups, kept_out, 0)
        self.unlabelled = self._pools(others, kept_out, len(groups))
        self.training = list(
            dict.fromkeys(member for pool in self.labelled for member in pool.members)
        )
        if not self.held_out:
            raise DataError(f"{root}: needs faces whose landmarks have depth ({FOLDERS[0]})")
        if not all(pool.members for pool in (*self.labelled, *self.unlabelled)):
            raise DataError(f"{root}: held_out={held_out} leaves no face to train with")

    @classmethod
    def of(cls, config: TrainingConfig, root: Path) -> "LabelledFaces":
        """The samples that a configuration names.

        Raises:
            ConfigurationError: a batch is too small for so many sources.
            DataError: as the class.
        """
        faces = cls(root, config.held_out, config.sources, config.unlabelled_sources, config.seed)
        faces.check_shares(config)
        return faces

    def check_shares(self, config: TrainingConfig) -> None:
        """Whether every batch has room for each source's share.

        Raises:
            ConfigurationError: it has not.
        """
        for name, pools, count in (
            ("sources", self.labelled, config.num_labelled),
            ("unlabelled_sources", self.unlabelled, config.num_unlabelled),
        ):
            largest = max(pools, key=lambda pool: pool.share)
            others = sum(math.ceil(count * p.share - 1e-9) for p in pools if p is not largest)
            if others > count:
                raise ConfigurationError(
                    f"batch_size: {count} samples are too few for {len(pools)} {name}"
                )

    @cached_property
    def description(self) -> list[tuple[str, int, float]]:
        """Name, number of samples and share of the labelled part, of each labelled source."""
        found: list[tuple[str, int, float]] = []
        for pool in self.labelled:
            names = dict.fromkeys(self.sources[k].name for k, _ in pool.members)
            found.append((" + ".join(names), len(pool.members), pool.share))
        return found

    def training_batch(
        self, step: int, size: int, config: TrainingConfig, rank: int = 0, processes: int = 1
    ) -> Batch:
        """The batch of a step, or a process's share of it.

        Each source fills its share of every batch, up to rounding that evens out over the
        steps. A broken sample is replaced by the next one of its folder.

        Raises:
            DataError: `TRIES` samples in a row are broken.
        """
        made: list[list[_Changed]] = []
        for pools, count in (
            (self.labelled, config.num_labelled),
            (self.unlabelled, config.num_unlabelled),
        ):
            part: list[_Changed] = []
            chosen = self._chosen(pools, count, step, config.seed) if count else []
            for pool, epoch, pick in chosen[rank::processes]:
                rng = np.random.default_rng([config.seed, epoch, pick, *_stream(pool.stream)])
                part.append(self._changed(pool, pick, size, config.augmentation, rng))
            made.append(part)
        return self._batch(made[0] + made[1], len(made[1]))

    def held_out_batch(self, start: int, count: int, size: int) -> Batch:
        """Held-out samples as the evaluation protocol crops them, without changes."""
        made = [
            self._plain(face, size)
            for place in self.held_out[start : start + count]
            if (face := self._face(place)) is not None
        ]
        return self._batch(made, 0)

    def _is_real(self, source: int) -> bool:
        return self.sources[source].real and self.sources[source].with_depth

    def _kept_out(self, held_out: int) -> set[tuple[int, int]]:
        """Held-out samples, the same photos under other labels, and what was made of them."""
        names = {self.sources[k].name for k, _ in self.held_out}
        found = set(self.held_out)
        for k, source in enumerate(self.sources):
            if source.made_from in names:
                numbers = np.flatnonzero((source.made_of >= 0) & (source.made_of % held_out == 0))
                found |= {(k, int(index)) for index in numbers}
            elif source.name in names and self._is_real(k):
                found |= {(k, index) for index in range(0, len(source), held_out)}
        return found

    def _pools(
        self,
        groups: Sequence[tuple[list[int], float]],
        kept_out: set[tuple[int, int]],
        first_stream: int,
    ) -> list[Pool]:
        return [
            Pool(
                [
                    (k, index)
                    for k in members
                    for index in range(len(self.sources[k]))
                    if (k, index) not in kept_out
                ],
                share,
                first_stream + stream,
            )
            for stream, (members, share) in enumerate(groups)
        ]

    def _chosen(
        self, pools: list[Pool], count: int, step: int, seed: int
    ) -> list[tuple[Pool, int, int]]:
        """Pool, pass and member number of each sample of a part of a batch."""
        largest = max(pools, key=lambda pool: pool.share)

        def before(pool: Pool, step: int) -> int:
            if pool is largest:
                others = sum(before(other, step) for other in pools if other is not largest)
                return step * count - others
            return math.floor(step * count * pool.share + 1e-6)

        return [
            (pool, epoch, pick)
            for pool in pools
            for epoch, pick in pool.picks(seed, before(pool, step), before(pool, step + 1))
        ]

    def _face(self, place: tuple[int, int]) -> Face | None:
        """A sample, or None and a note if it is broken."""
        source, index = place
        try:
            return self.sources[source][index]
        except DataError as error:
            self.broken[place] = f"{self.sources[source].name}: {error}"
            return None

    def _changed(
        self,
        pool: Pool,
        pick: int,
        size: int,
        augmentation: AugmentationConfig,
        rng: np.random.Generator,
    ) -> _Changed:
        place = pool.members[pick]
        for further in range(TRIES):
            place = pool.members[(pick + further) % len(pool.members)]
            face = self._face(place)
            if face is None:
                continue
            if not face.has_landmarks and pool in self.labelled:
                name = self.sources[place[0]].name
                self.broken[place] = f"{name}: without landmarks, for unlabelled_sources only"
                continue
            change = random_change(face.landmarks_px, size, augmentation, rng)
            knows_colors = face.knows_colors(self.model)
            image = random_look(
                change.picture(face.image), augmentation, rng, colors=not knows_colors
            )
            coefficients = face.coefficients
            if face.known.any():
                coefficients = follow(coefficients, face.square_px, change, self.model)
            landmarks = change.landmarks(face.landmarks_px)
            return _Changed(image, landmarks, face.has_depth, coefficients, face.known)
        raise DataError(f"{TRIES} samples in a row are broken, the last: {self.broken[place]}")

    def _plain(self, face: Face, size: int) -> _Changed:
        crop = crop_square(face.image, face.box_px, size)
        xy = transform_points(crop.crop_from_image, face.landmarks_px[:, :2])
        z = face.landmarks_px[:, 2:] * crop.crop_from_image[0, 0]
        nothing = np.zeros_like(face.known)
        landmarks = np.concatenate([xy, z], axis=1)
        return _Changed(crop.image, landmarks, face.has_depth, face.coefficients, nothing)

    def _batch(self, made: list[_Changed], num_unlabelled: int) -> Batch:
        points = np.stack([one.landmarks_px for one in made]).astype(np.float32)
        extent = points[..., :2].max(axis=1) - points[..., :2].min(axis=1)
        depth = np.array([one.has_depth for one in made], np.float32)
        weight = np.ones(points.shape[:2], np.float32)
        weight[:, :17] = np.where(depth[:, None] > 0, 1.0, JAW_WEIGHT_2D)
        known = np.stack([one.known for one in made]).astype(np.float32)
        coefficients = np.stack([one.coefficients for one in made]).astype(np.float32)
        return Batch(
            np.stack([one.image for one in made]),
            points,
            np.sqrt(extent.prod(axis=1)),
            weight,
            depth,
            coefficients * known,
            known,
            num_unlabelled,
        )


def _stream(stream: int) -> tuple[int, ...]:
    """The first pool keeps the numbers of runs that had no other."""
    return (stream,) if stream else ()


@lru_cache(maxsize=16)
def _order(seed: int, epoch: int, count: int, stream: int = 0) -> Int[np.ndarray, "n"]:
    """The shuffled order of an epoch."""
    return np.random.default_rng([seed, epoch, 2**31, *_stream(stream)]).permutation(count)
