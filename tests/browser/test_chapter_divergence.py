"""The chapter on KL divergence in Chromium: its maths against torch and scipy, and the picture under the hand."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import norm

import vae.app.components

MATHS = (
    (Path(vae.app.components.__file__).parent / "lessons" / "divergence" / "kl.js").read_text().replace("export ", "")
)
CHAPTER = "/how_it_works?chapter=kl&model=mnist"
TWO = [(0.6, -1.8, 0.7), (0.4, 1.7, 0.5)]
# To the end of a walk, or 3000 steps; with the divergence before each step.
WALK = """(p, q, step, value) => {
  const seen = [];
  for (let i = 0; i < 3000; i++) {
    seen.push(value(p, q));
    const { q: next, done } = step(p, q);
    q = next;
    if (done) break;
  }
  return { q, seen: [...seen, value(p, q)] };
}"""


@pytest.fixture(scope="module")
def maths(chromium):
    """Run an expression beside the functions of kl.js; densities are lists of (weight, mean, sigma)."""
    page = chromium.new_page()

    def run(expression: str, *densities):
        named = [[dict(zip(("weight", "mean", "sigma"), part, strict=True)) for part in d] for d in densities]
        return page.evaluate(f"([p, q]) => {{ {MATHS}; return {expression}; }}", named)

    yield run
    page.close()


def log_density(x, density):
    return np.logaddexp.reduce([np.log(w) + norm.logpdf(x, mean, sigma) for w, mean, sigma in density])


def kl(a, b) -> float:
    """KL(a || b), nats, by scipy's adaptive quadrature."""
    places = sorted({m + s * u for _, m, s in a for u in (-12, -4, -1, 0, 1, 4, 12)} | {m for _, m, _ in b})

    def integrand(x):
        log = log_density(x, a)
        return np.exp(log) * (log - log_density(x, b))

    return quad(integrand, places[0], places[-1], points=places[1:-1], limit=400, epsabs=1e-9)[0]


def mixture(random: np.random.Generator):
    return [(w, random.uniform(-4, 4), random.uniform(0.2, 2)) for w in (0.6, 0.4)]


def test_two_gaussians_agree_with_torch_by_integral_and_by_closed_form(maths):
    random = np.random.default_rng(0)
    for _ in range(20):
        p, q = ([(1, random.uniform(-4, 4), np.exp(random.uniform(np.log(0.05), np.log(4.5))))] for _ in range(2))
        for a, b in ((p, q), (q, p)):
            normals = [torch.distributions.Normal(*torch.tensor(d[0][1:], dtype=torch.float64)) for d in (a, b)]
            oracle = float(torch.distributions.kl_divergence(*normals))
            assert maths("[divergence(p, q), closedForm(p[0], q[0])]", a, b) == pytest.approx([oracle] * 2, rel=1e-9)


def test_mixtures_agree_with_adaptive_quadrature(maths):
    random = np.random.default_rng(1)
    for _ in range(6):
        p, q = mixture(random), mixture(random)
        one = [(1, *q[0][1:])]
        for a, b in ((p, q), (p, one), (one, p)):
            assert maths("divergence(p, q)", a, b) == pytest.approx(kl(a, b), rel=1e-4, abs=1e-5)


def test_the_least_kl_of_p_from_a_gaussian_has_the_mean_and_variance_of_p(maths):
    random = np.random.default_rng(2)
    for _ in range(3):
        p, q = mixture(random), [(1, random.uniform(-4, 4), random.uniform(0.1, 4))]
        mean = sum(w * m for w, m, _ in p)
        variance = sum(w * (s * s + m * m) for w, m, s in p) - mean**2
        found = maths(f"({WALK})(p, q, stepForward, divergence)", p, q)
        assert [found["q"][0][key] for key in ("mean", "sigma")] == pytest.approx([mean, variance**0.5], rel=1e-6)
        assert np.diff(found["seen"]).max() < 1e-9


@pytest.mark.parametrize(("start", "mode"), [(-1.5, -1.8), (1.5, 1.7)])
def test_the_least_kl_from_p_is_level_by_adaptive_quadrature_and_depends_on_the_start(maths, start, mode):
    found = maths(f"({WALK})(p, q, stepReverse, (p, q) => divergence(q, p))", TWO, [(1, start, 0.6)])
    assert np.diff(found["seen"][:-1]).max() < 0  # the last step only finds that it is the last
    mean, sigma = (found["q"][0][key] for key in ("mean", "sigma"))
    assert mean == pytest.approx(mode, abs=0.1)
    slope = approx_fprime([mean, np.log(sigma)], lambda at: kl([(1, at[0], np.exp(at[1]))], TWO), 1e-5)
    assert slope == pytest.approx([0, 0], abs=0.01)
    assert len(found["seen"]) < 300  # steps, one a frame


