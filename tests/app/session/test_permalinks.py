"""Links as the app wrote them on 29 November 2026 and since: each opens what it says, and the address stays."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.app.pages.test_pages import EXPLORE, opened

BITS = "b" + "A" * 30 + "P_-A_gAPAAHwAD4AB8AA-AAfAAPgAHwAD4AB8AA-AAfAAPgA" + "A" * 53
Z24 = ",".join(f"{value:g}" for value in [0.5, -1.25, 0, 2.125, *[-0.75, 0.333] * 10])
LINKS = [
    f"/?model=mnist&z={Z24}&x=i7",
    "/?model=mnist-2d&z=0.5,-1.25&x=i3&from=prior",
    f"/?model=fashion&z={Z24}&x=s42",
    "/latent_map?model=fashion-2d&z=-2,1.5&x=i4321",
    "/interpolate?model=mnist&mode=two&path=spherical&steps=120&ends=i7,i0,i3,i20&at=0.25",
    "/interpolate?model=fashion-2d&mode=four&path=following&steps=60&ends=i7,s12,i3,i20&at=0.5,0.125",
    f"/reconstruct?model=mnist-2d&x={BITS}&seed=3",
    "/how_it_works?model=mnist&chapter=kl&p=-1.5,0.7,1.7,0.5&q=0.6,1",
    "/how_it_works?model=mnist&chapter=autoencoder&pair=fashion",
    "/how_it_works?model=fashion&chapter=autoencoder&pair=fashion&x=i7&see=2_4_1",
    "/how_it_works?model=mnist&chapter=training&see=step.1.2.5",
    "/how_it_works?model=mnist&chapter=beta&see=2_10",
    f"/?model=mnist&z={Z24}&x=i7&yours=B5236zswIOKIkiAxCAEBfxcBBAbLAP78CgT__vfzBA8DAPsA",
    "/latent_map?model=fashion-2d&z=-2,1.5&x=i4321&yours=BbmM3TtDT0FUIX8rAYnS3jpb-38",
    "/models?model=fashion-2d",
]


@pytest.mark.parametrize("link", LINKS)
def test_the_link_opens_and_stays(link):
    parts = urlsplit(link)
    said = dict(parse_qsl(parts.query))
    page = parts.path.strip("/")
    query = {key: value for key, value in said.items() if key != "model"}
    app = opened(said["model"], f"vae/app/pages/{page}.py" if page else EXPLORE, **query)
    assert not [one.value for one in app.warning if "link" in one.value]
    now = {key: value[0] if isinstance(value, list) else value for key, value in app.query_params.items()}
    assert now == said
