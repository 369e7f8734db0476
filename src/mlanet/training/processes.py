"""One process, or several that train one network together."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mlanet.errors import ConfigurationError
from mlanet.training.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Processes:
    """Which of how many processes this is (`accelerate launch`, torchrun, or neither).

    Attributes:
        rank: number of this process; 0 writes files.
        count: how many there are.
        device: torch's name of the device of this process.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @classmethod
    def join(cls, device: str) -> "Processes":
        """Meet the other processes that the launcher started, if it started any.

        Args:
            device: torch's name; with several processes, `cuda` is each process's own GPU.

        Raises:
            ConfigurationError: there is no such device here.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count > 1:
            from accelerate import PartialState

            state = PartialState(cpu=device == "cpu")
            own = "cpu" if device == "cpu" else str(state.device)
            found = cls(state.process_index, state.num_processes, own)
        else:
            found = cls(device=device)
        try:
            torch.empty(1, device=found.device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ConfigurationError(f"device: {device!r} cannot be used here") from error
        return found

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def check(self, config: TrainingConfig) -> None:
        """Whether each process gets the same number of samples of each kind.

        Raises:
            ConfigurationError: it does not, or the device cannot do the precision.
        """
        parts = self.count * config.accumulation
        for number, name in (
            (config.num_labelled, "labelled"),
            (config.num_unlabelled, "unlabelled"),
        ):
            if number % parts:
                raise ConfigurationError(
                    f"batch_size: {number} {name} samples cannot be cut into {parts} equal parts "
                    f"({self.count} processes, accumulation {config.accumulation})"
                )
        if config.batch_size // parts < 2 and not config.frozen_norms:
            raise ConfigurationError("batch_size: each part needs two samples for batch norm")
        if config.precision == "fp16" and self.device == "cpu":
            raise ConfigurationError("precision: fp16 needs a GPU; CPUs have bf16")

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are averaged over the processes.

        On GPUs, batch norm statistics are those of the whole batch; on CPUs, which torch cannot
        do that on, each process normalises by its own samples and process 0's running
        statistics are kept.
        """
        if self.count == 1:
            return network
        if self.device != "cpu":
            from timm.layers.norm_act import convert_sync_batchnorm

            network = convert_sync_batchnorm(network)
        return DistributedDataParallel(network)

    def no_sync(self, network: nn.Module, wanted: bool) -> AbstractContextManager[Any]:
        """Where gradients are not averaged yet: the parts of a step before the last."""
        if wanted and isinstance(network, DistributedDataParallel):
            return network.no_sync()
        return nullcontext()

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """The processes' mean of each value."""
        if self.count == 1:
            return dict(values)
        total = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(total)
        return dict(zip(values, (total / self.count).tolist(), strict=True))

    def merged(self, notes: Mapping[Any, str]) -> dict[Any, str]:
        """The notes of all processes together; all must call it, and each is told all of them."""
        if self.count == 1:
            return dict(notes)
        every: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(every, dict(notes))
        return {place: text for found in every for place, text in found.items()}

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            torch.distributed.barrier()
