"""The golden oracle: a second implementation of the learning rules, in NumPy float64.

Run by hand (`python golden.py`, needs only NumPy); it checks itself and then writes
golden.json next to this file. The Rust tests read the numbers and do not run Python.

It follows the equations definition by definition, without regard to speed. Samples are rows.
Lists over layers are indexed as in the equations: z[0] = x is clamped, z[1..L-1] are the hidden
activities; entry 0 of lam, rho, c and q is unused. For l = 1..L-1

    c_l = z_l - f_l(z_{l-1}),    q_l = lam_l + rho_l c_l,    e = d(loss)/d(output),
    Lagrangian = sum over samples of  loss + sum_l (lam_l . c_l + rho_l/2 |c_l|^2).

A rule chooses (z, lam); then dW_l = d(Lagrangian)/dW_l / B. README.md explains golden.json.
"""
import json, math, pathlib
from dataclasses import dataclass
import numpy as np

KINK_MARGIN = 1e-3  # no pre-activation on any path comes closer to a kink than this
MM_TOLERANCE = 1e-13  # on the largest entry of the activity gradient
# -------------------------------------------------------------------- activations and losses
erf = np.vectorize(math.erf, otypes=[float])
cdf = lambda v: 0.5 * (1 + erf(v / math.sqrt(2)))
pdf = lambda v: np.exp(-0.5 * v * v) / math.sqrt(2 * math.pi)
sig = lambda v: 1 / (1 + np.exp(-v))
log_softmax = lambda o: o - np.log(np.exp(o).sum(axis=1, keepdims=True))

ACTIVATIONS = {  # name: (phi, phi', kinks)
    "identity": (lambda v: v, lambda v: np.ones_like(v), ()),
    "tanh": (np.tanh, lambda v: 1 - np.tanh(v) ** 2, ()),
    "relu": (lambda v: np.where(v > 0, v, 0.0), lambda v: np.where(v > 0, 1.0, 0.0), (0,)),
    "leaky-relu": (lambda v: np.where(v > 0, v, 0.01 * v), lambda v: np.where(v > 0, 1.0, 0.01), (0,)),
    "gelu": (lambda v: v * cdf(v), lambda v: cdf(v) + v * pdf(v), ()),
    "silu": (lambda v: v * sig(v), lambda v: sig(v) * (1 + v * (1 - sig(v))), ()),
    "sigmoid": (sig, lambda v: sig(v) * (1 - sig(v)), ()),
    "hard-tanh": (lambda v: np.clip(v, -1, 1), lambda v: np.where(abs(v) < 1, 1.0, 0.0), (-1, 1)),
}

LOSSES = {  # name: (loss summed over samples, its gradient e in the output)
    "squared": (lambda o, y: 0.5 * np.sum((o - y) ** 2), lambda o, y: o - y),
    "softmax-cross-entropy": (lambda o, y: -np.sum(y * log_softmax(o)), lambda o, y: np.exp(log_softmax(o)) - y),
}

# -------------------------------------------------------------------- network, edge by edge
@dataclass
class Network:
    name: str
    activation: str
    placement: str  # "pre": a W phi(z) + tau z, "post": phi(a W z) + tau z
    loss: str
    scales: list  # a_1..a_L
    skips: list  # tau_1..tau_L, 0 or 1
    weights: list  # W_1..W_L, each [out, in]
    x: np.ndarray
    y: np.ndarray
    biases: list = None  # b_1..b_L, or none at all

    depth = property(lambda self: len(self.weights))
    hidden = property(lambda self: range(1, self.depth))
    edges = property(lambda self: [None, *zip(self.weights, self.scales, self.skips)])

    def bias(self, l):
        return self.biases[l - 1] if self.biases else 0.0

    def phi(self, v, order=0):
        *functions, kinks = ACTIVATIONS[self.activation]
        assert all(np.min(abs(v - k)) > KINK_MARGIN for k in kinks), f"{self.name}: near a kink"
        return functions[order](v)

