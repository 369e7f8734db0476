"""How a photo shows a head, for files."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.geometry import Camera, Pose


@dataclass(frozen=True, slots=True, eq=False)
class PhotoPlacement:
    """How the photo shows the head: `size_px` is its width and height."""

    camera: Camera
    pose: Pose
    landmarks_px: Float[np.ndarray, "68 3"]
    size_px: tuple[int, int]

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        width, height = self.size_px
        pitch, yaw, roll = (float(angle) for angle in self.pose.euler_deg)
        return {
            "image_size": {"width": width, "height": height},
            "camera": {"intrinsics_px": rounded(self.camera.matrix, 4)},
            "pose": {
                "rotation": rounded(self.pose.rotation, 7),
                "translation_mm": rounded(self.pose.translation, 4),
                "yaw_deg": round(yaw, 3),
                "pitch_deg": round(pitch, 3),
                "roll_deg": round(roll, 3),
            },
            "landmarks_px": rounded(self.landmarks_px, 3),
        }


def rounded(values: Any, digits: int) -> Any:
    """Numbers for a JSON file: lists in lists."""
    return np.round(np.asarray(values, dtype=np.float64), digits).tolist()
