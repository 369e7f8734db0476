"""How much one photo may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the demo takes and gives.

    Attributes:
        photo_bytes: of one photo's file.
        photo_pixels: of one photo; less than `mlanet.image` reads, as the worker's memory is.
        places: photos that are uploaded, wait or are worked on at once; others are refused.
        upload_s: until a photo must have arrived.
        photo_s: until the worker must have answered; it is ended and started anew otherwise.
        start_s: until a new worker must be ready; the first one may have to compile its loops.
        worker_bytes: memory that the worker may allocate (where the system can tell: Linux).
        worn_bytes: growth of the worker's memory after which it is replaced: onnxruntime keeps what
            large photos took.
        answer_bytes: of the worker's answer.
    """

    photo_bytes: int = 20_000_000
    photo_pixels: int = 50_000_000
    places: int = 16
    upload_s: float = 30.0
    photo_s: float = 30.0
    start_s: float = 180.0
    worker_bytes: int = 1_500_000_000
    worn_bytes: int = 300_000_000
    answer_bytes: int = 64_000_000
