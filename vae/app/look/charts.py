"""Tensors -> plotly figures; pure functions."""

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from vae.app.look import BARS

BRIGHT = (BARS, "#5b8ff9", "#e08a1e")  # of lines beside one another, with a contrast of 3 on light and dark


def rates(numbers: dict, most: int) -> go.Figure:
    """Of a card of photos: PSNR over rate, of the first channels up to `most`, of the linear channel, and of codecs."""
    ours = [(numbers["rates"][kept], numbers["psnr"][kept]) for kept in sorted(numbers["psnr"], key=int)]
    lines = {f"this network, 4 to {most} numbers": ours} | numbers["codecs"]
    figure = go.Figure(
        [
            go.Scatter(
                x=[rate for rate, _ in points],
                y=[level for _, level in points],
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 3 if points is ours else 2},
                hovertemplate="%{x:.2f} bits per pixel: %{y:.1f} dB<extra>" + name + "</extra>",
            )
            for (name, points), colour in zip(lines.items(), BRIGHT, strict=True)
        ]
    )
    figure.update_layout(
        height=360,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        xaxis={"title": "bits per pixel", "fixedrange": True, "rangemode": "tozero"},
        yaxis={"title": "PSNR, dB", "fixedrange": True},
        legend={"orientation": "h", "y": 1.12},
        uirevision="rates",
    )
    return figure


def kl_bars(kl: Float[Tensor, " d"]) -> go.Figure:
    """KL per latent in nats, largest first."""
    order = kl.argsort(descending=True).tolist()
    figure = go.Figure(
        go.Bar(
            x=[f"z<sub>{index}</sub>" for index in order],
            y=kl[order].tolist(),
            marker_color=BARS,
            width=0.7 if len(order) > 8 else 0.25,
            hovertemplate="%{x}: %{y:.2f} nats<extra></extra>",
        )
    )
    figure.update_layout(
        height=220,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        yaxis_title="KL, nats",
        uirevision="kl",
        xaxis={"fixedrange": True},
        yaxis={"fixedrange": True},
    )
    return figure
