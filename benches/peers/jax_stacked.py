"""PC-ALM in JAX by hand: hidden layers stacked in one tensor, all of a step's products batched.

Credit, pull-back and weight gradient are written out; nothing is differentiated by the library.
Z and Λ are [L-1, B, N], the hidden weights W [L-2, N, N]; the input product is computed once.
"""
import common

OPTIONS = common.options()

import jax
import jax.numpy as jnp


def adam(weights, gradient, moments, unbias, rate):
    def update(w, g, m, v):
        m = common.BETA1 * m + (1 - common.BETA1) * g
        v = common.BETA2 * v + (1 - common.BETA2) * g * g
        step = m * unbias[0] / (jnp.sqrt(v * unbias[1]) + common.EPSILON)
        return w - rate * step, m, v

    new = [update(*entry) for entry in zip(weights, gradient, *moments)]
    weights, first, second = zip(*new)
    return weights, (first, second)


def make_step(scales, budget, eta, alpha, rho):
    """`scales`: a_1, the a_l of all hidden edges, a_L."""
    a_in, a, a_out = scales

    def step(weights, moments, unbias, rate, x, y):
        w_in, w, w_out = weights
        base = a_in * (x @ w_in.T)  # the prediction of z_1, constant
        up, down = a * w.transpose(0, 2, 1), a * w
        out_up, out_down = a_out * w_out.T, a_out * w_out

        def residuals(z, active):
            return z - jnp.concatenate([base[None], z[:-1] + active[:-1] @ up])

        def cycle(carry, _):
            z, lam = carry
            active = jax.nn.relu(z)
            c = residuals(z, active)
            lam = lam + alpha * c
            q = lam + rho * c
            error = active[-1] @ out_up - y
            back = jnp.concatenate([q[1:] @ down, -(error @ out_down)[None]])
            skip = jnp.concatenate([q[1:], jnp.zeros_like(q[:1])])
            return (z - eta * (q - skip - jnp.where(z > 0, back, 0)), lam), None

        def climb(below, weight):
            above = below + jax.nn.relu(below) @ weight
            return above, above

        z = jnp.concatenate([base[None], jax.lax.scan(climb, base, up)[1]])
        (z, lam), _ = jax.lax.scan(cycle, (z, jnp.zeros_like(z)), length=budget)
        active = jax.nn.relu(z)
        q = lam + rho * residuals(z, active)
        error = active[-1] @ out_up - y
        batch = x.shape[0]
        gradient = (
            (-a_in / batch) * (q[0].T @ x),
            (-a / batch) * (q[1:].transpose(0, 2, 1) @ active[:-1]),
            (a_out / batch) * (error.T @ active[-1]),
        )
        weights, moments = adam(weights, gradient, moments, unbias, rate)
        return weights, moments, (z, lam, gradient)

    return jax.jit(step, donate_argnums=(0, 1))


class Stacked(common.Peer):
    def __init__(self, options, network, batch):
        scales = network.scales[0], common.hidden_scale(network), network.scales[-1]
        self.batch = [jnp.array(t) for t in batch]
        self.step = make_step(scales, options.budget, options.eta, options.alpha, options.rho)

    def load(self, network):
        first, *hidden, last = (jnp.array(w) for w in network.weights)
        self.weights = first, jnp.stack(hidden), last
        self.moments = tuple(tuple(jnp.zeros_like(w) for w in self.weights) for _ in range(2))
        self.count = 0

    def train(self, rate):
        self.count += 1
        unbias = common.unbias(self.count)
        result = self.step(self.weights, self.moments, unbias, rate, *self.batch)
        self.weights, self.moments, self.last = jax.block_until_ready(result)

    def state(self):
        z, lam, gradient = self.last
        unstack = lambda edges: [edges[0], *edges[1], edges[2]]
        return {"z": z, "lambda": lam, "grad": unstack(gradient), "w": unstack(self.weights)}


if __name__ == "__main__":
    common.main(Stacked, OPTIONS)