def prediction(net, l, below):
    """f_l(z_{l-1}); `pre` has no activation on the input, `post` none on the output."""
    W, a, tau = net.edges[l]
    skip = below if tau else 0
    if net.placement == "pre":
        return a * (below if l == 1 else net.phi(below)) @ W.T + net.bias(l) + skip
    u = a * below @ W.T + net.bias(l)
    return (u if l == net.depth else net.phi(u)) + skip

def outer_slope(net, l, below):
    """phi'(u) of a `post` edge, 1 for its linear readout."""
    W, a, _ = net.edges[l]
    return 1.0 if l == net.depth else net.phi(a * below @ W.T + net.bias(l), 1)

def pull_back(net, l, below, q):
    """J_l^T q, with J_l the Jacobian of f_l in z_{l-1}; l >= 2."""
    W, a, tau = net.edges[l]
    skip = q if tau else 0
    if net.placement == "pre":
        return a * net.phi(below, 1) * (q @ W) + skip
    return a * (outer_slope(net, l, below) * q) @ W + skip

def weight_pull_back(net, l, below, q):
    """The gradient in W_l of sum over samples of q . f_l(z_{l-1})."""
    if net.placement == "pre":
        return net.scales[l - 1] * q.T @ (below if l == 1 else net.phi(below))
    return net.scales[l - 1] * (outer_slope(net, l, below) * q).T @ below

def bias_pull_back(net, l, below, q):
    """The gradient in b_l of the same."""
    return np.sum(q if net.placement == "pre" else outer_slope(net, l, below) * q, axis=0)

# -------------------------------------------------------------------- the Lagrangian
def forward(net):
    z = [net.x]
    for l in net.hidden:
        z.append(prediction(net, l, z[-1]))
    return z

def loss(net, z, order=0):
    return LOSSES[net.loss][order](prediction(net, net.depth, z[-1]), net.y)

def residuals(net, z):
    return [None] + [z[l] - prediction(net, l, z[l - 1]) for l in net.hidden]

def credits(net, z, lam, rho):
    """q_1..q_{L-1}, and -e as the credit of the output edge, which has no residual."""
    c = residuals(net, z)
    return [None] + [lam[l] + rho[l] * c[l] for l in net.hidden] + [-loss(net, z, 1)]

def lagrangian(net, z, lam, rho):
    c = residuals(net, z)
    return loss(net, z) + sum(np.sum(lam[l] * c[l]) + rho[l] / 2 * np.sum(c[l] ** 2) for l in net.hidden)

def activity_gradient(net, z, lam, rho):
    q = credits(net, z, lam, rho)
    return [None] + [q[l] - pull_back(net, l + 1, z[l], q[l + 1]) for l in net.hidden]

def weight_gradients(net, z, q):
    return [-weight_pull_back(net, l, z[l - 1], q[l]) / len(net.x) for l in range(1, net.depth + 1)]

def bias_gradients(net, z, q):
    return [-bias_pull_back(net, l, z[l - 1], q[l]) / len(net.x) for l in range(1, net.depth + 1)]

def all_gradients(net, z, q):
    """Per layer, of the weights and then of the bias if there is one, as one vector."""
    weights = [g.ravel() for g in weight_gradients(net, z, q)]
    return [np.concatenate(pair) for pair in zip(weights, bias_gradients(net, z, q))] if net.biases else weights

# -------------------------------------------------------------------- the rules: each returns (z, lam)
zeros = lambda z: [np.zeros_like(v) for v in z]

def primal_step(net, z, lam, rho, eta):
    g = activity_gradient(net, z, lam, rho)  # every layer reads the same old state
    return z[:1] + [z[l] - eta * g[l] for l in net.hidden]

def dual_step(net, z, lam, rates):
    c = residuals(net, z)
    return lam[:1] + [lam[l] + rates[l] * c[l] for l in net.hidden]

def bp(net, rho):
    z = forward(net)
    lam = zeros(z) + [-loss(net, z, 1)]
    for l in reversed(net.hidden):
        lam[l] = pull_back(net, l + 1, z[l], lam[l + 1])
    return z, lam[:-1]

