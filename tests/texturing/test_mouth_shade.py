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
    assert light[order[-3:], 1].min() > 0.75


def test_nothing_else_is_darkened():
    model = load_model()
    light = mouth_light(model)
    parts = np.unique(model.topology.faces[model.faces_of("teeth_upper", "teeth_lower", "tongue")])
    outside = model.region("mouth") < 0.01
    outside[parts] = False
    assert (light[outside] == 1.0).all()
    assert not len(mouth_light(replace(model, part_names=())))


def shades(light):
    """The same shade for teeth and tongue, which lie in two corners of a texture."""
    places = np.ones((128, 128), np.float32), np.ones((128, 128), np.float32)
    places[0][:64, :64] = light
    places[1][64:, 64:] = light
    return [MouthShade.of_light(place) for place in places]


def test_what_a_photo_shows_of_an_open_mouth_keeps_its_light():
    light = np.ones((64, 64), np.float32)
    light[20:40, 20:40] = 0.25
    image, seen = np.full((128, 128, 3), 200, np.uint8), np.zeros((128, 128), np.float32)
    seen[20:40, 20:30] = 1.0
    shade_mouth(image, seen, shades(light))
    assert (image[25, 25] == 200).all()
    red, green, blue = image[25, 35]
    assert 60 <= blue <= green < red < 110
    assert (image[50, 50] == 200).all()
    assert MouthShade.of_light(np.ones((64, 64), np.float32)) is None


def test_the_end_of_light_is_dark_red_and_not_black():
    image = np.full((128, 128, 3), (210, 120, 115), np.uint8)
    shade_mouth(image, np.zeros((128, 128), np.float32), shades(np.zeros((64, 64), np.float32)))
    red, green, blue = image[20, 20].astype(int)
    assert 40 < red < 80
    assert green < 0.6 * red
    assert blue < 0.6 * red


def test_a_glimpse_is_not_believed():
    light = np.full((64, 64), 0.25, np.float32)
    image, seen = np.full((128, 128, 3), 200, np.uint8), np.zeros((128, 128), np.float32)
    seen[30:33, 30:33] = 1.0
    shade_mouth(image, seen, shades(light))
    assert image[:64, :64].max() < 110


def test_teeth_are_not_green():
    light = np.full((64, 64), 0.9, np.float32)
    image, seen = (
        np.full((128, 128, 3), (120, 200, 160), np.uint8),
        np.zeros((128, 128), np.float32),
    )
    shade_mouth(image, seen, shades(light))
    red, green, blue = image[20, 20].astype(int)
    assert red >= green >= blue > 0.7 * red
    seen[:64, :64] = 1.0
    image[...] = (120, 200, 160)
    shade_mouth(image, seen, shades(light))
    assert image[20, 20].tolist() == [120, 200, 160]
