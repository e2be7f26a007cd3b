"""What the peers share: problems and their files, threads, the command line, the clock.

Imported before jax or torch: `options()` pins the process to its cores, and both libraries size
their thread pools when they are imported.
"""
import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass

INPUTS, OUTPUTS, BATCH = 784, 10, 64
ETA, ALPHA, RHO = 0.25, 1.0, 1.0
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
# As in the Rust benchmark: the weights, and with them the work, stay what they are.
VANISHING_RATE = 1e-12


# ------------------------------------------------------------------------------------- problems
@dataclass
class Network:
    """A relu network in the `pre` placement. Lists over edges: entry 0 belongs to W_1."""

    weights: list  # of [out, in] float32 arrays
    scales: list  # a_l
    skips: list  # whether f_l has the term z_{l-1}

    @property
    def depth(self):
        return len(self.weights)

    @property
    def width(self):
        return self.weights[0].shape[0]


def draw(width, depth, seed=0):
    """A residual network in the mean-field parametrization, and a batch of one-hot targets."""
    import numpy as np

    rng = np.random.default_rng(seed)
    widths = [INPUTS] + [width] * (depth - 1) + [OUTPUTS]
    weights = [rng.standard_normal((m, n)).astype(np.float32) for n, m in zip(widths, widths[1:])]
    scales = [INPUTS**-0.5] + [(width * depth) ** -0.5] * (depth - 2) + [1.0 / width]
    skips = [False] + [True] * (depth - 2) + [False]
    x = rng.random((BATCH, INPUTS), dtype=np.float32)
    y = np.eye(OUTPUTS, dtype=np.float32)[rng.integers(0, OUTPUTS, BATCH)]
    return Network(weights, scales, skips), (x, y)


def save_network(path, network):
    from safetensors.numpy import save_file

    metadata = {
        "activation": "relu",
        "placement": "pre",
        "loss": "squared-error",
        "skips": ",".join(str(int(s)) for s in network.skips),
        "scales": ",".join(repr(float(a)) for a in network.scales),
    }
    save_file({f"w.{l}": w for l, w in enumerate(network.weights, 1)}, path, metadata)


def load_network(path):
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        meta = file.metadata() or {}
        found = [meta.get(k) for k in ("activation", "placement", "loss")]
        if found != ["relu", "pre", "squared-error"]:
            sys.exit(f"{path}: only relu, pre, squared-error networks are known here, not {found}")
        depth = sum(name.startswith("w.") for name in file.keys())
        weights = [file.get_tensor(f"w.{l}") for l in range(1, depth + 1)]
    scales = [float(a) for a in meta["scales"].split(",")]
    skips = [s == "1" for s in meta["skips"].split(",")]
    return Network(weights, scales, skips)


def save_batch(path, batch):
    from safetensors.numpy import save_file

    save_file({"x": batch[0], "y": batch[1]}, path)


def load_batch(path):
    tensors = load_tensors(path)
    return tensors["x"], tensors["y"]


def load_tensors(path):
    from safetensors.numpy import load_file

    return load_file(path)


def hidden_scale(network):
    """The one a_l of all hidden edges: what stacking them needs, with all of them residual."""
    scales, skips = set(network.scales[1:-1]), network.skips
    if len(scales) != 1 or skips[0] or skips[-1] or not all(skips[1:-1]):
        sys.exit("the stacked peers need a residual network of one width with equal hidden scales")
    return scales.pop()


def unbias(count):
    """Adam's bias corrections at its `count`-th update, which float32 powers would spoil."""
    return 1 / (1 - BETA1**count), 1 / (1 - BETA2**count)


# -------------------------------------------------------------------------------------- threads
def pin(threads):
    """Keeps this process, and the thread pools it will make, on `threads` cores.

    XLA makes as many threads as it may use cores, and has no other dependable setting.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


# --------------------------------------------------------------------------------- command line
def options(**extra):
    """Reads the command line of a peer and pins its threads. `extra`: flags of its own."""
    parser = argparse.ArgumentParser(description="One peer on one network and batch.")
    parser.add_argument("--network", required=True, help="safetensors: w.1 … w.L and metadata")
    parser.add_argument("--batch", required=True, help="safetensors: x [B, D] and y [B, O]")
    parser.add_argument("--budget", type=int, help="inference steps T [default: 2L]")
    parser.add_argument("--eta", type=float, default=ETA)
    parser.add_argument("--alpha", type=float, default=ALPHA, help="0 is PC")
    parser.add_argument("--rho", type=float, default=RHO)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", help="write z, lambda and gradients of one step to this file")
    parser.add_argument("--seconds", type=float, default=2.0, help="time to measure for")
    parser.add_argument("--serve", action="store_true", help="take commands from run.py on stdin")
    for name, text in extra.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    chosen = parser.parse_args()
    pin(chosen.threads)
    return chosen


class Peer:
    """What a peer provides.

    __init__(options, network, batch): compile or allocate; load(network) follows.
    load(network): start from these weights with Adam's moments at zero.
    train(rate): one whole training step, finished when it returns.
    state(): z, lambda, grad (the last step's) and weights as lists of numpy arrays over layers.
    """


def main(kind, chosen):
    """Runs the peer class `kind` as the command line says."""
    replies = sys.stdout
    if chosen.serve:  # what libraries print must not mix with the replies
        replies = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
    network, batch = load_network(chosen.network), load_batch(chosen.batch)
    if chosen.budget is None:
        chosen.budget = 2 * network.depth
    clock = time.perf_counter()
    peer = kind(chosen, network, batch)
    peer.load(network)
    peer.train(VANISHING_RATE)
    peer.load(network)
    started = time.perf_counter() - clock

    def reply(value):
        print(json.dumps(value), file=replies, flush=True)

    if not chosen.serve:
        if chosen.output:
            peer.train(VANISHING_RATE)
            save_state(chosen.output, peer)
        times, _ = measure(peer, chosen.seconds)
        reply({"ms_per_step": min(times), "median_ms": statistics.median(times), "steps": len(times)})
        return
    reply({"start_seconds": started})
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "train":
            peer.train(command["rate"])
            save_state(command["output"], peer)
            reply({})
        elif command["do"] == "reset":
            peer.load(network)
            reply({})
        elif command["do"] == "time":
            times, cores = measure(peer, command["seconds"])
            reply({"ms": times, "cores": cores})


def save_state(path, peer):
    import numpy as np
    from safetensors.numpy import save_file

    tensors = {}
    for name, layers in peer.state().items():
        tensors |= {f"{name}.{l}": np.ascontiguousarray(t) for l, t in enumerate(layers, 1)}
    save_file(tensors, path)


# ---------------------------------------------------------------------------------------- clock
def measure(peer, seconds):
    """Milliseconds of each of at least 3 training steps, after one that is not counted.

    And the cores kept busy on average: fewer than the threads where a library does not use them
    all, or other processes do.
    """
    peer.train(VANISHING_RATE)
    times, clock, work = [], time.perf_counter(), time.process_time()
    while len(times) < 3 or time.perf_counter() - clock < seconds:
        start = time.perf_counter()
        peer.train(VANISHING_RATE)
        times.append(1e3 * (time.perf_counter() - start))
    return times, (time.process_time() - work) / (time.perf_counter() - clock)
