"""Are identity coefficients of people about N(0, 1)? On faces that the statistics did not see.

    python assets/face_model/whiteness.py --data DATA

Fits the shipped model to 1,000 of AFLW's faces of even position and prints mean and root mean
square of the fits, and of the posteriors: a fit is the mode of one, and shrinks towards the mean
where 68 points say little; its spread belongs to the variance.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from face_model.people import CONFIG, Labels, moments
from mlanet.fitting import OrthographicView, fit_landmarks
from mlanet.morphable import MorphableModel

NUM_FACES = 1000


def main() -> None:
    """Fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    model = MorphableModel.load()
    points = model.landmarks.convert(lambda array: array.astype(np.float64))
    rng = np.random.default_rng(0)
    with np.load(arguments.data / "aflw_train" / "labels.npz") as file:
        rows = rng.choice(np.arange(0, len(file["pts68_px"]), 2), NUM_FACES, replace=False)
        labels = file["pts68_px"][rows].astype(np.float64)
    part = Labels(labels, np.ones(labels.shape[:2]), None)
    fit = fit_landmarks(points, OrthographicView(), labels, part.weight, CONFIG)
    mean, covariance = moments(points, [(part, fit)])
    of_fits = np.sqrt((fit.identity**2).mean(axis=0))
    of_people = np.sqrt(mean**2 + np.diag(covariance))
    for kind in ("principal", "smooth"):
        chosen = np.array([name.startswith(kind) for name in model.identity_names])
        print(
            f"{kind}: mean of a mode within {np.abs(mean[chosen]).max():.2f}, root mean square "
            f"{np.sqrt((mean[chosen] ** 2).mean()):.2f}; root mean square of coefficients "
            f"{np.sqrt((of_fits[chosen] ** 2).mean()):.2f} of the fits, "
            f"{np.sqrt((of_people[chosen] ** 2).mean()):.2f} with the posteriors' spread, of "
            f"single modes {of_people[chosen].min():.2f} to {of_people[chosen].max():.2f}"
        )


if __name__ == "__main__":
    main()
