"""Where a batch's work is done."""

from mlanet.bulk import on_ray
from mlanet.bulk.running import Engine, on_this_machine

ENGINES: dict[str, Engine] = {"local": on_this_machine, "ray": on_ray.do}
