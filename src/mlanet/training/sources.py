"""Folders and rendered heads as samples of one kind, which say what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped

from mlanet.datasets import FaceCrops, Sample, SampleSequence, SkippedSamples, open_dataset
from mlanet.datasets.layouts import layout_of
from mlanet.errors import DataError
from mlanet.image import square_from_landmarks
from mlanet.morphable import MorphableModel
from mlanet.synthesis import RenderedHeads
from mlanet.training.config import SourceConfig
from mlanet.training.labels import Labels
from mlanet.training.photos import Photos, photos_of_dataset
from mlanet.training.synthesized import Description


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Samples of one origin, and what is known of them.

    Attributes:
        name: for messages.
        dataset: pictures and landmarks.
        photos: which photos the samples show.
        skipped: what was left out when the data set was opened.
        fingerprint: a hash of names and labels; of the pictures nothing is read.
        labels: coefficients; without them none is known.
        real: photos as they were taken, which may be held out.
        with_depth: whether the landmarks have depth that is used.
        exact: the samples bring coefficients of their own, which are all known.
    """

    name: str
    dataset: SampleSequence
    photos: Photos
    skipped: SkippedSamples
    fingerprint: str
    labels: Labels | None = None
    real: bool = True
    with_depth: bool = False
    exact: bool = False

    def people(self) -> Shaped[np.ndarray, "n"] | None:
        """Who each sample shows, if that is known."""
        return self.dataset.identity if isinstance(self.dataset, FaceCrops) else None

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def knows(self) -> bool:
        """Whether any coefficient is known."""
        return self.exact or (self.labels is not None and bool(self.labels.known.any()))

    def members(self, *, telling: bool = False) -> Int[np.ndarray, "k"]:
        """Samples that the labels do not leave out, or of these the telling ones.

        Raises:
            DataError: the labels do not say which are telling.
        """
        wanted = np.ones(len(self), bool)
        if self.labels is not None and self.labels.used is not None:
            wanted &= self.labels.used
        if telling:
            if self.labels is None or self.labels.telling is None:
                raise DataError(f"{self.name}: telling: the labels do not say which faces are")
            wanted &= self.labels.telling
        return np.flatnonzero(wanted)

    def __getitem__(self, index: int) -> Sample:
        """A face.

        Raises:
            DataError: its picture or its landmarks are malformed.
        """
        sample = self.dataset[index]
        if self.labels is not None and self.labels.landmarks_px is not None:
            joined = self.labels.landmarks_px[index]
            sample = replace(sample, landmarks_px=joined, surface_jaw=True)
        points = sample.landmarks_px
        if points is not None:
            box = square_from_landmarks(points)
            if not np.isfinite(points).all() or not box[2] > box[0]:
                raise DataError(f"{sample.name}: the landmarks have no extent")
            if not self.with_depth:
                jaw = sample.jaw_on_surface
                sample = replace(sample, landmarks_px=points[:, :2], surface_jaw=jaw)
        if self.exact:
            return sample
        if self.labels is None or not self.labels.accepted[index]:
            return replace(sample, coefficients=None, known=None)
        return replace(
            sample,
            coefficients=self.labels.coefficients[index],
            known=self.labels.known,
            square_px=self.labels.square_px(index),
        )


def open_source(
    config: SourceConfig, root: Path, model: MorphableModel, seed: int, size: int
) -> Source:
    """What a configuration names.

    Args:
        config: of the source.
        root: folder of the data.
        model: the face model of coefficients.
        seed: of rendered heads.
        size: side of rendered heads in pixels.

    Raises:
        DataError: a file is missing or malformed, of another face model, or to evaluate with.
    """
    if not config.folder:
        return rendered_heads(RenderedHeads(model, size=size, count=config.heads, seed=seed))
    labels = root / config.labels if config.labels else None
    return folder_source(root / config.folder, model, labels, config.known)


def rendered_heads(heads: RenderedHeads) -> Source:
    """Heads that are rendered when they are asked for.

    Raises:
        DataError: the face model has no albedo.
    """
    name = "rendered heads"
    if not heads.model.has_albedo:
        raise DataError(f"{name}: the face model {heads.model.name} has no albedo")
    photos = Photos.of_files(name, [str(number) for number in range(len(heads))])
    count = str(len(heads))
    return Source(
        name, heads, photos, SkippedSamples(), count, real=False, with_depth=True, exact=True
    )


def folder_source(
    path: Path, model: MorphableModel, labels: Path | None = None, known: Sequence[str] = ()
) -> Source:
    """Any data set of `mlanet.datasets`, told by its files' names.

    Landmarks are the labels' where these have any. Samples without landmarks serve as unlabelled
    ones only. Depth of landmarks is used of `FaceCrops` alone.

    Args:
        path: of the data set.
        model: the face model of coefficients.
        labels: what `mlanet label` made of the data set, instead of coefficients of its own.
        known: the blocks of these that are taken as known; empty for all.

    Raises:
        DataError: there is no such data set, it is one to evaluate with, a file is missing or
            malformed, its coefficients are another face model's, or it lacks what is to be known.
    """
    layout = layout_of(path)
    if layout == "aflw2000":
        raise DataError(f"{path}: AFLW2000-3D is there to evaluate with, not to train on")
    dataset = open_dataset(path, layout)
    names = [str(name) for name in dataset.names]
    crops = dataset if isinstance(dataset, FaceCrops) else None
    photos = photos_of_dataset(path.name, names, layout, None if crops is None else crops.rows)
    found: Labels | None = None
    own = None if crops is None else crops.coefficients
    if own is not None:
        description = Description.read(path)
        found = description.labels(own, model)
        photos = description.photos(names) or photos
    if labels is not None:
        # Every crop has its labels there, also those that cannot be used and are left out.
        found = Labels.read(labels, names, path.name, model, every=crops is not None)
    found = narrowed(found, known, path, model)
    own_points = None if crops is None else crops.landmarks_px
    landmarks = () if own_points is None else (own_points,)
    joined = found is not None and found.landmarks_px is not None
    return Source(
        name=path.name,
        dataset=dataset,
        photos=photos,
        skipped=dataset.skipped,
        fingerprint=fingerprint(names, found, *landmarks),
        labels=found,
        real=own is None,
        with_depth=own_points is not None and own_points.shape[2] == 3 and not joined,
    )


def narrowed(
    labels: Labels | None, names: Sequence[str], folder: Path, model: MorphableModel
) -> Labels | None:
    """Labels of which only some blocks are taken as known; without names all of them are.

    Raises:
        DataError: nothing is known of one of them.
    """
    if not names:
        return labels
    known = np.zeros(model.layout.size, bool)
    for name in names:
        cut = model.layout.slices[name]
        if labels is None or not labels.known[cut].all():
            raise DataError(f"{folder}: known: nothing is known of {name}")
        known[cut] = True
    return None if labels is None else replace(labels, known=known)


def fingerprint(names: Sequence[str], labels: Labels | None, *arrays: np.ndarray) -> str:
    """A hash of samples' names and labels."""
    found = sha256("\n".join(names).encode())
    if labels is not None:
        boxes = np.zeros(0) if labels.boxes_px is None else labels.boxes_px
        arrays += (labels.coefficients, boxes, labels.known, labels.accepted)
        more = (labels.landmarks_px, labels.used, labels.telling)
        arrays += tuple(values for values in more if values is not None)
    for values in arrays:
        found.update(np.ascontiguousarray(values, np.float32).tobytes())
    return found.hexdigest()
