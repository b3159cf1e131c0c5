"""The KL divergence under the hand: the numbers on the page against torch and scipy."""

import re

import pytest
import torch
from playwright.sync_api import Page, expect
from scipy.integrate import quad
from scipy.stats import norm
from torch.distributions import Normal, kl_divergence

ROUNDED = 6e-4  # the page shows three digits after the point


def number(page: Page, testid: str) -> float:
    return float(page.get_by_test_id(testid).inner_text().replace("−", "-"))


def parameters(page: Page, name: str) -> tuple[float, float]:
    """(mean, standard deviation) that a Gaussian's two handles report."""
    return tuple(
        float(page.get_by_test_id(f"{name}-{part}").get_attribute("aria-valuenow")) for part in ("mean", "sigma")
    )


def opened(visitor, **context) -> Page:
    visiting = visitor(**context)
    visiting.page.goto(visiting.server + "/how_it_works?chapter=kl&model=mnist")
    visiting.rests()
    expect(visiting.page.get_by_test_id("kl-pq")).to_have_text(re.compile(r"\d\.\d{3}"))
    return visiting.page


def drag(page: Page, testid: str, by: float) -> None:
    box = page.get_by_test_id(testid).locator(".dot").bounding_box()
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across + by, down, steps=4)
    page.mouse.up()


def integrals(page: Page) -> tuple[float, float]:
    """KL(p||q) and KL(q||p) of the mixture on the page, by adaptive quadrature."""
    first, second, q = norm(*parameters(page, "p0")), norm(*parameters(page, "p1")), norm(*parameters(page, "q"))

    def logs(x: float) -> tuple[float, float]:
        mixture = torch.tensor([0.6, 0.4], dtype=torch.float64).log() + torch.tensor(
            [first.logpdf(x), second.logpdf(x)]
        )
        return mixture.logsumexp(0).item(), q.logpdf(x)

    def integrand(x: float, over: int) -> float:
        pair = logs(x)
        return torch.tensor(pair[over]).exp().item() * (pair[over] - pair[1 - over])

    corners = sorted({part.mean() for part in (first, second, q)})
    return tuple(quad(integrand, -25, 25, args=(over,), points=corners, limit=200)[0] for over in (0, 1))


def test_both_numbers_of_a_mixture_are_those_of_adaptive_quadrature(visitor):
    page = opened(visitor)
    for testid, by in (("q-mean", -70), ("p1-sigma", 25)):
        before = [number(page, "kl-pq"), number(page, "kl-qp")]
        drag(page, testid, by)
        shown = [number(page, "kl-pq"), number(page, "kl-qp")]
        assert shown != before
        assert shown == pytest.approx(integrals(page), abs=ROUNDED)


def test_both_numbers_of_two_gaussians_are_torchs_by_integral_and_in_closed_form(visitor):
    page = opened(visitor)
    page.get_by_role("button", name="One Gaussian").click()
    page.get_by_test_id("q-sigma").press("PageUp")
    page.get_by_test_id("p0-mean").press("ArrowRight")
    assert parameters(page, "q") == (0.6, 1.5)
    assert parameters(page, "p0") == (-1.75, 0.7)
    p, q = (Normal(*torch.tensor(parameters(page, name), dtype=torch.float64)) for name in ("p0", "q"))
    for key, expected in (("pq", kl_divergence(p, q)), ("qp", kl_divergence(q, p))):
        assert number(page, f"kl-{key}") == pytest.approx(expected.item(), abs=ROUNDED)
        assert number(page, f"closed-{key}") == pytest.approx(expected.item(), abs=ROUNDED)


def settled(page: Page, key: str) -> None:
    page.get_by_test_id(f"least-{key}").click()
    expect(page.locator(".density-line")).not_to_have_attribute("data-moving", key)


def test_the_least_kl_of_p_from_q_has_the_moments_of_p(visitor):
    page = opened(visitor)
    settled(page, "pq")
    means, sigmas = zip(parameters(page, "p0"), parameters(page, "p1"), strict=True)
    mean = 0.6 * means[0] + 0.4 * means[1]
    second = sum(w * (s * s + m * m) for w, m, s in zip((0.6, 0.4), means, sigmas, strict=True))
    assert parameters(page, "q") == pytest.approx((mean, (second - mean**2) ** 0.5), abs=1e-3)


def test_descent_of_kl_of_q_from_p_keeps_to_the_mode_it_started_at(visitor):
    page = opened(visitor, viewport={"width": 390, "height": 844})
    for _ in range(3):
        page.get_by_test_id("q-mean").press("PageUp")
    settled(page, "qp")
    least = number(page, "kl-qp")
    mean, sigma = parameters(page, "q")
    assert abs(mean - 1.7) < 0.1
    assert abs(sigma - 0.5) < 0.1
    for key in ("mean", "sigma"):
        for there, back in (("ArrowLeft", "ArrowRight"), ("ArrowRight", "ArrowLeft")):
            page.get_by_test_id(f"q-{key}").press(there)
            assert number(page, "kl-qp") >= least
            page.get_by_test_id(f"q-{key}").press(back)