def bp_gradients(net, rho, gradients=weight_gradients):
    z, lam = bp(net, rho)
    return gradients(net, z, credits(net, z, lam, rho))

def pc(net, rho, budget, eta):
    z = forward(net)
    for _ in range(budget):
        z = primal_step(net, z, zeros(z), rho, eta)
    return z, zeros(z)

def pc_alm(net, rho, budget, eta, alpha, inner, credit):
    z = forward(net)
    lam = zeros(z)
    for cycle in range(1, budget + 1):
        for _ in range(inner):
            z = primal_step(net, z, lam, rho, eta)
        if cycle < budget or credit == "post-dual":
            lam = dual_step(net, z, lam, [alpha] * net.depth)
    return z, lam

def mm(net, rho, budget, eta):
    """Each cycle: lam += rho c (nothing in the first, where c = 0), then solve for z. The credit
    lam + rho c at the final z is the multiplier that one more dual step would give."""
    z = forward(net)
    lam = zeros(z)
    for _ in range(budget):
        lam = dual_step(net, z, lam, rho)
        while max(np.max(abs(g)) for g in activity_gradient(net, z, lam, rho)[1:]) > MM_TOLERANCE:
            z = primal_step(net, z, lam, rho, eta)
    return z, lam

def compare(g, h):
    """Cosine of g and h (None where g is zero), and |g| / |h|."""
    ratio = np.linalg.norm(g) / np.linalg.norm(h)
    return (g @ h / (h @ h) / ratio if ratio > 0 else None), ratio

def run(net, rule, rho=1.0, **parameters):
    rho = [None, *np.broadcast_to(np.float64(rho), net.depth - 1)]
    z, lam = {"bp": bp, "pc": pc, "pc-alm": pc_alm, "mm": mm}[rule](net, rho, **parameters)
    c, q = residuals(net, z), credits(net, z, lam, rho)
    grads = weight_gradients(net, z, q)
    check_gradients(net, z, lam, rho, grads, bias_gradients(net, z, q))
    pairs = list(zip(all_gradients(net, z, q), bp_gradients(net, rho, all_gradients)))
    alignment, norm_ratio = compare(*map(np.concatenate, zip(*pairs)))
    layer_alignment, layer_norm_ratio = zip(*(compare(g, h) for g, h in pairs))
    return {
        "rule": rule, **({} if rule == "bp" else {"rho": rho[1:]}), **parameters,
        **({"tolerance": MM_TOLERANCE} if rule == "mm" else {}),
        "loss": loss(net, z) / len(net.x), "energy": lagrangian(net, z, zeros(z), rho) / len(net.x),
        "residual_norm": math.sqrt(sum(np.sum(v**2) for v in c[1:])),
        "alignment": alignment, "norm_ratio": norm_ratio,
        "layer_alignment": layer_alignment, "layer_norm_ratio": layer_norm_ratio,
        "z": z[1:], "lambda": lam[1:], "q": q[1:-1], "gradients": grads,
        **({"bias_gradients": bias_gradients(net, z, q)} if net.biases else {}),
        "output": prediction(net, net.depth, z[-1]),
    }

# -------------------------------------------------------------------- self-checks
def assert_close(a, b, tolerance, what):
    gap = np.max(abs(np.asarray(a) - np.asarray(b)))
    assert gap <= tolerance, f"{what}: off by {gap:.1e}"

def assert_gradient(value, array, g, what, h=1e-5):
    """Central differences of `value` in each entry of `array`, changed in place and restored."""
    for i in np.ndindex(array.shape):
        kept = array[i]
        array[i] = kept + h
        up = value()
        array[i] = kept - h
        assert_close((up - value()) / (2 * h), g[i], 1e-8, what)
        array[i] = kept

