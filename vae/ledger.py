"""What must hold between the numbers of one record, each claim by estimates that share as little as possible.

A claim that does not hold means that a number on the page is wrong: a variance taken for a standard deviation, a mean
for a sum, another picture's z, a sign. Estimates are called equal while at most `SIGMAS` standard errors lie between.
"""

import math
from typing import NamedTuple

from vae.frame import IW_SAMPLES, Estimate, Frame

SIGMAS = 5.0
ROUNDING = 2e-3  # nats, of sums of hundreds of float32


class Check(NamedTuple):
    """A claim about two numbers in nats, left `sign` right within `slack`, and whether it holds."""

    claim: str
    left: float
    sign: str
    right: float
    slack: float
    holds: bool


def checks(record: Frame) -> list[Check]:
    """Every claim that can be made about a record."""
    per_dimension, elbo = record.kl_per_dimension, Estimate(record.elbo, record.reconstruction.error)
    kl, known = Estimate(record.kl, 0.0), Estimate(0.0, 0.0)
    found = [
        at_most("0 ≤ KL of every latent", known, Estimate(float(per_dimension.min()), 0.0)),
        equal("Σ KL of the latents = E_q[log q(z|x) − log p(z)]", kl, record.kl_sampled),
        equal("E_q[log p(x|z)] − KL = E_q[log p(x, z) − log q(z|x)]", elbo, record.bounds[1]),
    ]
    before = ("ELBO", elbo)
    for k, bound in list(record.bounds.items())[1:]:
        found.append(at_most(f"{before[0]} ≤ IWAE, k = {k}", before[1], bound))
        before = (f"IWAE, k = {k}", bound)
    if record.information is not None:
        most = Estimate(math.log(record.company + 1), 0.0)
        found.append(at_most("0 ≤ KL(q(z|x) ‖ q(z))", known, record.information))
        found.append(at_most("KL(q(z|x) ‖ q(z)) ≤ log N", record.information, most))
    if record.log_evidence is not None:
        found.append(at_most(f"IWAE, k = {IW_SAMPLES} ≤ log p(x)", record.bounds[IW_SAMPLES], record.log_evidence))
    if record.log_evidence is not None and record.divergence is not None:
        both = Estimate(elbo.value + record.divergence.value, math.hypot(elbo.error, record.divergence.error))
        found.append(at_most("0 ≤ KL(q(z|x) ‖ p(z|x))", known, record.divergence))
        found.append(equal("ELBO + KL(q(z|x) ‖ p(z|x)) = log p(x)", both, record.log_evidence))
    return found


def at_most(claim: str, left: Estimate, right: Estimate) -> Check:
    """left <= right, within the errors of both."""
    slack = _slack(left, right)
    return Check(claim, left.value, "≤", right.value, slack, left.value <= right.value + slack)


def equal(claim: str, left: Estimate, right: Estimate) -> Check:
    """left = right, within the errors of both."""
    slack = _slack(left, right)
    return Check(claim, left.value, "=", right.value, slack, abs(left.value - right.value) <= slack)


def _slack(left: Estimate, right: Estimate) -> float:
    """NaN where an error is: then nothing holds."""
    return SIGMAS * math.hypot(left.error, right.error) + ROUNDING
