import json
import struct

import numpy as np
import pytest
import trimesh

from mlanet.export import write_glb
from mlanet.geometry import Mesh


@pytest.fixture
def glb(tmp_path):
    """A small file with a texture."""
    corners = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 10]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    mesh = Mesh(corners, faces, uv=np.abs(corners[:, :2]) / 10, uv_faces=faces)
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    write_glb(tmp_path / "small.glb", mesh, picture)
    return (tmp_path / "small.glb").read_bytes()


@pytest.fixture
def foreign():
    """A file that another program wrote."""
    return trimesh.creation.box().export(file_type="glb")


@pytest.fixture
def glb_of():
    """A GLB file from its JSON and binary data."""

    def made(header, data=b""):
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
        if data:
            chunks += struct.pack("<II", len(data), 0x004E4942) + data
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    return made
