# SPDX-License-Identifier: MIT
"""The local level model with scale mixtures in plain NumPy: predictions, and the sites of the collapsed EM.

Site moments come from numerical integration over the site's variable, not from their closed forms.
"""

import numpy as np

STEP_SCALES = 4.0 ** np.arange(6)
NOISE_SCALES = 4.0 ** np.arange(8)


def normal_pdf(x, variance):
    """Density of a centred normal variable."""
    return np.exp(-0.5 * x * x / variance) / np.sqrt(2 * np.pi * variance)


def mixture_log_likelihood(y, seen, q, r, step_weights, noise_weights):
    """Predict each sample by all pairs of scales; keep one Gaussian with the mixture's two moments."""
    first = np.sort(y[seen > 0][:5])
    mean, variance, total = first[len(first) // 2], 100.0, 0.0
    for t in range(len(y)):
        growth = (q[t] if t > 0 else 0.0) * STEP_SCALES
        if not seen[t]:
            variance += step_weights @ growth
            continue
        predicted = (variance + growth)[:, None]
        noise = (r[t] * NOISE_SCALES)[None, :]
        joint = np.outer(step_weights, noise_weights) * normal_pdf(y[t] - mean, predicted + noise)
        likelihood = joint.sum()
        joint /= likelihood
        gain = predicted / (predicted + noise)
        means = mean + gain * (y[t] - mean)
        mean = (joint * means).sum()
        variance = (joint * (gain * noise + (means - mean) ** 2)).sum()
        total += np.log(likelihood)
    return total


def tilted(distance, cavity, base, scales, weights):
    """Return responsibilities, E[x^2 / scale], matched variance and doubt of x with x + z = distance.

    x has variance base * scale with probability weight, z the variance `cavity`. The matched variance
    is that of the Gaussian x which gives z the same posterior mean; the doubt is by how much the
    posterior variance of z is larger than what that Gaussian gives.
    """
    spread = np.sqrt(cavity)
    z = np.linspace(-40 * spread, 40 * spread, 40_001)
    z += np.clip(distance, z[0] / 4, z[-1] / 4) / 2
    x = distance - z
    joint = [
        w * normal_pdf(x, base * c) * normal_pdf(z, cavity) for w, c in zip(weights, scales, strict=True)
    ]
    mass = np.array([np.trapezoid(j, z) for j in joint])
    total = mass.sum()
    square = sum(np.trapezoid(j * x * x, z) / c for j, c in zip(joint, scales, strict=True)) / total
    z_mean = sum(np.trapezoid(j * z, z) for j in joint) / total
    z_variance = sum(np.trapezoid(j * (z - z_mean) ** 2, z) for j in joint) / total
    gain = z_mean / distance
    return mass / total, square, cavity * (1 - gain) / gain, z_variance - cavity * (1 - gain)
