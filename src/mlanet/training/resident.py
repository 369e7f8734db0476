"""All samples of a run as tensors of one device, on which its batches are made too.

A GPU's step takes less time than the making of its batch on the processor: here nothing but the
choice of the samples is left to that.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from mlanet.training.config import TrainingConfig
from mlanet.training.data import JAW_WEIGHT_2D, Batch, LabelledFaces
from mlanet.training.following import follow_all
from mlanet.training.pools import chosen
from mlanet.training.resident_crops import random_changes
from mlanet.training.resident_heads import RenderedBeside
from mlanet.training.resident_looks import random_looks
from mlanet.training.resident_store import Store
from mlanet.training.sources import HeadSource


@dataclass(frozen=True, slots=True)
class _Part:
    """Crops of one source and their labels, in the order of `Batch`."""

    images: Tensor
    landmarks_px: Tensor
    has_depth: Tensor
    coefficients: Tensor
    known: Tensor


class ResidentFaces:
    """A run's training samples on a device.

    The samples of a step are those of `LabelledFaces.training_batch`; their random changes have
    the same ranges but come from the device's random numbers, which differ between processors and
    GPUs. Heads that are rendered while training are drawn by processes beside it: a step takes
    those that are there, which are not the same ones in every run.

    Args:
        faces: the samples.
        config: says which of them a run may see.
        device: torch's name of the device.
        workers: processes that render heads, and threads that read pictures.

    Raises:
        DataError: no sample of a source can be used, or a labelled one has no landmarks.
    """

    def __init__(
        self, faces: LabelledFaces, config: TrainingConfig, device: str, workers: int = 1
    ) -> None:
        self._faces = faces
        self._device = device
        self._seed = config.seed
        pools = [*faces.labelled, *(faces.unlabelled if config.num_unlabelled else [])]
        members: dict[int, set[int]] = {}
        for pool in pools:
            for source, index in pool.members:
                members.setdefault(source, set()).add(index)
        self._beside: dict[int, RenderedBeside] = {}
        self._stores: dict[int, Store] = {}
        for number in members:
            source = faces.sources[number]
            if isinstance(source, HeadSource):
                self._beside[number] = RenderedBeside(source.heads, faces.model, device, workers)
        for number, indices in members.items():
            if number not in self._beside:
                self._stores[number] = self._read(number, sorted(indices), workers)

    def close(self) -> None:
        """Stop the processes that render heads."""
        for beside in self._beside.values():
            beside.close()

    def training_batch(
        self, step: int, size: int, config: TrainingConfig, rank: int = 0, processes: int = 1
    ) -> Batch:
        """The batch of a step, or a process's share of it.

        Raises:
            DataError: no sample of a source can be used.
        """
        generator = torch.Generator(self._device)
        generator.manual_seed(int(np.random.default_rng([self._seed, step, rank]).integers(2**62)))
        made: list[_Part] = []
        counts: list[int] = []
        for pools, count in (
            (self._faces.labelled, config.num_labelled),
            (self._faces.unlabelled, config.num_unlabelled),
        ):
            picks = chosen(pools, count, step, config.seed) if count else []
            mine = picks[rank::processes]
            counts.append(len(mine))
            by_source: dict[int, list[int]] = {}
            for pool, _, pick in mine:
                source, index = pool.members[pick]
                by_source.setdefault(source, []).append(index)
            for source, indices in by_source.items():
                made.append(self._changed(source, indices, size, config, generator))
        return assembled(made, counts[1])

    def _changed(
        self,
        source: int,
        indices: list[int],
        size: int,
        config: TrainingConfig,
        generator: torch.Generator,
    ) -> _Part:
        beside = self._beside.get(source)
        store = self._stores[source] if beside is None else beside.store
        rows = self._rows(source, indices)
        points = store.landmarks_px[rows]
        changes = random_changes(points, size, config.augmentation, generator)
        images = random_looks(
            changes.pictures(store.images[rows]), store.free[rows], config.augmentation, generator
        )
        known = store.known[rows]
        coefficients = follow_all(
            store.coefficients[rows].double(),
            store.squares_px[rows].double(),
            changes.crop_from_image,
            changes.mirrored,
            size,
            self._faces.model,
        )
        return _Part(
            images=(images * 255.0 + 0.5).to(torch.uint8).permute(0, 2, 3, 1),
            landmarks_px=changes.landmarks(points.double()).float(),
            has_depth=store.has_depth[rows],
            coefficients=torch.where(known > 0, coefficients.float(), 0.0),
            known=known,
        )

    def _rows(self, source: int, indices: list[int]) -> Int[Tensor, "k"]:
        beside = self._beside.get(source)
        if beside is None:
            rows = self._stores[source].row_of[np.array(indices)]
        else:
            rows = np.array(indices) % beside.wait()
        return torch.from_numpy(rows).to(self._device)

    def _read(self, source: int, indices: list[int], workers: int) -> Store:
        """Every usable sample of a source; the place of a broken one is taken by the next."""
        labelled = any(pool.members[0][0] == source for pool in self._faces.labelled)
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(lambda index: self._faces.face((source, index)), indices))
        usable = [
            (index, face)
            for index, face in zip(indices, found, strict=True)
            if face is not None and (face.has_landmarks or not labelled)
        ]
        if not usable:
            raise self._faces.unreadable([(source, index) for index in indices])
        row_of = np.zeros(max(indices) + 1, np.int64)
        order = np.array([index for index, _ in usable])
        row_of[np.array(indices)] = np.searchsorted(order, np.array(indices)) % len(order)
        return Store.of([face for _, face in usable], row_of, self._faces.model, self._device)


def assembled(made: list[_Part], num_unlabelled: int) -> Batch:
    """The parts as one batch."""
    points = torch.cat([part.landmarks_px for part in made])
    depth = torch.cat([part.has_depth for part in made])
    extent = points[..., :2].amax(dim=1) - points[..., :2].amin(dim=1)
    weight = torch.ones(points.shape[:2], device=points.device)
    weight[:, :17] = torch.where(depth[:, None] > 0, 1.0, JAW_WEIGHT_2D)
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