def check_gradients(net, z, lam, rho, grads, bias_grads):
    """Activity and weight gradients against differences of the Lagrangian at (z, lam)."""
    z = [v.copy() for v in z]
    for v, g in list(zip(z, activity_gradient(net, z, lam, rho)))[1:]:
        assert_gradient(lambda: lagrangian(net, z, lam, rho), v, g, f"{net.name}: dL/dz")
    for W, g in zip(net.weights, grads):
        assert_gradient(lambda: lagrangian(net, z, lam, rho) / len(net.x), W, g, f"{net.name}: dL/dW")
    for b, g in zip(net.biases or [], bias_grads):
        assert_gradient(lambda: lagrangian(net, z, lam, rho) / len(net.x), b, g, f"{net.name}: dL/db")

def check_network(net, eta):
    """Backpropagation against differences of the loss itself, and identities between rules."""
    one = [1.0] * net.depth
    for W, g in zip(net.weights, bp_gradients(net, one)):
        assert_gradient(lambda: loss(net, forward(net)) / len(net.x), W, g, f"{net.name}: dloss/dW")
    for b, g in zip(net.biases or [], bp_gradients(net, one, bias_gradients)):
        assert_gradient(lambda: loss(net, forward(net)) / len(net.x), b, g, f"{net.name}: dloss/db")
    z, lam = bp(net, one)
    assert_close(np.hstack(activity_gradient(net, z, lam, one)[1:]), 0, 1e-14, "the BP state is stationary")
    (pc_z, zero), (same_z, _) = pc(net, one, 6, eta), pc_alm(net, one, 2, eta, 0.0, 3, "post-dual")
    assert all(map(np.array_equal, pc_z, same_z)), f"{net.name}: alpha = 0 is PC"
    assert lagrangian(net, pc_z, zero, one) < loss(net, z), f"{net.name}: PC lowers the energy"
    if ACTIVATIONS[net.activation][2]:
        affine = lambda l: net.edges[l][1] * z[l - 1] @ net.edges[l][0].T + net.bias(l)
        inside = z[1:] if net.placement == "pre" else [affine(l) for l in net.hidden]
        assert all(len(np.unique(net.phi(v, 1))) == 2 for v in inside), f"{net.name}: one side of the kinks"

def check_published(net):
    """The published two-sample case, and the limit of many cycles, which is backpropagation."""
    alm, plain = run(net, "pc-alm", **ALGORITHM_1), run(net, "pc", budget=3, eta=0.1)
    for got, want in [
        (run(net, "bp")["loss"], 0.52758825),
        (alm["lambda"][0], [[-0.00474936, 0.00843060], [0.01011738, -0.00243908]]),
        (alm["lambda"][1], [[-0.05741480, 0.07686545], [0.10629874, -0.01796719]]),
        (alm["z"][1], [[0.17840122, 0.12007725], [0.11716225, 0.39411852]]),
        (alm["gradients"][0], [[-0.01194267, -0.01157133], [0.00047837, 0.01003363]]),
        (alm["gradients"][2], [[-0.04150981, -0.02150429], [-0.02549093, -0.08917965]]),
        (plain["z"][1], [[0.17096184, 0.13000423], [0.13089964, 0.39179778]]),
        (plain["gradients"][0], [[-0.00415013, -0.00401918], [0.00015893, 0.00349402]]),
    ]:
        assert_close(got, want, 2e-5, "published case")
    for many in run(net, "mm", budget=100, eta=0.3), run(net, "pc-alm", **(ALGORITHM_1 | {"budget": 9000})):
        assert_close([many["alignment"], many["norm_ratio"]], 1, 1e-11, "the limit of many cycles")

# -------------------------------------------------------------------- the cases, 17 and 6 with biases
ALGORITHM_1 = {"budget": 3, "eta": 0.1, "alpha": 1.0, "inner": 1, "credit": "pre-dual"}
SHAPES = [  # widths n_0..n_L, skips, scales
    ((3, 4, 2, 3), [0, 0, 0], [0.6, 0.5, 0.7]),
    ((2, 4, 4, 4, 3), [0, 1, 1, 0], [0.7, 0.3, 0.25, 0.5]),
    ((4, 3, 2), [0, 0], [1.0, 1.0]),
    ((3, 3, 3, 5, 5, 2), [0, 1, 0, 1, 0], [0.8, 0.4, 0.6, 0.3, 0.45]),
    ((5, 4, 3, 4, 2), [0, 0, 0, 0], [0.5, 0.6, 0.75, 0.55]),
]
BIASED = [  # index of a case whose activation, shape and loss are taken, its seed
    (0, 1), (3, 1), (4, 11), (9, 1), (10, 1), (13, 1),
]
SEEDS = [1, 1, 1, 1, 6, 3, 12, 1, 1, 2, 1, 1, 1, 35, 31, 7]  # away from kinks, no gradient tiny

