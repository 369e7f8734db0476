"""Weights of the objective's terms: what labelled and what unlabelled samples are asked."""

from dataclasses import dataclass, fields

from mlanet.coefficients import CoefficientLayout
from mlanet.training.checks import check_range, check_types

LABEL_TERMS = (
    "landmarks",
    "apertures",
    "emphasised_landmarks",
    "wing",
    "photometric",
    "likelihood",
)
"""Terms that compare with landmarks or pixels, which every labelled sample has."""

KNOWN_TERMS = (
    "coefficients",
    "standardized_coefficients",
    "weighted_coefficients",
    "vertices",
    "shape",
    "sides",
    "emphasised_expressions",
)
"""Terms that compare with known coefficients."""

PAPER_REGULARIZATION = 5e-4
"""The common factor of the paper's squared coefficients."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Numbers that are not negative.

    Raises:
        ConfigurationError: one is, or is no finite number; the field is named.
    """

    def __post_init__(self) -> None:
        check_types(self)
        check_range(self, 0.0, float("inf"), *(field.name for field in fields(self)))


@dataclass(frozen=True, slots=True)
class LossWeights(Weights):
    """Weights of the terms of labelled samples; a term of weight 0 is not computed.

    Attributes:
        landmarks: mean landmark distance in per cent of the face's size.
        apertures: error of the gaps between lids and lips, in per cent.
        identity_prior: mean square of identity coefficients.
        expression_prior: mean square of expression coefficients over their deviation.
        photometric: colour distance at the visible vertices; trains albedo and lighting alone.
        albedo_prior: mean square of albedo coefficients.
        light: coloured light.
        light_prior: mean square of the lighting offsets.
        emphasised_landmarks: weighted squared landmark distance of Deng et al., in pixels of a
            crop of 224, x and y alone.
        wing: Wing distance of the landmarks in pixels of a crop of 256, x and y alone.
        coefficients: mean squared difference from known coefficients.
        standardized_coefficients: the same in units of each block's deviation, the blocks weighted
            by `BlockWeights`.
        weighted_coefficients: WPDC, by how far each coefficient moves the 68 landmarks.
        vertices: mean squared distance of the base mesh's vertices (mm², model frame) where
            identity and expression are known.
        shape: the same of the neutral face without what surrounds it, moved and scaled to the known
            one (mm²), where identity is known.
        sides: mean squared error of how much more the left side of the face moves than the right,
            in units of the expressions' deviation, where expressions are known: winks.
        emphasised_expressions: mean squared error of lids and jaw in units of the expressions'
            deviation, where expressions are known.
        people: how badly identities tell pictures of one person in a batch from those of others
            (`person_contrast`); wants sources with `together` above 1.
        likelihood: negative logarithm of the landmarks' likelihood under the predicted variances;
            trains the head of the uncertainty alone, which networks have only with this term.
    """

    landmarks: float = 1.0
    apertures: float = 0.25
    identity_prior: float = 0.3
    expression_prior: float = 0.1
    photometric: float = 4.0
    albedo_prior: float = 0.05
    light: float = 1.0
    light_prior: float = 0.05
    emphasised_landmarks: float = 0.0
    wing: float = 0.0
    coefficients: float = 0.0
    standardized_coefficients: float = 0.0
    weighted_coefficients: float = 0.0
    vertices: float = 0.0
    shape: float = 0.0
    sides: float = 0.0
    emphasised_expressions: float = 0.0
    people: float = 0.0
    likelihood: float = 0.0

    def any_of(self, names: tuple[str, ...]) -> bool:
        """Whether one of these terms has a weight."""
        return any(getattr(self, name) > 0.0 for name in names)


@dataclass(frozen=True, slots=True)
class BlockWeights(Weights):
    """How much each block of known coefficients counts in `standardized_coefficients`.

    A block's part is the mean square of its differences over its deviation: about 1 for a network
    that answers with the mean.

    Attributes:
        identity: weight of the identity coefficients.
        expression: of the expression coefficients.
        albedo: of the albedo coefficients.
        rotation: of the numbers that stand for the rotation.
        translation: of shift and depth.
        lighting: of the spherical harmonics.
    """

    identity: float = 1.0
    expression: float = 1.0
    albedo: float = 1.0
    rotation: float = 1.0
    translation: float = 1.0
    lighting: float = 1.0


@dataclass(frozen=True, slots=True)
class BlockDeviations:
    """Standard deviations of the blocks of known coefficients; defaults are of rendered heads.

    Identity and albedo come in deviations of the face model's modes; the others' are the root of
    the mean variance of the block's coefficients.

    Attributes:
        identity: deviation of the identity coefficients.
        expression: of the expression coefficients.
        albedo: of the albedo coefficients.
        rotation: of the numbers that stand for the rotation.
        translation: of shift and depth.
        lighting: of the spherical harmonics.
    """

    identity: float = 1.0
    expression: float = 0.15
    albedo: float = 1.0
    rotation: float = 0.4
    translation: float = 0.15
    lighting: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_range(self, 1e-6, float("inf"), *self.__slots__)


@dataclass(frozen=True, slots=True)
class RenderedWeights(Weights):
    """Weights of the terms that need no label; a term of weight 0 is not computed.

    Attributes:
        photometric: colour distance of the rendering and the picture over visible skin; reaches
            every coefficient.
        identity_features: one minus the cosine of face-recognition embeddings.
        identity_prior: mean square of identity coefficients.
        expression_prior: mean square of expression coefficients over their deviation.
        albedo_prior: mean square of albedo coefficients.
        light: coloured light.
        light_prior: mean square of the lighting offsets.
        albedo_uniformity: variance of the albedo over the skin.
        flip: distance of the landmarks of a picture and of its mirror image, per cent of the crop.
        symmetry: distance of the neutral head from its mirror image, mm.
        edges: difference of edge lengths from the mean head's, mm.
    """

    photometric: float = 4.0
    identity_features: float = 0.0
    identity_prior: float = 0.3
    expression_prior: float = 0.1
    albedo_prior: float = 0.05
    light: float = 1.0
    light_prior: float = 0.05
    albedo_uniformity: float = 0.0
    flip: float = 0.0
    symmetry: float = 0.0
    edges: float = 0.0


def paper_weights(layout: CoefficientLayout) -> tuple[LossWeights, RenderedWeights]:
    """The weights of "Hierarchical MLANet" (arXiv 2509.10024) in this objective's units.

    From the paper and its author's research code; where the paper states nothing, a term is off.
    The paper sums squares of coefficients, the priors here are means: weights grow by the counts.
    All but the landmarks are terms of every sample: on labelled ones by `labelled_rendered` of 1,
    which a configuration with `"weights": "paper"` has.
    """
    labelled = dict.fromkeys(LossWeights.__slots__, 0.0) | {"emphasised_landmarks": 0.01}
    rendered = RenderedWeights(
        photometric=1.5,
        identity_features=0.35,
        identity_prior=PAPER_REGULARIZATION * 1.3 * layout.identity,
        expression_prior=PAPER_REGULARIZATION * 1.1 * layout.expression,
        albedo_prior=PAPER_REGULARIZATION * 0.06 * layout.albedo,
        light=5.0,
        light_prior=0.0,
        albedo_uniformity=3.0,
    )
    return LossWeights(**labelled), rendered
