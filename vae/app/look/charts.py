"""Tensors -> plotly figures; pure functions."""

import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

from vae.app.look import BARS


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
