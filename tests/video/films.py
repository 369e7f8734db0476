"""Small films that tests write, in every form that players meet."""

from fractions import Fraction

import av
import numpy as np

AUDIO_RATE = 44100


def write_film(
    path,
    images,
    pts=None,
    *,
    rate=30,
    time_base=Fraction(1, 600),
    codec="libx264",
    pix_fmt="yuv420p",
    audio=None,
    options=None,
    aspect=None,
    container_options=None,
):
    """RGB pictures as a film whose frames have the given times."""
    if pts is None:
        pts = [round(k / rate / time_base) for k in range(len(images))]
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.options = options or {"crf": "12"}
        stream.time_base = stream.codec_context.time_base = time_base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        sound = container.add_stream(audio, rate=AUDIO_RATE) if audio else None
        for image, time in zip(images, pts, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            write_sound(container, sound, float(max(pts) * time_base) + 1.0 / rate)
    return path


def write_sound(container, sound, length_s):
    wave = np.sin(np.arange(round(length_s * AUDIO_RATE)) * 0.06).astype(np.float32)
    step = sound.codec_context.frame_size or 1024
    layout = "s16" if sound.codec_context.name.startswith("pcm") else "fltp"
    for start in range(0, len(wave), step):
        part = wave[None, start : start + step]
        part = (part * 20000).astype(np.int16) if layout == "s16" else part
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format=layout, layout="mono")
        frame.rate, frame.pts, frame.time_base = AUDIO_RATE, start, Fraction(1, AUDIO_RATE)
        container.mux(sound.encode(frame))
    container.mux(sound.encode(None))


def pattern(count, size=(48, 64)):
    """Pictures whose brightness in the upper left corner tells their number."""
    height, width = size
    images = []
    for k in range(count):
        image = np.zeros((height, width, 3), np.uint8)
        image[: height // 2, : width // 2] = 10 * k + 20
        image[height // 2 :, :, 0] = 200
        image[: height // 2, width // 2 :, 2] = 160
        images.append(image)
    return images


def number_of(image):
    height, width = image.shape[:2]
    return round((float(image[2 : height // 2 - 2, 2 : width // 2 - 2].mean()) - 20.0) / 10.0)