def test_a_mixture_q_reaches_p_in_both_directions(maths):
    start = [(0.6, -1.0, 1.0), (0.4, 1.0, 1.0)]
    for step, value in (("stepForward", "divergence"), ("stepReverse", "(p, q) => divergence(q, p)")):
        found = maths(f"({WALK})(p, q, {step}, {value})", TWO, start)
        assert np.diff(found["seen"]).max() < 1e-9
        assert found["seen"][-1] < 1e-4 < found["seen"][0]


def opened(visitor, query: str = "", **context):
    page = (someone := visitor(**context)).page
    page.goto(someone.server + CHAPTER + query)
    expect(page.get_by_test_id("kl-pq")).to_have_text(re.compile(r"\d"))
    someone.rests()
    return page


def shown(page, testid: str) -> float:
    return float(page.get_by_test_id(testid).inner_text().replace("−", "-"))


def handles(page, *names: str) -> list[tuple[float, float]]:
    """(mean, sigma) as the handles tell a screen reader."""
    ends = ("mean", "sigma")
    return [
        tuple(float(page.get_by_test_id(f"{name}-{end}").get_attribute("aria-valuenow")) for end in ends)
        for name in names
    ]


def linked(page, name: str) -> list[float]:
    return [float(number) for number in parse_qs(urlsplit(page.url).query).get(name, ["0"])[0].split(",")]


def drag(page, testid: str, by: float) -> None:
    dot = page.get_by_test_id(testid).locator(".dot")
    dot.scroll_into_view_if_needed()
    box = dot.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by, y, steps=4)
    page.mouse.up()


def test_what_is_dragged_is_computed_linked_and_shown_again(visitor):
    page = opened(visitor)
    for testid, by in (("q0-mean", -70), ("p1-sigma", 25)):
        before = handles(page, "p0", "p1", "q0")
        drag(page, testid, by)
        after = handles(page, "p0", "p1", "q0")
        assert after != before
        p, q = [(w, *at) for w, at in zip((0.6, 0.4), after[:2], strict=True)], [(1, *after[2])]
        assert shown(page, "kl-pq") == pytest.approx(kl(p, q), abs=6e-4)
        assert shown(page, "kl-qp") == pytest.approx(kl(q, p), abs=6e-4)
    page.wait_for_url(lambda url: linked(page, "q") == list(after[2]))
    numbers = [shown(page, f"kl-{key}") for key in ("pq", "qp")]
    page.reload()
    expect(page.get_by_test_id("kl-pq")).to_have_text(re.compile(r"\d"))
    assert handles(page, "p0", "p1", "q0") == after
    assert [shown(page, f"kl-{key}") for key in ("pq", "qp")] == numbers


def test_keys_move_two_gaussians_and_both_methods_show_torchs_number(visitor):
    page = opened(visitor, "&p=0,1&q=1,0.5", viewport={"width": 390, "height": 844})
    page.get_by_test_id("q0-mean").press("PageUp")
    page.get_by_test_id("q0-sigma").press("ArrowRight")
    assert handles(page, "q0") == [(1.5, 0.55)]
    p, q = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(1.5, 0.55)
    for key, pair in (("pq", (p, q)), ("qp", (q, p))):
        oracle = pytest.approx(float(torch.distributions.kl_divergence(*pair)), abs=6e-4)
        assert shown(page, f"kl-{key}") == oracle
        assert shown(page, f"closed-{key}") == oracle
    page.wait_for_url(lambda url: linked(page, "q") == [1.5, 0.55])


# What a button says while it runs, and at once the second click: later, on a busy machine, it may have come to its end.
PAUSED = """
async (button) => {
  button.click();
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  const word = button.textContent;
  button.click();
  return word;
}
"""


def test_minimising_pauses_goes_on_by_steps_and_ends_at_the_moments_of_p(visitor):
    page = opened(visitor)
    run = page.get_by_test_id("least-pq")
    assert run.evaluate(PAUSED) == "Pause"
    expect(run).to_have_text("Minimise KL(p‖q)")
    paused = shown(page, "kl-pq")
    page.get_by_test_id("step-pq").click()
    assert shown(page, "kl-pq") < paused
    run.click()
    page.wait_for_url(lambda url: linked(page, "q") == pytest.approx([-0.4, 1.8262], abs=1e-3))


def test_a_latent_of_the_model_takes_the_place_of_q_and_the_prior_that_of_p(visitor):
    page = opened(visitor)
    chip = page.locator(".chips button").first
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    assert handles(page, "p0") == [(0, 1)]
    ((mean, sigma),) = handles(page, "q0")
    oracle = (mean**2 + sigma**2 - 1) / 2 - np.log(sigma)
    assert shown(page, "closed-qp") == pytest.approx(oracle, abs=2e-3)
    assert shown(page, "kl-qp") == shown(page, "closed-qp")
    assert float(chip.inner_text().split()[-1]) == pytest.approx(oracle, abs=7e-3)