def published():
    weights = [[0.2, -0.3], [0.4, 0.1]], [[0.5, -0.2], [0.3, 0.7]], [[-0.4, 0.6], [0.8, -0.1]]
    x, y, scales = np.array([[0.25, -0.75], [1, 0.5]]), np.eye(2), [2**-0.5, 6**-0.5, 0.5]
    return Network("published", "tanh", "pre", "squared", scales, [0, 1, 0], [np.array(W) for W in weights], x, y)

def drawn(i, seed):
    """Case i: every activation in both placements, the shapes and losses taking turns."""
    activation, placement = list(ACTIVATIONS)[i // 2], ["pre", "post"][i % 2]
    loss_name, (n, skips, scales) = list(LOSSES)[(i + i // 2) % 2], SHAPES[i % len(SHAPES)]
    rng, batch = np.random.default_rng(seed), 2 + i % 3
    draw = lambda *shape: np.round(rng.standard_normal(shape), 3)
    weights, x, y = [draw(*shape) for shape in zip(n[1:], n)], 2 * draw(batch, n[0]), draw(batch, n[-1])
    if loss_name != "squared":  # a one-hot row, then distributions
        y = np.vstack([np.eye(n[-1])[:1], rng.multinomial(8, [1 / n[-1]] * n[-1], batch - 1) / 8])
    name = f"{activation} {placement} {'residual' if any(skips) else 'chain'} {loss_name} depth {len(scales)}"
    return Network(name, activation, placement, loss_name, scales, skips, weights, x, y)

def biased(i, seed):
    """Case i with other numbers and with biases."""
    net, rng = drawn(i, seed), np.random.default_rng(1000 + seed)
    net.biases = [np.round(0.5 * rng.standard_normal(len(W)), 3) for W in net.weights]
    net.name += " with biases"
    return net

def records(net, turn):
    rho, budget = [0.6, 1.4, 0.8, 1.2][: net.depth - 1], 3 if net.name == "published" else 6
    yield run(net, "bp")
    yield run(net, "pc", budget=budget, eta=0.1)
    yield run(net, "pc-alm", **(ALGORITHM_1 | {"budget": budget}))
    yield run(net, "pc-alm", rho, budget=4, eta=0.12, alpha=0.7, inner=3, credit="post-dual")
    yield run(net, "mm", rho if turn % 2 else 1.0, budget=3, eta=0.1)
    yield run(net, "pc", rho, budget=1 if turn % 4 == 1 else 7, eta=0.12)
    if turn % 2:
        yield run(net, "pc-alm", rho, budget=3, eta=0.1, alpha=0.5, inner=3, credit="pre-dual")
    else:
        alpha = 0.0 if turn % 4 == 2 else 1.3
        yield run(net, "pc-alm", rho, budget=7, eta=0.12, alpha=alpha, inner=1, credit="post-dual")

if __name__ == "__main__":
    check_published(published())
    to_text = lambda value: json.dumps(value, default=np.ndarray.tolist, allow_nan=False, separators=(",", ":"))
    cases = []
    for i, net in enumerate([published(), *map(drawn, range(len(SEEDS)), SEEDS), *(biased(*case) for case in BIASED)]):
        check_network(net, 0.1)
        described = {key: value for key, value in vars(net).items() if value is not None}
        cases.append(to_text(described)[:-1] + ',"rules":[\n' + ",\n".join(map(to_text, records(net, i // 4))) + "\n]}")
    pathlib.Path(__file__).with_name("golden.json").write_text('{"cases":[\n' + ",\n".join(cases) + "\n]}\n")
