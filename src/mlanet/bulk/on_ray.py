"""The engine for many machines: Ray Data gives a batch's parts to actors on a cluster.

Ray begins a part again when its actor or its machine is gone. All that an actor writes has a name
that depends on the part alone and appears whole, so that what is done twice is there once.
"""

import logging
import os
import pickle
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, cast

from mlanet.bulk.plan import Batch, Part
from mlanet.bulk.running import Crew
from mlanet.bulk.work import Done, described
from mlanet.errors import MlanetError
from mlanet.files import one_line

TELEMETRY_OFF = "RAY_USAGE_STATS_ENABLED"
"""Ray reports to its makers unless this variable is 0. A value that the user has set stays."""


def do(batch: Batch, parts: Sequence[Part], processes: int) -> Iterator[Done]:
    """Do parts on Ray's cluster: what this process is connected to, or what Ray finds.

    That is the cluster that `RAY_ADDRESS` names, or one that runs here; else a new one of this
    machine, which ends with the parts. mlanet must be installed on all machines, and see pictures
    and folder under the same names.

    Args:
        batch: pictures, settings and folder.
        parts: what is to be done.
        processes: actors, of one CPU each; 0 is one for each CPU of the cluster.

    Raises:
        MlanetError: something cannot be written, processes do not start, or Ray gives up.
    """
    os.environ.setdefault(TELEMETRY_OFF, "0")
    import ray
    from ray.exceptions import RayError

    with _connected(), _quiet():
        count = min(processes or int(ray.cluster_resources().get("CPU", 1)), len(parts))
        items = [{"part": pickle.dumps(part)} for part in parts]
        done = ray.data.from_items(items, override_num_blocks=len(items)).map(
            cast("Any", PartActor),
            fn_constructor_args=(replace(batch, sources=()),),
            compute=ray.data.ActorPoolStrategy(size=count),
            num_cpus=1,
        )
        try:
            for row in done.iter_rows():
                failed = row.pop("failed")
                if failed:
                    raise MlanetError(failed)
                yield Done(**row)
        except RayError as error:
            raise MlanetError(f"Ray cannot go on: {one_line(error)}") from error


class PartActor:
    """One process of the cluster, which lets another one do parts: that one may die of a picture.

    The other one loads networks and face model once.
    """

    def __init__(self, batch: Batch) -> None:
        self._crew = Crew(batch)

    def __call__(self, row: dict[str, bytes]) -> dict[str, Any]:
        """What came of a part; under `failed` why the batch cannot go on."""
        try:
            (done,) = self._crew.do([pickle.loads(row["part"])], 1)
        except (MlanetError, OSError) as error:
            return asdict(Done(0, 0, 0, 0, 0.0)) | {"failed": described(error)}
        return asdict(done) | {"failed": ""}


@contextmanager
def _connected() -> Generator[None, None, None]:
    """Connected to a cluster; one that was not there before is left at the end."""
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise MlanetError(f"Ray's cluster cannot be reached: {one_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Ray Data says nothing: the batch tells how far it is."""
    import ray.data

    logger = logging.getLogger("ray.data")
    context = ray.data.DataContext.get_current()
    before = logger.level, context.enable_progress_bars
    logger.setLevel(logging.ERROR)
    context.enable_progress_bars = False
    try:
        yield
    finally:
        logger.setLevel(before[0])
        context.enable_progress_bars = before[1]
