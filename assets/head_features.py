"""What the heads of a trained network see of crops, for scripts that fit heads anew."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import onnx

from mlanet.sessions import open_session
from mlanet.training.checkpoint import load_trained
from mlanet.training.export import convert

AT_ONCE = 64


class Features:
    """What the heads of a network see of crops: means of its last feature map."""

    def __init__(self, checkpoint: Path) -> None:
        trained = load_trained(checkpoint)
        model = convert(trained)
        heads = [n for n in model.graph.node if "heads.identity.weight" in n.input]
        self.name = heads[0].input[0]
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(self.name))
        self.session = open_session(model.SerializeToString(), threads=1)
        self.size = trained.network.config.input_size

    def __call__(self, crops: Iterable[np.ndarray]) -> np.ndarray:
        """Of RGB crops (size, size, 3) of uint8, a few of which are held at once; float32."""
        parts: list[np.ndarray] = []
        left = iter(crops)
        while some := list(islice(left, AT_ONCE)):
            batch = np.stack(some).transpose(0, 3, 1, 2)
            given = {"crop": np.ascontiguousarray(batch, np.float32) / np.float32(255.0)}
            (found,) = self.session.run([self.name], given)
            parts.append(np.asarray(found, np.float32).reshape(len(batch), -1))
        return np.concatenate(parts)
