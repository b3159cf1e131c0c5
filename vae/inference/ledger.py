"""What must hold between the numbers of one record, each claim by estimates that share as little as possible.

A claim that does not hold means that a number on the page is wrong. Each says what it would catch. What has no sampling
error agrees within rounding; estimates are called equal while at most `SIGMAS` standard errors lie between. An error
that both estimates share, as of the decoder itself, is not seen.
"""

import math
from typing import NamedTuple

from vae.inference.record import Estimate, Frame

SIGMAS = 5.0
ROUNDING = 2e-3, 1e-5  # of sums of hundreds of float32: nats, and as a share of them
QUADRATURE = 0.02  # nats: each of two quadratures of log p(x) promises half of it


class Check(NamedTuple):
    """A claim about two numbers in nats, left `sign` right within `slack`; whether it holds, and what it `catches`."""

    claim: str
    left: float
    sign: str
    right: float
    slack: float
    holds: bool
    catches: str


def checks(record: Frame) -> list[Check]:
    """Every claim that can be made about a record."""
    elbo = Estimate(record.elbo, record.reconstruction.error)
    worst = int((record.kl_per_dimension - record.kl_integrated).abs().argmax())
    found = [
        equal(
            "KL of every latent = ∫ q(z|x) log(q(z|x) / p(z)) dz",
            _exact(float(record.kl_per_dimension[worst])),
            _exact(float(record.kl_integrated[worst])),
            "a wrong KL of any latent, as of a variance taken for a standard deviation, even where the sum is right",
        ),
        equal(
            "Σ KL of the latents = E_q[log q(z|x) − log p(z)]",
            _exact(record.kl),
            record.kl_sampled,
            "draws of z that are not this picture's, or too wide or too narrow; a mean over latents taken for a sum",
        ),
        equal(
            "E_q[log p(x|z)] = the same draws by another formula",
            _exact(record.reconstruction.value),
            _exact(record.reconstruction_again),
            "a wrong likelihood: a mean over pixels taken for a sum, a pixel left out",
        ),
        equal(
            "E_q[log p(x|z)] − KL = E_q[log p(x, z) − log q(z|x)]",
            elbo,
            record.elbo_again,
            "an ELBO put together wrongly, as by a sign, and draws that stand for another z",
        ),
        equal(
            f"IWAE, k = {record.iw_samples} = its weights added up one by one",
            _exact(record.bound.value),
            _exact(record.bound_again),
            "a wrong average of the weights: a sum or the largest of them taken for the mean",
        ),
    ]
    if record.log_evidence is not None:
        found.append(
            at_most(
                f"IWAE, k = {record.iw_samples} ≤ log p(x)",
                record.bound,
                record.log_evidence,
                "a log p(x) that is too low, and weights that are too large",
            )
        )
    if record.log_evidence is not None and record.divergence is not None:
        both = Estimate(elbo.value + record.divergence.value, math.hypot(elbo.error, record.divergence.error))
        found += [
            equal(
                "log p(x) = the same by another quadrature",
                record.log_evidence._replace(error=QUADRATURE / SIGMAS),
                _exact(record.log_evidence_again.value),
                "a log p(x) of another picture, or one whose quadrature is too coarse",
            ),
            at_most(
                "0 ≤ KL(q(z|x) ‖ p(z|x))",
                _exact(0.0),
                record.divergence,
                "a log p(x) that is too low in both quadratures, as of a plane cut too small",
            ),
            equal(
                "ELBO + KL(q(z|x) ‖ p(z|x)) = log p(x)",
                both,
                record.log_evidence,
                "an ELBO whose draws miss what a quadrature of q finds",
            ),
        ]
    return found


def at_most(claim: str, left: Estimate, right: Estimate, catches: str) -> Check:
    """left <= right, within the errors of both."""
    slack = _slack(left, right)
    return Check(claim, left.value, "≤", right.value, slack, left.value <= right.value + slack, catches)


def equal(claim: str, left: Estimate, right: Estimate, catches: str) -> Check:
    """left = right, within the errors of both."""
    slack = _slack(left, right)
    return Check(claim, left.value, "=", right.value, slack, abs(left.value - right.value) <= slack, catches)


def _exact(value: float) -> Estimate:
    """A number without a sampling error."""
    return Estimate(value, 0.0)


def _slack(left: Estimate, right: Estimate) -> float:
    """NaN where an error is: then nothing holds."""
    nats, share = ROUNDING
    rounding = nats + share * min(abs(left.value), abs(right.value))  # so that an infinite number gets no slack of it
    return SIGMAS * math.hypot(left.error, right.error) + rounding
