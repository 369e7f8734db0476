"""All samples of a run as tensors of one device, on which its batches are made too.

A GPU's step takes less time than the making of its batch on the processor: here nothing but the
choice of the samples is left to that.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from mlanet.errors import ConfigurationError, DataError
from mlanet.training.config import TrainingConfig
from mlanet.training.data import Batch, LabelledFaces
from mlanet.training.following import follow_all, known_of_mirror_images
from mlanet.training.pools import Pool, chosen
from mlanet.training.resident_crops import precise, random_changes
from mlanet.training.resident_heads import RenderedBeside
from mlanet.training.resident_looks import random_looks
from mlanet.training.resident_store import SURROUNDINGS, Store, reduced
from mlanet.training.sample import Face
from mlanet.training.sources import HeadSource

SMALLEST_KEPT_PX = 256
"""Pictures are never kept smaller than this because of a run's small crops."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Crops of one source and their labels, in the order of `Batch`."""

    images: Tensor
    landmarks_px: Tensor
    has_depth: Tensor
    jaw_weight: Tensor
    coefficients: Tensor
    known: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Folder:
    """A source that was read whole.

    Attributes:
        store: its usable samples.
        rows: the row of each of its samples, whose place the next usable one takes; for labelled
            samples (True), which need landmarks, and for unlabelled ones (False).
    """

    store: Store
    rows: dict[bool, Int[np.ndarray, "m"]]


