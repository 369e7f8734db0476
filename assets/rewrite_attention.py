"""Write the network that ships anew, with attention as runtimes compute it fastest.

    python assets/rewrite_attention.py

`mlanet export` does it with every network (`mlanet.training.attention_graph`); this is for a file
that was exported before. Weights stay as they are, answers change by rounding alone.
"""

import json
from dataclasses import asdict

import numpy as np
import onnx
from register import DATA, register

from mlanet.assets import asset_records, verified_path
from mlanet.network.runtime import CoefficientRegressor
from mlanet.training.attention_graph import speed_up_attention

MOST_CHANGE = 1e-5


def main() -> None:
    """Rewrite, compare, register."""
    path = verified_path("mobile")
    before = CoefficientRegressor.load(path)
    model = onnx.load(path)
    blocks = speed_up_attention(model)
    if not blocks:
        raise SystemExit(f"{path}: no block is left to be rewritten")
    record = asdict(asset_records()["mobile"])
    size = before.config.input_size
    crops = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    expected = before.answers(crops)
    path.write_bytes(model.SerializeToString(deterministic=True))
    found = CoefficientRegressor.load(path).answers(crops)
    change = max(float(np.abs(a - b).max()) for a, b in zip(expected, found, strict=True))
    print(json.dumps({"file": str(DATA / record["file"]), "blocks": blocks, "change": change}))
    if not change <= MOST_CHANGE:
        raise SystemExit("the answers have changed: take the file from git again")
    kept = ("file", "version", "licence", "source", "script")
    register("mobile", **{name: record[name] for name in kept})


if __name__ == "__main__":
    main()
