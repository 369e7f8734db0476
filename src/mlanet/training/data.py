"""Batches of crops whose order and changes depend on the seed and the step alone."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from mlanet.datasets import BROKEN, Sample
from mlanet.errors import ConfigurationError, DataError
from mlanet.morphable import MorphableModel, load_model
from mlanet.training.config import SourceConfig, TrainingConfig
from mlanet.training.dice import Dice
from mlanet.training.held_out import kept_out, watched
from mlanet.training.kept_samples import KeptSamples, Place
from mlanet.training.models import open_face_model
from mlanet.training.pools import Pool, chosen
from mlanet.training.random_crops import random_crops
from mlanet.training.samples import Samples, protocol_crop
from mlanet.training.sources import Source, open_source
from mlanet.training.terms import LABEL_TERMS

FOLDERS = ("aflw_train", "ytf68")
"""Folders of labelled faces below the data's root that are used where no others are named."""

TRIES = 20
"""Pictures without landmarks in a row after which a source of labelled samples is given up."""

HEAD_SIZE = 128
"""Side in pixels of heads that are rendered while training."""

AT_ONCE = 16
"""Crops that a processor makes at once: more leave its cache, fewer cost more calls."""

MEMORY_GB = 4.0
"""Memory for pictures that are kept when they have been read."""


class _Group(NamedTuple):
    """Sources that fill a share of the batches as one: all of their faces or the telling ones."""

    sources: list[int]
    share: float
    telling: bool = False
    together: int = 1

    @classmethod
    def of(cls, number: int, source: SourceConfig) -> "_Group":
        return cls([number], source.share, source.telling, source.together)


