# SPDX-License-Identifier: MIT
"""The causal denoiser from its design (docs/decisions/0011-causal.md): components listed, logarithms kept."""

import numpy as np

RATIO = (0.05 * 1.35 ** np.arange(24)) ** -2.0  # step over noise variance of each filter
VOLATILITY = 1.7 ** np.arange(-4.0, 5.0)
JUMP, NOISY, BAD = 200.0, 8.0, 300.0


class Bank:
    """Kalman filters, and what the samples so far say of them."""

    def __init__(self):
        self.mean, self.variance = np.zeros(24), np.ones(24)
        self.sums, self.recent = np.zeros((3, 24)), np.zeros((3, 24))  # squares, logs, count
        self.block, self.age = np.zeros((3, 24)), 0
        self.weight = self.recent_weight = np.full(24, 1 / 24)
        self.scale = self.recent_scale = np.zeros(24)

    def advance(self, value, jump=0.0, volatility=1.0):
        e, before = value - self.mean, self.variance + RATIO * volatility
        f, wide = before + 1, before + JUMP * RATIO
        self.block += (1 - jump) * np.stack([e**2 / f, np.log(f), np.ones(24)])
        self.age += 1
        gains, shares = np.stack([before / f, wide / (wide + 1)]), np.array([1 - jump, jump])
        gain = shares @ gains
        apart = shares @ (gains - gain) ** 2
        size = np.minimum(e**2 / np.maximum(self.scale, 2.0**-120), JUMP * RATIO + 10 * f)
        self.variance = gain + apart * size
        self.mean = self.mean + gain * e

    def close(self):
        self.sums = self.sums + self.block
        self.recent = self.recent * (31 / 32) ** self.age + self.block
        self.block, self.age = np.zeros((3, 24)), 0

    @staticmethod
    def posterior(sums):
        squares, logs, n = sums
        scale = (squares + 2.0**-120) / n
        log = -0.5 * (logs + n * np.log(scale))
        weight = np.exp(log - log.max())
        return weight / weight.sum(), scale

    def weigh(self):
        self.close()
        self.weight, self.scale = self.posterior(self.sums)
        self.recent_weight, self.recent_scale = self.posterior(self.recent)

    @property
    def noise_variance(self):
        return self.weight @ self.scale

    @property
    def step_variance(self):
        return self.weight @ (self.scale * RATIO)

    def gain_db(self):
        r = self.noise_variance / self.step_variance
        return 10 * np.log10((1 + np.sqrt(1 + 4 * r)) / 2)


class Chain:
    """One Gaussian for a mixture of steps, jumps and bad samples."""

    def __init__(self, bad, moves, prior, level, variance):
        self.bad, self.moves, self.prior = bad, moves, prior
        self.level, self.variance, self.evidence = level, variance, prior
        self.mean_volatility = 1.0
        self.probability = np.eye(9)[4]

    def advance(self, value, q, r, jump_rate):
        p = self.probability
        if self.moves:
            p = p * (1 - 0.003) + 0.003 * np.eye(9)[4]
            edges = np.r_[p[0], p, p[-1]]
            p = p * (1 - 0.04) + 0.02 * (edges[:-2] + edges[2:])
        rates = [0.0005, 0.02, 0.003] if self.bad else [jump_rate, 0.0, 0.0]
        now = q * self.mean_volatility
        steps = np.r_[q * VOLATILITY, JUMP * now, now, now]
        noises = r * np.r_[np.ones(10), NOISY, BAD]
        prior = np.r_[(1 - sum(rates)) * p, rates]
        before, e = self.variance + steps, value - self.level
        f = before + noises
        exponent = -0.5 * e**2 / f
        top = -0.5 * e**2 / (self.variance + max(JUMP * now + r, now + (BAD if self.bad else 1) * r))
        likelihood = np.exp(np.clip(exponent - top, -650, 0)) / np.sqrt(f)
        share = prior * likelihood / (prior @ likelihood)
        gain = before / f
        mean_gain = share @ gain
        precision = share @ (1 / f)
        covariance = share @ (gain / f) - mean_gain * precision
        self.level += mean_gain * e
        self.variance = share @ (gain * noises) + share @ (gain - mean_gain) ** 2 * e**2
        self.log_likelihood = np.log(prior @ likelihood) + top
        self.jump = share[9]
        if self.moves:
            self.probability = p * likelihood[:9] / (p @ likelihood[:9])
            self.mean_volatility = self.probability @ VOLATILITY
        return precision * e, (1 - mean_gain) + covariance * e**2

    def volatility(self):
        return np.exp(self.probability @ np.log(VOLATILITY))


