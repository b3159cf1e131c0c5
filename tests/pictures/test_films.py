"""Exported films, strips and arrays, read back by other readers than those that wrote them."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from vae.pictures import films

GREY = np.random.default_rng(0).integers(0, 256, (9, 28, 28), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (9, 16, 12, 3), dtype=np.uint8)


def frames_of(content: bytes) -> tuple[list[np.ndarray], list[int], int]:
    with Image.open(io.BytesIO(content)) as film:
        pictures, times = [], []
        for index in range(film.n_frames):
            film.seek(index)
            film.load()
            pictures.append(np.asarray(film.convert("RGB")))
            times.append(film.info["duration"])
        return pictures, times, film.info["loop"]


@pytest.mark.parametrize("write", [films.gif, films.webp])
def test_a_film_of_grey_pictures_holds_every_pixel_of_every_frame(write):
    pictures, times, loop = frames_of(write(GREY, 100, 20))
    assert len(pictures) == len(GREY)
    assert set(times) == {50}
    assert loop == 0  # for ever
    for picture, frame in zip(pictures, GREY, strict=True):
        assert picture.shape == (112, 112, 3)
        assert (picture == frame.repeat(4, 0).repeat(4, 1)[..., None]).all()


def test_a_film_in_colour_without_loss():
    pictures, _, _ = frames_of(films.webp(COLOUR, 12, 10))
    assert (np.stack(pictures) == COLOUR).all()


def test_frames_that_stay_the_same_keep_their_time():
    still = np.concatenate([GREY[:1]] * 3 + [GREY[1:2]])
    for write in (films.gif, films.webp):
        _, times, _ = frames_of(write(still, 28, 10))
        assert sum(times) == 400


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg: apt-get install ffmpeg")
@pytest.mark.parametrize("frames", [GREY, COLOUR[:, :15, :11]])
def test_an_mp4_has_every_frame_at_its_speed(tmp_path, frames):
    file = tmp_path / "film.mp4"
    file.write_bytes(films.mp4(frames, 100, 20))
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(file)]
    (stream,) = json.loads(subprocess.check_output(command))["streams"]
    assert stream["codec_name"] == "h264"
    assert stream["pix_fmt"] == "yuv420p"
    assert int(stream["nb_read_frames"]) == 9
    assert stream["avg_frame_rate"] == "20/1"
    assert stream["width"] % 2 == stream["height"] % 2 == 0
    assert stream["width"] >= 100


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg: apt-get install ffmpeg")
def test_what_ffmpeg_complains_of_is_told():
    with pytest.raises(OSError, match="ffmpeg could not"):
        films.mp4(GREY[:, :0], 28, 20)


def test_mp4_is_offered_only_where_ffmpeg_is(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert list(films.formats()) == ["GIF", "WebP"]
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/ffmpeg")
    assert list(films.formats()) == ["GIF", "WebP", "MP4"]


def test_pictures_become_bytes_to_the_nearest_level():
    grey, colour = torch.tensor([0.0, 0.3, 1.0, 1.5]).expand(2, 1, 3, 4), torch.rand(2, 3, 4, 5)
    assert (films.as_frames(grey) == np.array([0, 76, 255, 255])).all()
    assert films.as_frames(grey).shape == (2, 3, 4)
    assert (films.as_frames(colour) == colour.mul(255).round().byte().permute(0, 2, 3, 1).numpy()).all()


def test_a_strip_is_the_frames_in_a_row():
    with Image.open(io.BytesIO(films.strip(GREY, 28))) as sheet:
        assert (np.asarray(sheet) == np.concatenate(list(GREY), axis=1)).all()
    with Image.open(io.BytesIO(films.strip(COLOUR, 24, gap=3))) as sheet:
        assert sheet.size == (9 * 24 + 8 * 3, 32)
        assert (np.asarray(sheet)[::2, 27:51:2] == COLOUR[1]).all()


def test_a_light_strip_is_the_frames_of_bits_exactly_and_of_colours_nearly():
    with Image.open(io.BytesIO(films.light_strip(GREY))) as sheet:
        assert (np.asarray(sheet) == np.concatenate(list(GREY), axis=1)).all()
    chance = np.random.default_rng(0)
    coarse = chance.integers(20, 200, (6, 8, 8, 1), np.uint8) + chance.integers(0, 50, (6, 8, 8, 3), np.uint8)
    frames = np.stack([np.asarray(Image.fromarray(one).resize((40, 40), Image.Resampling.BICUBIC)) for one in coarse])
    light, whole = films.light_strip(frames), films.strip(frames, 40)
    with Image.open(io.BytesIO(light)) as sheet:
        away = np.asarray(sheet).astype(float) - np.concatenate(list(frames), axis=1)
    assert 10 * np.log10(255**2 / np.square(away).mean()) > 35
    assert len(light) < len(whole) / 2


def test_there_and_back_stops_at_neither_end():
    assert [int(frame[0, 0]) for frame in films.there_and_back(np.arange(4, dtype=np.uint8)[:, None, None])] == [
        0,
        1,
        2,
        3,
        2,
        1,
    ]
    assert len(films.there_and_back(GREY[:2])) == 2


def test_arrays_come_back_as_they_were():
    z = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    with np.load(io.BytesIO(films.npz(straight=z, spherical=z[::-1]))) as kept:
        assert (kept["straight"] == z).all()
        assert (kept["spherical"] == z[::-1]).all()
