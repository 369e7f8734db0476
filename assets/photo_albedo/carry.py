"""Carry the photographic albedo over to another mesh of the face model, without photos.

    python assets/photo_albedo/carry.py --before OLD_open_face.npz --albedo OLD_photo_albedo.npz

The old mesh' mean is laid onto the new one by the inner landmarks; skin takes the colours of the
nearest place. Eyes, teeth, tongue and the inside of the mouth keep the new model's drawn colours.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from register import DATA, register

from mlanet.assets import asset_records
from mlanet.files import atomic_path
from mlanet.geometry import MeshTopology, SurfaceIndex, fit_similarity
from mlanet.morphable import MorphableModel

INNER = slice(17, 68)


def main() -> None:
    """Carry, write, register."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--albedo", type=Path, required=True)
    arguments = parser.parse_args()
    before, after = MorphableModel.load(arguments.before), MorphableModel.load()
    with np.load(arguments.albedo) as stored:
        data = {key: stored[key] for key in stored.files}
    old, new = (model.landmarks.mean[INNER].astype(float) for model in (before, after))
    topology = MeshTopology(before.base_faces, before.num_base_vertices)
    laid = fit_similarity(old, new).apply(before.shape.mean)
    found = SurfaceIndex(laid, topology).query(after.shape.mean)
    corners, share = before.base_faces[found.face_index], found.barycentric
    skin = after.vertex_parts == after.part_names.index("skin")
    skin &= np.maximum(after.regions["eyes"], after.regions["mouth"]) < 0.5
    mean = np.einsum("vk,vkc->vc", share, data["mean"].astype(float)[corners])
    basis = np.einsum("vk,vkca->vca", share, data["basis"].astype(float)[corners])
    data |= {
        "face_model": np.array(after.name),
        "mean": np.where(skin[:, None], mean, after.albedo_mean).astype(np.float32),
        "basis": (basis * skin[:, None, None]).astype(np.float16),
    }
    with atomic_path(DATA / "photo_albedo.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **data)
    record = asset_records()["photo_albedo"]
    register(
        "photo_albedo",
        "photo_albedo.npz",
        version=asset_records()["open_face"].version,
        licence=record.licence,
        source=f"{record.source.split('; carried')[0]}; carried over to {after.name}",
        script="assets/photo_albedo/carry.py",
    )


if __name__ == "__main__":
    main()
