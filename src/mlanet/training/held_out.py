"""Which samples are held out of a training, and which others must stay out with them."""

from collections.abc import Sequence

from mlanet.training.sources import Source


def watched(sources: Sequence[Source], used: Sequence[int], labelled: Sequence[int]) -> list[int]:
    """Sources that faces are held out of: photos with depth, else labelled photos, else heads.

    Args:
        sources: of a run.
        used: numbers of those that it uses.
        labelled: of these, those whose labels count; photos of others may have no landmarks.
    """
    with_depth = [k for k in used if sources[k].real and sources[k].with_depth]
    photos = [k for k in labelled if sources[k].real]
    return with_depth or photos or [k for k in used if not sources[k].real]


def kept_out(
    sources: Sequence[Source], held_out: Sequence[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Samples that show a held-out photo: itself, under other labels, or made of it."""
    photos = [source.photos for source in sources]
    folders = {photos[k].folder for k, _ in held_out}
    shown = {key for k, index in held_out for key in photos[k].keys(index)}
    return {
        (k, index)
        for k, mine in enumerate(photos)
        if mine.folder in folders
        for index in range(len(mine))
        if not shown.isdisjoint(mine.keys(index))
    }