def recent_log_likelihood(e, f):
    """Return the logarithm of a Gaussian with heavier tails."""
    variance, weight = f * np.array([1, 10, 200]), np.array([0.95, 0.05, 0.003])
    return np.logaddexp.reduce(np.log(weight) - 0.5 * np.log(variance) - 0.5 * e**2 / variance)


class Causal:
    """Push prices one by one; each push returns the estimate `lookahead` samples back."""

    def __init__(self, method="auto", lookahead=0, outliers="none", min_gain_db=0.1):
        self.method, self.lookahead, self.min_gain_db = method, lookahead, min_gain_db
        self.spike = 4.0 if outliers == "spike" else -2.0
        self.bank, self.chains, self.weights = Bank(), None, None
        self.centre = self.price = np.nan
        self.unit, self.gate, self.time, self.resets, self.reset_time = 0.0, 0.0, 0, 0, -np.inf
        self.increments, self.last, self.last_move = np.zeros(4), 0.0, 0.0
        self.alarm, self.jumps, self.recent_jumps, self.feedback, self.level = 0.0, 0.0, 0.0, 1.0, 0.0
        self.quiet = np.zeros(3)  # level, variance, alarm
        self.still = 0.0
        # Newest first: the price, the estimates and what they share with the level now.
        size = (lookahead, 1 if method == "kalman" else 4)
        self.prices, self.means, self.shared = np.full(lookahead, np.nan), np.zeros(size), np.zeros(size)

    def push(self, price):
        seen = not np.isnan(price)
        if not seen:
            price = self.price
        elif np.isnan(self.centre):
            self.centre = price
        elif self.unit == 0 and price != self.centre:
            self.unit = 2.0 ** np.floor(np.log2(abs(price - self.centre)))
        self.price = price
        step = {"auto": self.automatic, "kalman": self.kalman}[self.method]
        if self.unit > 0:
            self.time += 1
            step((price - self.centre) / self.unit if seen else None)
        if self.method == "kalman":
            now, spread = [self.level], [1.0]
        else:
            chains = self.chains or [Chain(False, False, 0.0, 0.0, 0.0)] * 4
            now, spread = zip(*((chain.level, chain.variance) for chain in chains), strict=True)
        came, means = price, now
        if self.lookahead:
            came, means = self.prices[-1], self.means[-1]
            self.prices = np.r_[price, self.prices[:-1]]
            self.means, self.shared = np.r_[[now], self.means[:-1]], np.r_[[spread], self.shared[:-1]]
        if self.gate <= 1e-3:
            return came
        weights = np.ones(1) if self.weights is None else self.weights
        return came + self.gate * (weights @ means - (came - self.centre) / self.unit) * self.unit

    def opening(self):
        return np.clip((self.bank.gain_db() - 0.6 * self.min_gain_db) / max(self.min_gain_db, 1e-9), 0, 1)

    def due(self):
        return self.time < 64 or self.time % 8 == 0

    def kalman(self, value):
        bank = self.bank
        self.shared = self.shared * (bank.weight @ (bank.variance / (bank.variance + RATIO)))
        if value is None:
            bank.variance = bank.variance + RATIO
        else:
            bank.advance(value)
        if self.due() and bank.block[2, 0] > 0:
            bank.weigh()
            self.gate = self.opening()
        if value is None:
            return
        level = bank.weight @ bank.mean
        self.means = self.means + self.shared * (level - self.level)
        self.level = level

    def restart(self, level, variance):
        kinds = [(False, False), (True, False), (False, True), (True, True)]
        self.chains = [Chain(b, m, self.spike * b - 3 * m, level, variance) for b, m in kinds]
        self.weigh_chains()
        self.feedback = 1.0

    def weigh_chains(self):
        odds = np.exp([c.evidence for c in self.chains])
        self.weights = odds / odds.sum()

    def automatic(self, value):
        bank, volatility = self.bank, self.feedback
        if value is None:
            bank.variance = bank.variance + RATIO
            for chain in self.chains or []:
                chain.variance += bank.step_variance
            if self.due() and bank.block[2, 0] > 0:
                self.refit()
            return
        jump, changed = 0.0, False
        if self.time >= 16:
            if self.chains is None:
                self.restart(bank.weight @ bank.mean, bank.weight @ (bank.scale * bank.variance))
                at = (self.prices - self.centre) / self.unit
                self.means = np.repeat(np.where(np.isnan(at), 0, at)[:, None], 4, axis=1)
                self.shared[:] = 0
                self.quiet[:] = value, 0, 0
            jump, changed = self.follow(value, volatility)
            if jump is None:
                return
        self.test(value)
        if self.recent_jumps > 2 or self.time - self.reset_time < 32 or jump < 1e-6:
            jump = 0.0
        self.recent_jumps = 0.8 * self.recent_jumps + jump
        self.recent_jumps *= self.recent_jumps > 1e-6
        self.jumps += jump
        bank.advance(value, jump, volatility)
        if changed or self.due():
            self.refit()

    def refit(self):
        self.bank.weigh()
        quiet = self.time - self.reset_time < 16 or self.chains is None or self.still > 0.9
        self.gate = 0.0 if quiet else self.belief() * self.opening()

    def follow(self, value, volatility):
        bank, first = self.bank, self.chains[0]
        q, r = bank.step_variance, bank.noise_variance
        outside = (value - first.level) ** 2 > 4 * (first.variance + q + r)
        rate = (0.9 + self.jumps) / (300 + (bank.sums + bank.block)[2, 0])
        moves = np.array([chain.advance(value, q, r, rate) for chain in self.chains]).T
        self.means = self.means + self.shared * moves[0]
        self.shared = self.shared * np.clip(moves[1], -8, 8)
        jump = first.jump if outside and self.time > 24 else 0.0
        logs = np.array([chain.log_likelihood for chain in self.chains])
        old = np.array([chain.evidence for chain in self.chains])
        used = np.logaddexp.reduce(old + logs) - np.logaddexp.reduce(old)
        self.feedback = self.weights @ [chain.volatility() for chain in self.chains]
        for chain, evidence in zip(self.chains, old + logs - (old + logs).max(), strict=True):
            chain.evidence = max(evidence, chain.prior - 30)
        self.weigh_chains()
        if self.time < 64:
            return jump, False
        if self.falls_quiet(value, q * volatility, r / 16, used):
            self.begin_again(value)
            return None, False
        level = bank.recent_weight @ bank.mean
        f = bank.recent_weight @ (bank.recent_scale * (bank.variance + RATIO + 1))
        better = recent_log_likelihood(value - level, f) - used
        self.alarm = max(0.0, self.alarm + np.clip(better, -3, 3))
        if self.alarm <= 20:
            return jump, False
        bank.close()
        bank.sums = bank.recent * min(1.0, 8 / bank.recent[2, 0])
        self.increments[:] = 0
        self.alarm = self.jumps = 0.0
        self.resets += 1
        self.reset_time = self.time
        self.restart(level, bank.recent_weight @ (bank.recent_scale * bank.variance))
        return jump, True

    def falls_quiet(self, value, q, r, used):
        level, variance, alarm = self.quiet
        f, e = variance + q + r, value - level
        better = 0 if value == self.last else np.clip(recent_log_likelihood(e, f) - used, -3, 3)
        gain = (variance + q) / f
        self.quiet[:] = level + gain * e, gain * r, max(0.0, alarm + better) * (self.gate > 0.5)
        return self.quiet[2] > 20

    def begin_again(self, value):
        self.bank, self.chains, self.weights = Bank(), None, None
        self.bank.mean = np.full(24, value)
        self.gate, self.time, self.increments, self.last, self.last_move = 0.0, 0, np.zeros(4), value, 0.0
        self.alarm, self.jumps, self.recent_jumps, self.feedback = 0.0, 0.0, 0.0, 1.0
        self.resets, self.reset_time = self.resets + 1, -np.inf

    def test(self, value):
        products, squares, count, total = self.increments
        move = value - self.last
        self.still += ((move == 0) - self.still) / 64
        count, total = count + 1, total + abs(move)
        move = np.clip(move, -4 * total / count, 4 * total / count)
        product = move * self.last_move
        self.last, self.last_move = value, move
        self.increments = np.array([products - product, squares + product**2, count, total])

    def belief(self):
        clean = self.bank.weight[:4].sum()
        odds = (max(1 - clean, 1e-300) / 20) / (max(clean, 1e-300) / 4)
        products, squares, count, total = self.increments
        if squares > 0:
            sums = squares + np.array([10, 100]) * (1.25 * total / count) ** 4
            exponent = np.minimum(0.5 * products * abs(products) / sums, 600)
            odds = min(odds, np.sum(np.sqrt(1 - squares / sums) * np.exp(exponent)))
        return max(0.0, odds / (odds + np.exp(1.75)) - 0.1) / 0.9


def denoise(x, **options):
    """Return the estimates as they are given: that of x[t - lookahead] at t."""
    causal = Causal(**options)
    return np.array([causal.push(price) for price in x])
