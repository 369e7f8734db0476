"""Where a batch's work is done."""

from collections.abc import Iterator, Sequence

from mlanet.bulk.plan import Batch, Part
from mlanet.bulk.running import Engine, on_this_machine
from mlanet.bulk.work import Done


def on_ray(batch: Batch, parts: Sequence[Part], processes: int) -> Iterator[Done]:
    """The engine of Ray's cluster; see `mlanet.bulk.on_ray`."""
    from mlanet.bulk import on_ray

    return on_ray.do(batch, parts, processes)


ENGINES: dict[str, Engine] = {"local": on_this_machine, "ray": on_ray}
