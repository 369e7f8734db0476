"""Who opens the mouth and blinks when, in a film (extra `video`).

python examples/04_faces_of_a_film.py film.mp4
"""

import sys

from mlanet import Reconstructor
from mlanet.video import Tracker
from mlanet.video.reading import Film

tracker = Tracker(Reconstructor.load())
for frame in Film.open(sys.argv[1]).frames():
    for tracked in tracker(frame.image, frame.time_s):
        weights = tracked.face.expression
        blink = (weights["eyeBlinkLeft"] + weights["eyeBlinkRight"]) / 2.0
        print(
            f"{frame.time_s:.3f} s: person {tracked.number}, jawOpen {weights['jawOpen']:.2f}, "
            f"eyeBlink {blink:.2f}, confidence {tracked.confidence:.2f}"
        )
