"""Tensors -> plotly figures; pure functions."""

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from vae.app.look import COLOURS


def kl_bars(kl: Float[Tensor, " d"]) -> go.Figure:
    """KL per latent in nats, largest first."""
    order = kl.argsort(descending=True).tolist()
    figure = go.Figure(
        go.Bar(
            x=[f"z<sub>{index}</sub>" for index in order],
            y=kl[order].tolist(),
            marker_color=COLOURS["kl"],
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


def class_accuracy(curves: dict[str, tuple[str, dict[int, float]]], pixels: float, dimensions: int) -> go.Figure:
    """How well the class can be read off features of growing dimension: name -> (colour, {dimension: accuracy}).

    `pixels` is the accuracy on all `dimensions` pixels.
    """
    figure = go.Figure()
    for name, (colour, points) in curves.items():
        figure.add_scatter(
            x=list(points),
            y=list(points.values()),
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            marker={"size": 10},
            hovertemplate="%{fullData.name}, %{x} dimensions: %{y:.1%}<extra></extra>",
        )
    figure.add_hline(y=pixels, line={"color": COLOURS["x"], "dash": "dash", "width": 2})
    figure.add_annotation(
        x=1, y=pixels, xref="paper", xanchor="right", yanchor="bottom", showarrow=False,
        text=f"all {dimensions} pixels {pixels:.1%}", font={"color": COLOURS["x"], "size": 13},
    )  # fmt: skip
    ticks = sorted({x for _, points in curves.values() for x in points})
    figure.update_layout(
        height=460,
        margin={"l": 0, "r": 0, "t": 24, "b": 0},
        uirevision="accuracy",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"type": "log", "title": "dimensions", "tickvals": ticks, "ticktext": ticks, "fixedrange": True},
        yaxis={"title": "right class", "tickformat": ".0%", "fixedrange": True, "range": [0, 1.03]},
    )
    return figure
