"""The 52 ARKit-named expressions in terms of ICT-FaceKit's."""

import numpy as np

_PAIRED = (
    "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut",
    "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown",
    "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
_JOINED = ("browInnerUp", "cheekPuff")
_WHOLE = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper",
)  # fmt: skip

TONGUE_JAW = 0.35
"""Share of jawOpen in tongueOut: a tongue does not pass closed teeth."""

SOURCES: dict[str, dict[str, float]] = {
    **{f"{name}Left": {f"{name}_L": 1.0} for name in _PAIRED},
    **{f"{name}Right": {f"{name}_R": 1.0} for name in _PAIRED},
    **{name: {f"{name}_L": 1.0, f"{name}_R": 1.0} for name in _JOINED},
    **{name: {name: 1.0} for name in _WHOLE},
    "tongueOut": {"jawOpen": TONGUE_JAW},
}


def names() -> list[str]:
    """All 52, in alphabetical order."""
    return sorted(SOURCES)


def partner(name: str) -> str:
    """The expression that this one becomes in a mirror."""
    for one, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name


def composed(name: str, sources: dict[str, np.ndarray]) -> np.ndarray:
    """The displacement field of an expression from ICT-FaceKit's."""
    return np.sum([share * sources[source] for source, share in SOURCES[name].items()], axis=0)


def symmetric(fields: dict[str, np.ndarray], mirror: np.ndarray) -> dict[str, np.ndarray]:
    """Fields (v, 3) of which partners are exact mirror images."""
    flip = np.array([-1.0, 1.0, 1.0])
    return {
        name: (field + fields[partner(name)][mirror] * flip) / 2 for name, field in fields.items()
    }
