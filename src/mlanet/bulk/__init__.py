"""A million pictures: shared out to processes, written as Parquet, read back as reconstructions.

Needs the extra `bulk`.
"""

from mlanet.bulk.plan import Batch
from mlanet.bulk.reading import PictureFaces, read
from mlanet.bulk.running import Progress, Tally, run
from mlanet.bulk.settings import Settings
from mlanet.bulk.sources import SHARD_SUFFIXES

__all__ = [
    "SHARD_SUFFIXES",
    "Batch",
    "PictureFaces",
    "Progress",
    "Settings",
    "Tally",
    "read",
    "run",
]
