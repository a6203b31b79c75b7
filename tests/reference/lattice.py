# SPDX-License-Identifier: MIT
"""The efficient price behind prices on ticks, by dense forward-backward over all states of the line.

L. E. Baum, T. Petrie, G. Soules & N. Weiss (1970), Annals of Mathematical Statistics 41(1); the model is in
docs/decisions/0009-lattice.md. States outside a time's window have probability 0; nothing else is left out.
"""

from math import ceil, erfc, log2, pi, sqrt

import numpy as np
from scipy.optimize import brentq

LEAST_SHARE = 1e-5


def step_kernel(variance, reach):
    """Steps -reach .. reach of a sampled Gaussian."""
    d = np.arange(-reach, reach + 1)

    def kernel(s):
        k = np.exp(-0.5 * d**2 / s)
        return k / k.sum()

    if variance >= 0.8:
        return kernel(variance)
    if kernel(0.01) @ d**2 >= variance:
        return kernel(0.01)
    return kernel(brentq(lambda s: kernel(s) @ d**2 - variance, 0.01, 1, xtol=1e-15, rtol=1e-14))


def centres(price, at, n, half):
    """Medians of five prices, less those that stand out most from both neighbours; between them the line."""
    stands = np.zeros(len(price))
    for i in range(1, len(price) - 1):
        before, after = price[i] - price[i - 1], price[i] - price[i + 1]
        if before * after > 0 and min(abs(before), abs(after)) > half:
            stands[i] = min(abs(before), abs(after))
    kept = [s == 0 or s < max(stands[i - 1 : i + 2]) for i, s in enumerate(stands)]
    price, at = price[kept], at[kept]
    w = min(len(at), 5)
    first = np.clip(np.arange(len(at)) - w // 2, 0, len(at) - w)
    middle = np.array([np.sort(price[i : i + w])[w // 2] for i in first])
    centre = np.empty(n, int)
    centre[: at[0]], centre[at[-1] :] = middle[0], middle[-1]
    for i, j, u, v in zip(at, at[1:], middle, middle[1:], strict=False):
        line = np.linspace(u, v, j - i, endpoint=False)
        if abs(v - u) > half:
            line = np.where(2 * np.arange(j - i) > j - i, v, u)
        centre[i:j] = np.where(line < u, np.ceil(line - 0.5), np.floor(line + 0.5))
    return centre


class Lattice:
    """Grid, model and recursions; variances in squared states, `per_tick` states a tick."""

    def __init__(self, y, seen, tick, noise_variance, step_variance, step_scale=None):
        n, at = len(y), np.flatnonzero(seen)
        noise_sd, step_sd = sqrt(max(noise_variance, tick**2 / 12)), sqrt(step_variance)
        self.per_tick = 4
        while self.per_tick < 16 and self.per_tick * step_sd < 1.5 * tick:
            self.per_tick *= 2
        if min(noise_sd, step_sd) > 2 * tick:
            self.per_tick = 2
        self.spacing, self.origin = tick / self.per_tick, y[at[0]]
        fast = 1.0 if step_scale is None else np.clip(np.sort(step_scale)[(n - 1) * 99 // 100], 1, 16)
        half = ceil(3 * sqrt(noise_variance + step_variance * fast) / self.spacing) + self.per_tick
        self.width = (2 * half + 8) // 8 * 8
        self.noise_reach = ceil(4 * noise_sd / self.spacing)

        price = np.round((y[at] - self.origin) / tick) * self.per_tick
        self.centre = centres(price.astype(int), at, n, half)
        self.price, self.seen = np.zeros(n, int), np.asarray(seen) != 0
        self.price[at] = price
        self.bad_range = 2 * (np.max(np.abs(price - self.centre[at])) / self.per_tick + 1)
        self.jump_range = 2 * (np.max(np.abs(np.diff(self.centre)), initial=0) + half)
        scale = np.ones(n) if step_scale is None else np.clip(step_scale, 1 / 64, 64)
        self.scale = 2 ** (np.round(4 * np.log2(scale)) / 4)
        self.low = self.centre.min() - self.width // 2
        self.states = np.arange(self.low, self.centre.max() + self.width // 2)

    def offset_probability(self, offset, model):
        """P(y | x) for y - x = offset states: the noise lands within half a tick of y, edges shared."""
        total = np.full(np.shape(offset), model["bad"] / self.bad_range)
        for j, p in zip(range(-self.noise_reach, self.noise_reach + 1), model["noise"], strict=True):
            distance = 2 * np.abs(offset - j)
            part = np.where(distance == self.per_tick, 0.5, np.where(distance < self.per_tick, 1.0, 0.0))
            total = total + (1 - model["bad"]) * p * part
        return total

    def emission(self, t, model):
        inside = (self.states > self.centre[t] - self.width // 2) & (
            self.states < self.centre[t] + self.width // 2
        )
        likelihood = (
            self.offset_probability(self.price[t] - self.states, model)
            if self.seen[t]
            else np.ones(len(self.states))
        )
        return inside * likelihood, inside

    def walk(self, t, model):
        """Probabilities of steps into t without a jump, from each state to each, and the steps."""
        variance = model["step"] * self.scale[t]
        reach = min(max(ceil(4.5 * sqrt(variance)), 2), self.width)
        kernel = (1 - model["jumps"]) * step_kernel(variance, reach)
        d = self.states[:, None] - self.states[None, :]
        return np.where(np.abs(d) <= reach, kernel[np.clip(d + reach, 0, 2 * reach)], 0), d

    def smooth(self, model):
        """Posterior (time, state), log-likelihood, and the expected counts of Baum & Welch."""
        n = len(self.centre)
        jump = model["jumps"] / self.jump_range
        forward, backward = np.zeros((n, len(self.states))), np.ones((n, len(self.states)))
        log_likelihood = 0.0
        for t in range(n):
            likelihood, inside = self.emission(t, model)
            before = inside / inside.sum() if t == 0 else self.walk(t, model)[0] @ forward[t - 1] + jump
            forward[t] = before * likelihood
            log_likelihood += np.log(forward[t].sum())
            forward[t] /= forward[t].sum()
        counts = dict.fromkeys(("steps", "jumps", "squares"), 0.0)
        for t in range(n - 1, 0, -1):
            after = self.emission(t, model)[0] * backward[t]
            walk, d = self.walk(t, model)
            pairs, jumps = after[:, None] * walk * forward[t - 1], jump * after.sum()
            total = pairs.sum() + jumps
            counts["steps"] += pairs.sum() / total
            counts["jumps"] += jumps / total
            counts["squares"] += (pairs * d**2).sum() / total / self.scale[t]
            backward[t - 1] = (walk.T @ after + jumps) / total
        posterior = forward * backward
        return posterior / posterior.sum(1, keepdims=True), log_likelihood, counts

    def updated(self, model, posterior, counts):
        """One iteration of Baum & Welch, with five of EM for the noise before rounding."""
        support = self.noise_reach + self.per_tick // 2
        offsets = np.arange(-support, support + 1)
        expected, beyond = np.zeros(2 * support + 1), 0.0
        for t in np.flatnonzero(self.seen):
            off = self.price[t] - self.states
            near = np.abs(off) <= support
            np.add.at(expected, off[near] + support, posterior[t, near])
            beyond += posterior[t, ~near].sum()
        expected = (expected + expected[::-1]) / 2
        new = dict(model)
        for _ in range(5):
            ratio = expected / self.offset_probability(offsets, new)
            bad = beyond + (ratio * new["bad"] / self.bad_range).sum()
            share = [
                np.convolve(ratio, [0.5, *[1] * (self.per_tick - 1), 0.5], "valid")[k] * p
                for k, p in enumerate(new["noise"])
            ]
            new["noise"] = np.array(share) / sum(share)
            new["bad"] = np.clip(bad / (expected.sum() + beyond), LEAST_SHARE, 0.5)
        steps = counts["steps"] + counts["jumps"]
        if steps > 0:
            new["jumps"] = np.clip(counts["jumps"] / steps, LEAST_SHARE, 0.5)
        if counts["steps"] > 0:
            new["step"] = max(counts["squares"] / counts["steps"], 0.01)
        return new

    def starts(self, variance, step):
        """Noise of two Gaussian bumps, from one in the middle to a bounce."""
        for part in (0, 0.8, 0.95, 1):
            at = part * sqrt(variance)
            sd = sqrt(max(variance - at**2, (0.12 * self.per_tick) ** 2))
            p = np.zeros(2 * self.noise_reach + 1)
            for k in range(len(p)):
                for sign in (-1, 1):
                    z = (k - self.noise_reach - sign * at) / sd
                    p[k] += 0.5 * (erfc((z - 0.5 / sd) / sqrt(2)) - erfc((z + 0.5 / sd) / sqrt(2)))
            yield {"noise": p / p.sum(), "step": step, "bad": 0.002, "jumps": 0.001}

    def gaussian_log_likelihood(self, noise, step):
        mean, variance, total = float(self.centre[0]), (self.width - 1) ** 2 / 12, 0.0
        for t in range(len(self.centre)):
            variance += step * self.scale[t] if t else 0
            if self.seen[t]:
                spread, error = variance + noise, self.price[t] - mean
                total += log2(self.per_tick) * np.log(2) - 0.5 * (np.log(2 * pi * spread) + error**2 / spread)
                mean, variance = mean + variance / spread * error, variance * noise / spread
        return total


def smooth_lattice(y, seen, tick, noise_variance, step_variance, step_scale=None):
    """Mean and variance of the efficient price, and the fit; fewer than 16,384 samples."""
    lattice = Lattice(y, seen, tick, noise_variance, step_variance, step_scale)
    unit = lattice.spacing**2
    before_rounding = max(noise_variance - tick**2 / 12, 0.04 * tick**2) / unit
    model = max(lattice.starts(before_rounding, step_variance / unit), key=lambda m: lattice.smooth(m)[1])
    last = gain = 0.0
    iterations = 0
    while iterations < 8:
        posterior, log_likelihood, counts = lattice.smooth(model)
        gain = log_likelihood - last
        if iterations > 0 and gain < 0.5:
            break
        last, model = log_likelihood, lattice.updated(model, posterior, counts)
        iterations += 1
    posterior, log_likelihood, _ = lattice.smooth(model)
    mean = posterior @ lattice.states
    variance = np.array([p @ (lattice.states - m) ** 2 for p, m in zip(posterior, mean, strict=True)])
    j = np.arange(-lattice.noise_reach, lattice.noise_reach + 1)
    fit = {
        "noise_variance": (model["noise"] @ j**2) * unit + tick**2 / 12,
        "step_variance": model["step"] * unit,
        "bad_tick_share": model["bad"],
        "jump_share": model["jumps"],
        "log_likelihood_gain": log_likelihood
        - lattice.gaussian_log_likelihood(noise_variance / unit, step_variance / unit),
        "iterations": iterations,
        "converged": gain < 1,
    }
    return lattice.origin + mean * lattice.spacing, variance * unit, fit
