"""One person's face capture (Live Link Face's table) on another's avatar.

python examples/05_animate_an_avatar.py face_00.glb capture.csv animated.glb
"""

import sys
from pathlib import Path

from mlanet.export import read_avatar
from mlanet.morphable import load_model
from mlanet.video import read_performance, retargeted, usual_neutral

avatar_file, capture, result = map(Path, sys.argv[1:])
avatar = read_avatar(avatar_file, load_model())
names = avatar.model.expression_names
performance = read_performance(capture, names)
animation = retargeted(performance, names, usual_neutral(performance, names))
avatar.write_animated(result, animation)
print(f"{result}: {len(animation.times_s)} key frames of {len(names)} weights")
