"""`mlanet fit`: photos of one person in, faces fitted to their pixels out."""

from pathlib import Path
from typing import Annotated

import tyro

from mlanet.cli.extras import require_torch
from mlanet.cli.status import EXIT_OK
from mlanet.errors import UsageError


def fit(
    images: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    out: Path,
    example: bool = False,
    threads: int = 1,
) -> int:
    """Fit one person's face to one or several photos, pixel by pixel; needs the `train` extra.

    The largest face of each photo is taken. Identity and albedo are shared by all photos, pose,
    expression and light are each photo's own. For photo.jpg the folder OUT/photo/ receives what
    mlanet reconstruct writes.

    Args:
        images: Photos of one person.
        out: Folder for the results.
        example: Use the photo that ships with mlanet (Eileen Collins; NASA, public domain).
        threads: CPU threads.

    Returns:
        Exit status.
    """
    if not images and not example:
        raise UsageError("give at least one photo, or --example")
    if threads < 1:
        raise UsageError(f"--threads must be positive, got {threads}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file, not a folder")
    require_torch()
    import torch

    from mlanet.assets import verified_path
    from mlanet.cli.reconstruct import folders_for, write_faces
    from mlanet.errors import NoFaceError
    from mlanet.fitting import photo_error, refine
    from mlanet.image import read_image
    from mlanet.reconstructor import Reconstructor

    torch.set_num_threads(threads)
    paths = [*images, *([verified_path("example-image")] if example else [])]
    reconstructor = Reconstructor.load(threads=threads)
    faces = []
    for path in paths:
        found = reconstructor(read_image(path), max_faces=1)
        if not found:
            raise NoFaceError(f"{path}: no face found")
        faces += found
    refined = refine(faces)
    for path, folder, before, after in zip(
        paths, folders_for(paths, out), faces, refined, strict=True
    ):
        write_faces([after], folder)
        errors = f"{photo_error(before):.3f} -> {photo_error(after):.3f}"
        print(f"{path}: colour distance {errors} -> {folder}")
    return EXIT_OK
