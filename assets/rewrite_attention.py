"""Write the network that ships anew, with attention as runtimes compute it fastest.

    python assets/rewrite_attention.py

`mlanet export` does it with every network (`mlanet.training.attention_graph`); this is for a file
that was exported by an earlier version. Its numbers are put into the network of torch, which is
exported again: weights stay as they are, answers change by rounding alone.
"""

import json
from dataclasses import asdict

import numpy as np
import onnx
import torch
from checkpoint import load_folded, norms_of_convolutions
from register import DATA, register

from mlanet.assets import asset_records, verified_path
from mlanet.network import MLANet
from mlanet.network.runtime import METADATA_KEY, CoefficientRegressor
from mlanet.training.checkpoint import TrainedNetwork
from mlanet.training.export import convert, random_pictures, store_in_half

MOST_CHANGE = 1e-5


def main() -> None:
    """Read, export, compare, register."""
    path = verified_path("mobile")
    before = CoefficientRegressor.load(path)
    size = before.config.input_size
    network = MLANet(before.config)
    load_folded(network, path, norms_of_convolutions(network, torch.rand(1, 3, size, size)))
    noted = {one.key: one.value for one in onnx.load(path).metadata_props}
    described = json.loads(noted[METADATA_KEY])
    trained = TrainedNetwork(
        network.eval(),
        described["training"],
        described["step"],
        before.face_model,
        before.confidence,
    )
    model = convert(trained)
    store_in_half(model)
    crops = (255.0 * random_pictures(4, size)).astype(np.uint8).transpose(0, 2, 3, 1)
    expected = before.answers(crops)
    record = asdict(asset_records()["mobile"])
    path.write_bytes(model.SerializeToString(deterministic=True))
    found = CoefficientRegressor.load(path).answers(crops)
    change = max(
        float(np.abs(a - b).max())
        for a, b in zip(expected, found, strict=True)
        if a is not None and b is not None
    )
    print(json.dumps({"file": str(DATA / record["file"]), "change": change}))
    if not change <= MOST_CHANGE:
        raise SystemExit("the answers have changed: take the file from git again")
    kept = ("file", "version", "licence", "source", "script")
    register("mobile", **{name: record[name] for name in kept})


if __name__ == "__main__":
    main()
