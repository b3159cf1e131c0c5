"""Where faces are on a picture: the tiny face detector of face-api, with its weights as they were published.

`weights/tiny_face_detector_model.*` are from the npm package @vladmandic/face-api 1.7.15 (MIT: weights/LICENSE), which
goes on with Vincent Mühler's face-api.js: whole numbers of 8 bits, and a manifest of their names, shapes and ranges.
The network is a tiny YOLO v2 (Redmon and Farhadi, YOLO9000, 2017) of separable convolutions.
"""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

WEIGHTS = Path(__file__).parent / "weights"
NAME = "tiny_face_detector_model"
MEAN = (117.001, 114.697, 97.404)  # of red, green and blue, 0 to 255
# Widths and heights of usual boxes, in cells of 32 pixels.
ANCHORS = ((1.603231, 2.094468), (6.041143, 7.080126), (2.882459, 3.518061), (4.266906, 5.178857), (9.041765, 10.66308))
OVERLAP = 0.3  # of two boxes, as area shared by area of both: more, and they are of one face


class Box(NamedTuple):
    """A face: its middle, width and height in pixels, and how sure the network is, from 0 to 1."""

    x: float
    y: float
    width: float
    height: float
    score: float


@cache
def _weights() -> dict[str, Tensor]:
    packed = np.fromfile(WEIGHTS / f"{NAME}.bin", np.uint8)
    manifest = json.loads((WEIGHTS / f"{NAME}-weights_manifest.json").read_text())
    weights, start = {}, 0
    for one in manifest[0]["weights"]:
        end = start + int(np.prod(one["shape"]))
        values = packed[start:end].reshape(one["shape"]) * np.float32(one["quantization"]["scale"])
        values = torch.from_numpy(values + np.float32(one["quantization"]["min"]))
        if values.ndim == 4:  # (height, width, in, out), or (height, width, channels, 1)
            values = values.permute(2, 3, 0, 1) if "depthwise" in one["name"] else values.permute(3, 2, 0, 1)
        weights[one["name"]], start = values.contiguous(), end
    return weights


def raw(pixels: Float[Tensor, "1 3 side side"]) -> Float[Tensor, "boxes 5"]:
    """Every box that the network thinks of, in shares of a square picture in [0, 255]: x and y of the middle, width,
    height, score."""
    weights = _weights()
    x = (pixels - torch.tensor(MEAN)[:, None, None]) / 255
    x = F.leaky_relu(F.conv2d(x, weights["conv0/filters"], weights["conv0/bias"]), 0.1)
    x = F.max_pool2d(x, 2, ceil_mode=True)
    for layer in range(1, 6):
        name = f"conv{layer}"
        depthwise = weights[f"{name}/depthwise_filter"]
        x = F.conv2d(x, depthwise, padding=1, groups=len(depthwise))
        x = F.leaky_relu(F.conv2d(x, weights[f"{name}/pointwise_filter"], weights[f"{name}/bias"]), 0.1)
        x = F.max_pool2d(x, 2, ceil_mode=True) if layer < 5 else F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-1e9), 2, 1)
    x = F.conv2d(x, weights["conv8/filters"], weights["conv8/bias"])
    cells = x.shape[2]
    x = x.view(len(ANCHORS), 5, cells, cells)
    here = torch.arange(cells)
    sizes = torch.tensor(ANCHORS)[:, :, None, None] * x[:, 2:4].exp()
    across, down = x[:, 0].sigmoid() + here, x[:, 1].sigmoid() + here[:, None]
    boxes = torch.stack([across, down, sizes[:, 0], sizes[:, 1]], -1) / cells
    return torch.cat([boxes, x[:, 4, ..., None].sigmoid()], -1).flatten(0, 2)


@torch.inference_mode()
def faces(picture: Float[Tensor, "1 3 h w"], sides: tuple[int, ...], least: float) -> list[Box]:
    """The faces on a picture in [0, 1], the surest first, each once; looked for at each of `sides` pixels on the long
    side, and as sure as `least`."""
    height, width = picture.shape[2:]
    long = max(height, width)
    found = []
    for side in sides:
        size = [max(1, round(side * one / long)) for one in (height, width)]
        small = F.interpolate(255 * picture, size, mode="bilinear", antialias=True)
        boxes = raw(F.pad(small, (0, side - size[1], 0, side - size[0])))
        found.append(boxes[boxes[:, 4] > least])
    scaled = torch.cat(found) * torch.tensor([long, long, long, long, 1.0])
    kept: list[Box] = []
    for box in (Box(*row) for row in scaled[scaled[:, 4].argsort(descending=True)].tolist()):
        if all(_overlap(box, other) < OVERLAP for other in kept):
            kept.append(box)
    return kept


def _overlap(one: Box, other: Box) -> float:
    """The area that two boxes share, as a share of what both cover."""
    across = min(one.x + one.width / 2, other.x + other.width / 2) - max(
        one.x - one.width / 2, other.x - other.width / 2
    )
    down = min(one.y + one.height / 2, other.y + other.height / 2)
    down -= max(one.y - one.height / 2, other.y - other.height / 2)
    both = max(across, 0) * max(down, 0)
    return both / (one.width * one.height + other.width * other.height - both)
