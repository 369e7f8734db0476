from dataclasses import replace

import numpy as np

from mlanet.morphable import load_model
from mlanet.texturing.mouth_shade import MouthShade, mouth_light, shade_mouth


def test_the_throat_is_dark_and_incisors_are_bright():
    model = load_model()
    light, mean = mouth_light(model), model.subdivide(model.shape.mean)
    assert light.shape == (len(mean), 3)
    teeth = np.unique(model.topology.faces[model.faces_of("teeth_upper")])
    ahead = teeth[mean[teeth, 2] > mean[teeth, 2].max() - 2.0]
    behind = teeth[mean[teeth, 2] < mean[teeth, 2].min() + 5.0]
    assert light[ahead, 0].max() > 0.95
    assert light[behind, 0].max() < 0.2
    tongue = np.unique(model.topology.faces[model.faces_of("tongue")])
    order = tongue[np.argsort(mean[tongue, 2])]
    assert light[order[:10], 1].max() < 0.1
    assert light[order[-3:], 1].min() > 0.9


def test_nothing_else_is_darkened():
    model = load_model()
    light = mouth_light(model)
    parts = np.unique(model.topology.faces[model.faces_of("teeth_upper", "teeth_lower", "tongue")])
    outside = model.region("mouth") < 0.01
    outside[parts] = False
    assert (light[outside] == 1.0).all()
    assert not len(mouth_light(replace(model, part_names=())))


def test_what_a_photo_shows_of_an_open_mouth_keeps_its_light():
    light = np.ones((64, 64), np.float32)
    light[20:40, 20:40] = 0.25
    image, seen = np.full((64, 64, 3), 200, np.uint8), np.zeros((64, 64), np.float32)
    seen[20:40, 20:30] = 1.0
    shade_mouth(image, seen, [MouthShade.of_light(light)])
    assert (image[25, 25] == 200).all()
    red, green, blue = image[25, 35]
    assert 40 <= green == blue < red < 70
    assert (image[50, 50] == 200).all()
    assert MouthShade.of_light(np.ones((64, 64), np.float32)) is None


def test_a_glimpse_is_not_believed():
    light = np.full((64, 64), 0.25, np.float32)
    image, seen = np.full((64, 64, 3), 200, np.uint8), np.zeros((64, 64), np.float32)
    seen[30:33, 30:33] = 1.0
    shade_mouth(image, seen, [MouthShade.of_light(light)])
    assert image.max() < 70
