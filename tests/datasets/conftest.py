import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat


def mat_content(seed):
    """A `.mat` file's content as 300W-LP and AFLW2000-3D have it, with their mixture of types."""
    rng = np.random.default_rng(seed)
    odd = np.uint8 if seed % 2 else np.float64
    pose = [[0.1, -0.5 * seed, 0.2, 20, 18, -5, 1e-4]]
    return {
        "Pose_Para": np.array(pose, np.float32 if seed % 3 else np.float64),
        "Shape_Para": rng.normal(0, 1e5, (199, 1)),
        "Exp_Para": rng.integers(0, 9, (29, 1)).astype(odd),
        "Color_Para": np.ones((1, 7), odd),
        "Illum_Para": rng.normal(size=(1, 10)),
        "Tex_Para": np.zeros((199, 1), odd),
        "pt2d": rng.uniform(0, 45, (2, 68)).astype(np.float32),
        "roi": np.array([[-22, -68, 462, 416]], np.int16),
    }


@pytest.fixture
def write_face():
    """Writes a picture of 60 x 45 pixels and its `.mat` file; returns what the file holds."""

    def write(folder, stem, seed, **changes):
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 45), (20 * seed, 9, 250)).save(folder / f"{stem}.jpg", quality=95)
        content = {k: v for k, v in (mat_content(seed) | changes).items() if v is not None}
        savemat(folder / f"{stem}.mat", content, do_compression=bool(seed % 2))
        return content

    return write
