import importlib
import io
import os

import numpy as np
import pytest
from PIL import Image

from mlanet.assets import verified_path
from mlanet.image import read_image

NUM_PHOTOS = 20

DEADLY = '''
import os, shutil, signal, time
from dataclasses import dataclass
from pathlib import Path
import fsspec
from fsspec.implementations.local import LocalFileSystem
from mlanet.bulk.sources import PictureFiles

@dataclass(frozen=True)
class Deadly(PictureFiles):
    """Files, at some of which something happens to the process that reads them."""
    def part(self, start, stop):
        return Deadly(self.paths[start:stop])
    def pictures(self):
        for path, load in super().pictures():
            yield path, lambda path=path, load=load: self.happen(path) or load()
    def happen(self, path):
        if "deadly" in path:
            os.kill(os.getpid(), signal.SIGKILL)
        if "once" in path and first(path):
            os.kill(os.getpid(), signal.SIGKILL)
        if "orphan" in path and first(path):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(1000)
        if "strange" in path:
            raise SystemError("nobody thought of this")
        if "endless" in path:
            time.sleep(1000)
        if "vanish" in path:
            shutil.rmtree(Path(path).parent / "out")

def first(path):
    if os.path.exists(path + ".met"):
        return False
    Path(path + ".met").touch()
    return True

class Full(LocalFileSystem):
    """A disk on which there is room for plans alone."""
    protocol = "full"
    def pipe_file(self, path, value, **options):
        if path.endswith(".parquet"):
            raise OSError(28, "No space left on device")
        super().pipe_file(path, value, **options)

fsspec.register_implementation("full", Full, clobber=True)
'''
"""A module for all processes: `Deadly` files, and a disk by the address `full:///...`."""

pytest.importorskip("pyarrow", reason="needs the extra bulk")


@pytest.fixture(scope="session")
def encoded():
    """The example's face as JPEG, shifted: photos by name, one of them without a face."""
    face = Image.fromarray(read_image(verified_path("example-image"))).crop((100, 10, 400, 310))
    photos = {}
    for number in range(NUM_PHOTOS):
        file = io.BytesIO()
        shifted = np.roll(np.asarray(face.resize((120, 120))), number % 7, axis=1)
        if number == 3:
            shifted = np.full_like(shifted, 90)
        Image.fromarray(shifted).save(file, "JPEG", quality=90)
        photos[f"photo{number:02d}.jpg"] = file.getvalue()
    return photos


@pytest.fixture(scope="session")
def photos(encoded, tmp_path_factory):
    """A folder of them."""
    folder = tmp_path_factory.mktemp("photos")
    for name, content in encoded.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def deadly_files(tmp_path_factory):
    """The module of deadly files, which processes that start from now on find, too."""
    pytest.importorskip("fsspec", reason="needs the extra bulk")
    folder = tmp_path_factory.mktemp("modules")
    (folder / "deadly_files.py").write_text(DEADLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield importlib.import_module("deadly_files")


@pytest.fixture
def deadly(tmp_path, deadly_files, encoded):
    """Makes a source of files in this folder, some with telling names."""

    def of(*names):
        for name, content in zip(names, encoded.values(), strict=False):
            (tmp_path / name).write_bytes(content)
        return deadly_files.Deadly(tuple(str(tmp_path / name) for name in names))

    return of