class ResidentFaces:
    """A run's training samples on a device.

    The samples of a step are those of `LabelledFaces.training_batch`; their random changes have
    the same ranges but come from the device's random numbers, which differ between processors and
    GPUs and, with several processes, from process to process; each process holds all samples.
    Heads that are rendered while training are drawn by processes beside it: a step takes those
    that are there, which are not the same ones in every run.

    Args:
        faces: the samples.
        config: says which of them a run may see.
        device: torch's name of the device.
        workers: processes that render heads, and threads that read pictures.

    Raises:
        ConfigurationError: they do not fit into the device's memory.
        DataError: no sample of a source can be used, or no labelled one has landmarks.
    """

    def __init__(
        self, faces: LabelledFaces, config: TrainingConfig, device: str, workers: int = 1
    ) -> None:
        self._faces = faces
        self._device = device
        self._kind = precise(torch.device(device))
        largest = math.ceil(SURROUNDINGS * max(stage.input_size for stage in config.stages))
        self._largest_px = max(SMALLEST_KEPT_PX, largest)
        self._beside: dict[int, RenderedBeside] = {}
        self._folders: dict[int, _Folder] = {}
        unlabelled = faces.unlabelled if config.num_unlabelled else []
        used = {True: members_of(faces.labelled), False: members_of(unlabelled)}
        self._members = {
            source: np.array(sorted(indices))
            for source, indices in members_of([*faces.labelled, *unlabelled]).items()
        }
        # Crops keep their size for a stage: the fastest algorithms are looked for once.
        torch.backends.cudnn.benchmark = True
        try:
            for number in self._members:
                source = faces.sources[number]
                if isinstance(source, HeadSource):
                    beside = RenderedBeside(source.heads, faces.model, device, workers)
                    self._beside[number] = beside
            for number in self._members:
                if number not in self._beside:
                    roles = {role: used[role][number] for role in used if number in used[role]}
                    self._folders[number] = self._read(number, roles, workers)
        except torch.OutOfMemoryError as error:
            self.close()
            raise ConfigurationError(
                f"resident: the faces do not fit into the memory of {device}"
            ) from error
        except BaseException:
            self.close()
            raise

    @property
    def rendered(self) -> int | None:
        """How many heads have been rendered so far; None without such a source."""
        return sum(beside.ready for beside in self._beside.values()) if self._beside else None

    def close(self) -> None:
        """Stop the processes that render heads."""
        for beside in self._beside.values():
            beside.close()

    def training_batch(
        self, step: int, size: int, config: TrainingConfig, rank: int = 0, processes: int = 1
    ) -> Batch:
        """The batch of a step, or a process's share of it.

        Raises:
            DataError: the heads cannot be rendered.
        """
        generator = torch.Generator(self._device)
        seed = np.random.default_rng([config.seed, step, rank]).integers(2**62)
        generator.manual_seed(int(seed))
        made: list[_Part] = []
        counts: list[int] = []
        for labelled, pools, count in (
            (True, self._faces.labelled, config.num_labelled),
            (False, self._faces.unlabelled, config.num_unlabelled),
        ):
            picks = chosen(pools, count, step, config.seed) if count else []
            mine = picks[rank::processes]
            counts.append(len(mine))
            by_source: dict[int, list[int]] = {}
            for pool, _, pick in mine:
                source, index = pool.members[pick]
                by_source.setdefault(source, []).append(index)
            for source, indices in by_source.items():
                store, rows = self._stored(source, np.array(indices), labelled)
                made.append(self._changed(store, rows, size, config, generator))
        return assembled(made, counts[1])

    def _changed(
        self,
        store: Store,
        rows: Int[Tensor, "k"],
        size: int,
        config: TrainingConfig,
        generator: torch.Generator,
    ) -> _Part:
        points = store.landmarks_px[rows].to(self._kind)
        changes = random_changes(points, size, config.augmentation, generator)
        pictures = changes.pictures(store.images[rows], store.extent_px[rows])
        images = random_looks(pictures, store.free[rows], config.augmentation, generator)
        known = store.known[rows]
        follows = torch.from_numpy(known_of_mirror_images(self._faces.model)).to(known)
        known = torch.where(changes.mirrored[:, None], known * follows, known)
        coefficients = follow_all(
            store.coefficients[rows].to(self._kind),
            store.squares_px[rows].to(self._kind),
            changes.crop_from_image,
            changes.mirrored,
            size,
            self._faces.model,
        )
        return _Part(
            images=(images * 255.0 + 0.5).to(torch.uint8).permute(0, 2, 3, 1),
            landmarks_px=changes.landmarks(points).float(),
            has_depth=store.has_depth[rows],
            jaw_weight=store.jaw_weight[rows],
            coefficients=torch.where(known > 0, coefficients.float(), 0.0),
            known=known,
        )

    def _stored(
        self, source: int, indices: Int[np.ndarray, "k"], labelled: bool
    ) -> tuple[Store, Int[Tensor, "k"]]:
        """Where samples lie; heads that are not rendered yet are replaced by some that are."""
        beside = self._beside.get(source)
        if beside is None:
            folder = self._folders[source]
            store, rows = folder.store, folder.rows[labelled][indices]
        else:
            ready, members = beside.wait(), self._members[source]
            others = members[indices % max(1, int(np.searchsorted(members, ready)))]
            store, rows = beside.store, np.where(indices < ready, indices, others)
        return store, torch.from_numpy(rows).to(self._device)

    def _read(self, source: int, roles: dict[bool, set[int]], workers: int) -> _Folder:
        """Every usable sample of a source."""

        def read(index: int) -> Face | None:
            face = self._faces.face((source, index))
            return None if face is None else reduced(face, self._largest_px)

        indices = self._members[source].tolist()
        with ThreadPoolExecutor(workers) as pool:
            found = dict(zip(indices, pool.map(read, indices), strict=True))
        usable = {index: face for index, face in found.items() if face is not None}
        if not usable:
            raise self._faces.unreadable([(source, index) for index in indices])
        places = np.array(list(usable))
        rows: dict[bool, np.ndarray] = {}
        for labelled, members in roles.items():
            fit = np.array([face.has_landmarks or not labelled for face in usable.values()])
            for index in set(places[~fit].tolist()) & members:
                self._faces.note_without_landmarks((source, index))
            if not fit.any():
                name = self._faces.sources[source].name
                raise DataError(f"{name}: without landmarks, for unlabelled_sources only")
            following = np.searchsorted(places[fit], np.arange(max(indices) + 1)) % fit.sum()
            rows[labelled] = np.flatnonzero(fit)[following]
        store = Store.of(list(usable.values()), self._faces.model, self._device)
        return _Folder(store, rows)


def members_of(pools: Sequence[Pool]) -> dict[int, set[int]]:
    """The samples of each source that pools draw from."""
    found: dict[int, set[int]] = {}
    for pool in pools:
        for source, index in pool.members:
            found.setdefault(source, set()).add(index)
    return found


def assembled(made: list[_Part], num_unlabelled: int) -> Batch:
    """The parts as one batch."""
    points = torch.cat([part.landmarks_px for part in made])
    depth = torch.cat([part.has_depth for part in made])
    extent = points[..., :2].amax(dim=1) - points[..., :2].amin(dim=1)
    weight = torch.ones(points.shape[:2], device=points.device)
    weight[:, :17] = torch.cat([part.jaw_weight for part in made])[:, None]
    return Batch(
        torch.cat([part.images for part in made]),
        points,
        extent.prod(dim=1).sqrt(),
        weight,
        depth,
        torch.cat([part.coefficients for part in made]),
        torch.cat([part.known for part in made]),
        num_unlabelled,
    )
