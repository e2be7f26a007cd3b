"""PC-ALM in JAX as one would write it down: lists of layers, and gradients by autodiff.

The augmented Lagrangian is a function of lists; jax.grad gives the activity gradient in every
inference step and the weight gradient at the end. The whole training step is one jitted function.
"""
import common

OPTIONS = common.options()

import jax
import jax.numpy as jnp


def predict(edge, weight, below):
    """f_l(z_{l-1}). `edge` is (position, a_l, skip)."""
    position, scale, skip = edge
    inputs = below if position == "input" else jax.nn.relu(below)
    prediction = scale * (inputs @ weight.T)
    return prediction + below if skip else prediction


def residuals(edges, weights, x, z):
    """c_l = z_l - f_l(z_{l-1}) of every hidden layer."""
    return [z_l - predict(e, w, below) for e, w, below, z_l in zip(edges, weights, [x] + z, z)]


def lagrangian(z, weights, lam, edges, rho, x, y):
    """The augmented Lagrangian, summed over the batch."""
    error = predict(edges[-1], weights[-1], z[-1]) - y
    total = 0.5 * jnp.sum(error**2)
    for lam_l, c_l in zip(lam, residuals(edges, weights, x, z)):
        total += jnp.sum(lam_l * c_l) + 0.5 * rho * jnp.sum(c_l**2)
    return total


def forward(edges, weights, x):
    z = []
    for edge, weight in zip(edges[:-1], weights[:-1]):
        z.append(predict(edge, weight, z[-1] if z else x))
    return z


def adam(weights, gradient, moments, unbias, rate):
    def update(w, g, m, v):
        m = common.BETA1 * m + (1 - common.BETA1) * g
        v = common.BETA2 * v + (1 - common.BETA2) * g * g
        step = m * unbias[0] / (jnp.sqrt(v * unbias[1]) + common.EPSILON)
        return w - rate * step, m, v

    new = [update(*entry) for entry in zip(weights, gradient, *moments)]
    weights, first, second = (list(column) for column in zip(*new))
    return weights, (first, second)


def make_step(edges, budget, eta, alpha, rho):
    def step(weights, moments, unbias, rate, x, y):
        def cycle(carry, _):
            z, lam = carry
            lam = [lam_l + alpha * c_l for lam_l, c_l in zip(lam, residuals(edges, weights, x, z))]
            slope = jax.grad(lagrangian)(z, weights, lam, edges, rho, x, y)
            return ([z_l - eta * g for z_l, g in zip(z, slope)], lam), None

        z = forward(edges, weights, x)
        start = z, [jnp.zeros_like(z_l) for z_l in z]
        (z, lam), _ = jax.lax.scan(cycle, start, length=budget)
        gradient = jax.grad(lagrangian, argnums=1)(z, weights, lam, edges, rho, x, y)
        gradient = [g / x.shape[0] for g in gradient]
        weights, moments = adam(weights, gradient, moments, unbias, rate)
        return weights, moments, (z, lam, gradient)

    return jax.jit(step, donate_argnums=(0, 1))


class Reference(common.Peer):
    def __init__(self, options, network, batch):
        position = ["input"] + ["hidden"] * (network.depth - 2) + ["readout"]
        edges = list(zip(position, network.scales, network.skips))
        self.batch = [jnp.array(t) for t in batch]
        self.step = make_step(edges, options.budget, options.eta, options.alpha, options.rho)

    def load(self, network):
        self.weights = [jnp.array(w) for w in network.weights]
        self.moments = tuple([jnp.zeros_like(w) for w in self.weights] for _ in range(2))
        self.count = 0

    def train(self, rate):
        self.count += 1
        unbias = common.unbias(self.count)
        result = self.step(self.weights, self.moments, unbias, rate, *self.batch)
        self.weights, self.moments, self.last = jax.block_until_ready(result)

    def state(self):
        z, lam, gradient = self.last
        return {"z": z, "lambda": lam, "grad": gradient, "w": self.weights}


if __name__ == "__main__":
    common.main(Reference, OPTIONS)
