"""PC-ALM in PyTorch by hand: hidden layers stacked in one tensor, all of a step's products batched.

The same equations as jax_stacked.py, with preallocated tensors and in-place operations where they
save a pass, and no autograd. `--compile` puts one inference cycle and Adam through torch.compile.
"""
import common

OPTIONS = common.options(compile="compile the inference cycle and Adam with torch.compile")

import torch

torch.set_num_threads(OPTIONS.threads)


def eager_cycle(z, lam, buffers, base, y, weights, scales, eta, alpha, rho):
    """One dual step and one activity step, in place, in as few passes as torch's operations allow."""
    a, a_out = scales
    w, w_up, w_out = weights
    active, c, back = buffers
    torch.clamp_min(z, 0.0, out=active)
    torch.sub(z[0], base, out=c[0])
    torch.sub(z[1:], z[:-1], out=c[1:]).baddbmm_(active[:-1], w_up, alpha=-a)
    lam.add_(c, alpha=alpha)
    q = torch.add(lam, c, alpha=rho, out=c)
    error = torch.addmm(y, active[-1], w_out.T, beta=-1, alpha=a_out)
    torch.bmm(q[1:], w, out=back[:-1])
    torch.mm(error, w_out, out=back[-1])
    torch.ops.aten.threshold_backward.grad_input(back, z, 0, grad_input=back)  # φ'(z) ⊙ back
    z.sub_(q, alpha=eta)
    z[:-1].add_(q[1:], alpha=eta).add_(back[:-1], alpha=eta * a)
    z[-1].sub_(back[-1], alpha=eta * a_out)


def fused_cycle(z, lam, buffers, base, y, weights, scales, eta, alpha, rho):
    """The same with plain expressions, for a compiler to fuse."""
    a, a_out = scales
    w, w_up, w_out = weights
    active = torch.relu(z)
    c = z - torch.cat([base[None], torch.baddbmm(z[:-1], active[:-1], w_up, alpha=a)])
    raised = lam + alpha * c
    q = raised + rho * c
    error = a_out * (active[-1] @ w_out.T) - y
    back = torch.cat([a * torch.bmm(q[1:], w), (-a_out * (error @ w_out))[None]])
    skip = torch.cat([q[1:], torch.zeros_like(q[:1])])
    lam.copy_(raised)
    z.copy_(z - eta * (q - skip - torch.where(z > 0, back, 0.0)))


def adam(weights, gradient, first, second, unbias1, unbias2, rate):
    """`unbias…`, `rate`: 0-dimensional tensors, so that a compiled version is not specialised on them."""
    for w, g, m, v in zip(weights, gradient, first, second):
        m.mul_(common.BETA1).add_(g, alpha=1 - common.BETA1)
        v.mul_(common.BETA2).addcmul_(g, g, value=1 - common.BETA2)
        w.sub_(rate * (m * unbias1) / ((v * unbias2).sqrt() + common.EPSILON))


class Stacked(common.Peer):
    def __init__(self, options, network, batch):
        self.options = options
        self.scales = network.scales[0], common.hidden_scale(network), network.scales[-1]
        self.x, self.y = (torch.from_numpy(t) for t in batch)
        samples, hidden = self.x.shape[0], network.depth - 1
        self.z, self.lam, *self.buffers = torch.zeros(5, hidden, samples, network.width)
        self.cycle, self.adam = eager_cycle, adam
        if options.compile:
            self.cycle, self.adam = torch.compile(fused_cycle), torch.compile(adam)

    @torch.inference_mode()
    def load(self, network):
        first, *hidden, last = (torch.tensor(w) for w in network.weights)
        self.weights = [first, torch.stack(hidden), last]
        self.gradient = [torch.zeros_like(w) for w in self.weights]
        self.moments = [[torch.zeros_like(w) for w in self.weights] for _ in range(2)]
        self.count = 0

    @torch.inference_mode()
    def train(self, rate):
        o, z, lam = self.options, self.z, self.lam
        (a_in, a, a_out), (w_in, w, w_out) = self.scales, self.weights
        base = a_in * (self.x @ w_in.T)
        w_up = w.transpose(1, 2).contiguous()  # a copy per step: MKL multiplies faster untransposed
        z[0] = base
        for l in range(len(w)):
            torch.addmm(z[l], torch.relu(z[l]), w_up[l], alpha=a, out=z[l + 1])
        lam.zero_()
        edges = w, w_up, w_out
        for _ in range(o.budget):
            self.cycle(z, lam, self.buffers, base, self.y, edges, (a, a_out), o.eta, o.alpha, o.rho)

        active = torch.relu(z)
        q = lam.clone()
        q[0] += o.rho * (z[0] - base)
        q[1:] += o.rho * (z[1:] - torch.baddbmm(z[:-1], active[:-1], w_up, alpha=a))
        error = a_out * (active[-1] @ w_out.T) - self.y
        g_in, g, g_out = self.gradient
        batch = len(self.x)
        torch.mm(q[0].T, self.x, out=g_in).mul_(-a_in / batch)
        torch.bmm(q[1:].transpose(1, 2), active[:-1], out=g).mul_(-a / batch)
        torch.mm(error.T, active[-1], out=g_out).mul_(a_out / batch)

        self.count += 1
        factors = (torch.tensor(v) for v in (*common.unbias(self.count), rate))
        self.adam(self.weights, self.gradient, *self.moments, *factors)

    def state(self):
        unstack = lambda edges: [t.numpy() for t in (edges[0], *edges[1], edges[2])]
        split = lambda stack: [t.numpy() for t in stack]
        return {
            "z": split(self.z),
            "lambda": split(self.lam),
            "grad": unstack(self.gradient),
            "w": unstack(self.weights),
        }


if __name__ == "__main__":
    common.main(Stacked, OPTIONS)
