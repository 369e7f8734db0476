"""How much each term of the paper's objective counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaperWeights:
    """Weights of the semi-supervised objective; every default is the paper's.

    `mlanet.training.paper_weights` puts them in the units of the training's terms.

    Source: "Hierarchical MLANet" (arXiv 2509.10024) and its author's research code; where the
    paper states nothing, the term is off.

    Attributes:
        identity_features: of `identity_distance`.
        photometric: of `pixel_distance`.
        landmarks: of `weighted_landmark_distance` with `emphasised_weights`, 224 px crop.
        regularization: common factor of the next three.
        identity: of the sum of squared identity coefficients.
        expression: of the sum of squared expression coefficients.
        albedo: of the sum of squared albedo coefficients.
        light: of `light_regularizer`, towards white light.
        albedo_uniformity: of the function of that name.
    """

    identity_features: float = 0.35
    photometric: float = 1.5
    landmarks: float = 0.01
    regularization: float = 5e-4
    identity: float = 1.3
    expression: float = 1.1
    albedo: float = 0.06
    light: float = 5.0
    albedo_uniformity: float = 3.0


PAPER = PaperWeights()
"""The paper's preset."""