class LabelledFaces:
    """All samples of a run, split into training and held-out ones.

    Held out is every n-th photo with depth of the folders that the run uses, counted as their
    `labels.npz` lists them, usable or not; where none has depth, every n-th photo of the labelled
    sources. Whatever else shows such a photo is left out of the training: faces that were made of
    it (`mlanet synthesize profiles`, 300W-LP's turned and mirrored ones), the same folder under
    other labels. They are told by the photos' names. Where there are no photos, every n-th of the
    other faces is held out.

    Args:
        root: folder of the data.
        held_out: the n.
        labelled: sources of labelled samples; all of `FOLDERS` as one if there are none.
        unlabelled: sources of unlabelled samples; the labelled ones if there are none.
        seed: of rendered heads.
        model: the face model of coefficients; the embedded one without.
        device: where pictures are kept and crops are made.
        memory_gb: of kept pictures there; others are read each time.

    Attributes:
        sources: folders and rendered heads.
        fingerprints: of each source's names and labels, by its folder and its labels' file.
        training: (source, index) of all labelled training samples.
        held_out: (source, index) of the held-out ones.
        broken: what was wrong with each sample that was skipped, by its source and its place there,
            or its name if it was left out when the source was opened.

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
        model: MorphableModel | None = None,
        *,
        device: str = "cpu",
        memory_gb: float = MEMORY_GB,
    ) -> None:
        self.model = load_model() if model is None else model
        self._device = device
        self._kept = KeptSamples(self.face, self.model.layout, device, 1e9 * memory_gb)
        if not labelled and not any((root / name).is_dir() for name in FOLDERS):
            raise DataError(f"{root}: holds none of {', '.join(FOLDERS)}")
        self.broken: dict[tuple[int, int | str], str] = {}
        self.sources: list[Source] = []
        self.fingerprints: dict[str, str] = {}
        opened: dict[SourceConfig, int] = {}

        def number(source: SourceConfig) -> int:
            key = replace(source, share=1.0, telling=False, together=1)
            if key not in opened:
                opened[key] = len(self.sources)
                self._open(key, root, seed)
                described = f"{key.folder or 'heads'}{' with ' * bool(key.labels)}{key.labels}"
                described += f" knowing {', '.join(key.known)}" if key.known else ""
                self.fingerprints[described] = self.sources[-1].fingerprint
            return opened[key]

        default = [SourceConfig(folder=name) for name in FOLDERS if (root / name).is_dir()]
        groups = [_Group.of(number(own), own) for own in labelled] or [
            _Group([number(own) for own in default], 1.0)
        ]
        others = [_Group.of(number(own), own) for own in unlabelled] or groups
        used = list(dict.fromkeys(k for group in (*groups, *others) for k in group.sources))
        named = list(dict.fromkeys(k for group in groups for k in group.sources))
        self.held_out = [
            (k, int(index))
            for k in watched(self.sources, used, named)
            for index in self.sources[k].members()
            if self.sources[k].photos.rows[index] % held_out == 0
        ]
        left_out = kept_out(self.sources, self.held_out)
        self.labelled = self._pools(groups, left_out, 0)
        self.unlabelled = self._pools(others, left_out, len(groups))
        self.training = list(
            dict.fromkeys(member for pool in self.labelled for member in pool.members)
        )
        if not self.held_out:
            raise DataError(f"{root}: no labelled faces to hold out")
        if not all(pool.members for pool in (*self.labelled, *self.unlabelled)):
            raise DataError(f"{root}: held_out={held_out} leaves no face to train with")

    @classmethod
    def of(
        cls,
        config: TrainingConfig,
        root: Path,
        *,
        device: str = "cpu",
        memory_gb: float = MEMORY_GB,
    ) -> "LabelledFaces":
        """The samples that a configuration names.

        Raises:
            ConfigurationError: a batch is too small for so many sources, or no source knows what is
                compared.
            AssetError: the face model's file is missing or damaged.
            DataError: as the class, or none of the held-out faces is readable.
        """
        labelled, unlabelled = config.sources, config.unlabelled_sources
        model = open_face_model(config)
        faces = cls(
            root,
            config.held_out,
            labelled,
            unlabelled,
            config.seed,
            model,
            device=device,
            memory_gb=memory_gb,
        )
        faces.check_shares(config)
        faces.check_terms(config)
        if all(faces.held_out_face(place) is None for place in faces.held_out):
            raise faces.unreadable(faces.held_out)
        return faces

    def check_terms(self, config: TrainingConfig) -> None:
        """Whether the sources know what labelled samples are compared with.

        Raises:
            ConfigurationError: only known coefficients are compared, and no source has any.
        """
        rendered = config.num_unlabelled or config.labelled_rendered > 0.0
        if config.weights.any_of(LABEL_TERMS) or rendered:
            return
        used = {k for pool in self.labelled for k, _ in pool.members}
        if not any(self.sources[k].knows for k in used):
            raise ConfigurationError(
                "weights: known coefficients alone are compared, and no source has any"
            )

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
            name = " + ".join(names) + " (telling)" * pool.telling
            found.append((name, len(pool.members), pool.share))
        return found

    def training_batch(
        self, step: int, size: int, config: TrainingConfig, rank: int = 0, processes: int = 1
    ) -> Samples:
        """The batch of a step, or a process's share of it.

        Each source fills its share of every batch, up to rounding that evens out over the
        steps. A broken sample is replaced by the next one of its source.

        Raises:
            DataError: no sample of a source can be used, or `TRIES` labelled ones in a row lack
                landmarks.
        """
        largest = max(size, *(stage.input_size for stage in config.stages))
        made: list[Samples] = []
        generators: list[np.random.Generator] = []
        for labelled, pools, count in (
            (True, self.labelled, config.num_labelled),
            (False, self.unlabelled, config.num_unlabelled),
        ):
            picks = chosen(pools, count, step, config.seed) if count else []
            for pool, epoch, pick in picks[rank::processes]:
                found = self._picked(pool, pick, largest, labelled=labelled)
                made.append(found if labelled else found.unlabelled())
                numbers = [config.seed, epoch, pick, *pool.own_numbers]
                generators.append(np.random.default_rng(numbers))
        at_once = AT_ONCE if self._device == "cpu" else len(made)
        parts: list[Samples] = []
        for first in range(0, len(made), at_once):
            part = slice(first, first + at_once)
            samples, dice = Samples.cat(made[part]), Dice(generators[part])
            parts.append(random_crops(samples, size, config.augmentation, dice, self.model))
        return Samples.cat(parts)

    def held_out_batches(self, size: int, count: int) -> Iterator[Samples]:
        """Held-out samples as the evaluation protocol crops them, without changes.

        Broken ones are left out: the last batch has fewer samples than `count`.

        Raises:
            DataError: none is readable.
        """
        read = (self.held_out_face(place) for place in self.held_out)
        usable = (face for face in read if face is not None)
        nothing = True
        while faces := list(islice(usable, count)):
            nothing = False
            crops = [Samples.of(protocol_crop(face, size), self.model.layout) for face in faces]
            yield Samples.cat(crops)
        if nothing:
            raise self.unreadable(self.held_out)

    def unreadable(self, places: Sequence[Place]) -> DataError:
        """The error of samples of which none can be used."""
        what = f"none of the {len(places)} samples can be used"
        return DataError(f"{what}; the first: {self.broken[places[0]]}")

    def _open(self, config: SourceConfig, root: Path, seed: int) -> None:
        source = open_source(config, root, self.model, seed, HEAD_SIZE)
        for name, reason in source.skipped.reasons.items():
            self.broken[len(self.sources), name] = f"{source.name}: {reason}"
        self.sources.append(source)

    def _pools(
        self,
        groups: Sequence[_Group],
        left_out: set[Place],
        first_stream: int,
    ) -> list[Pool]:
        return [
            self._pool(group, left_out, first_stream + stream)
            for stream, group in enumerate(groups)
        ]

    def _pool(self, group: _Group, left_out: set[Place], stream: int) -> Pool:
        members = [
            (k, index)
            for k in group.sources
            for index in self.sources[k].members(telling=group.telling).tolist()
            if (k, index) not in left_out
        ]
        person: list[int] = []
        if group.together > 1:
            names = {k: self._people(k) for k in group.sources}
            shown = [str(names[k][index]) for k, index in members]
            person = np.unique(shown, return_inverse=True)[1].tolist()
        return Pool(members, group.share, stream, group.telling, group.together, tuple(person))

    def _people(self, number: int) -> Shaped[np.ndarray, "n"]:
        found = self.sources[number].people()
        if found is None:
            raise DataError(f"{self.sources[number].name}: together: nobody knows who is shown")
        return found

    def face(self, place: Place) -> Sample | None:
        """A sample, or None and a note if it is broken; that is found out once."""
        if place in self.broken:
            return None
        source, index = place
        try:
            return self.sources[source][index]
        except BROKEN as error:
            self.broken[place] = f"{self.sources[source].name}: {error}"
            return None

    def held_out_face(self, place: Place) -> Sample | None:
        """A held-out sample, or None and a note if it is broken or without landmarks."""
        face = self.face(place)
        if face is not None and face.landmarks_px is None:
            self.broken[place] = f"{self.sources[place[0]].name}: without landmarks"
            return None
        return face

    def _picked(self, pool: Pool, pick: int, largest: int, *, labelled: bool) -> Samples:
        """A pool's sample; the next one that can be used, if it cannot."""
        without_landmarks = 0
        for further in range(len(pool.members)):
            place = pool.members[(pick + further) % len(pool.members)]
            found = self._kept.get(place, largest)
            if found is None:
                continue
            if found.num_labelled or not labelled:
                return found
            self._note_without_landmarks(place)
            without_landmarks += 1
            if without_landmarks == TRIES:
                break
        if without_landmarks:
            name = self.sources[pool.members[pick][0]].name
            raise DataError(f"{name}: without landmarks, for unlabelled_sources only")
        raise self.unreadable(pool.members)

    def _note_without_landmarks(self, place: Place) -> None:
        """Note that a sample cannot be a labelled one; it may still be an unlabelled one."""
        source, index = place
        name, reason = self.sources[source].name, "without landmarks"
        self.broken[source, f"{index} {reason}"] = f"{name}: {index}: {reason}"
