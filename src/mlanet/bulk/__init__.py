"""Millions of pictures: shared out to processes, written as Parquet, read back.

Needs the extra `bulk`.
"""

from mlanet.bulk.engines import ENGINES
from mlanet.bulk.plan import Batch
from mlanet.bulk.reading import PictureFaces, read
from mlanet.bulk.running import Progress, Tally, run
from mlanet.bulk.settings import Settings
from mlanet.bulk.sources import SHARD_SUFFIXES

__all__ = [
    "ENGINES",
    "SHARD_SUFFIXES",
    "Batch",
    "PictureFaces",
    "Progress",
    "Settings",
    "Tally",
    "read",
    "run",
]
