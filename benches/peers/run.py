"""Checks the peers against `pcalm infer`, then times all of them and pcalm in turn.

For each size: a network and a batch are drawn and written; every peer does training steps, whose
z, lambda and weight gradients must agree with `pcalm infer --dtype f32`, and whose Adam must agree
with one in float64; then whole training steps (inference, weight gradient, Adam) are timed in
rounds, every peer and pcalm once per round. Prints tables in markdown.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version

import numpy as np

import common

TARGETS = [(8, 128), (32, 32), (64, 32), (128, 32), (128, 128), (256, 32), (512, 16)]
# With the targets, a line over the width and one over the depth for plot.py.
LINES = [(8, 32), (16, 32), (32, 8), (32, 16), (32, 64), (32, 128)]
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS = {  # name: command
    "jax reference": ["jax_reference.py"],
    "jax stacked": ["jax_stacked.py"],
    "torch stacked": ["torch_stacked.py"],
    "torch stacked, compiled": ["torch_stacked.py", "--compile"],
}
TOLERANCE = 1e-4
# Where float32 cannot give TOLERANCE: how many times pcalm's own rounding error is accepted.
ROUNDING = 3.0
# Far from any rate one would train with, so that the change stands out of the weights' rounding.
CHECK_RATE = 0.05


class Worker:
    """A peer in a process of its own, which answers one line of JSON per command."""

    def __init__(self, command, files, args):
        flags = ["--network", files["network"], "--batch", files["batch"], "--threads", str(args.threads)]
        flags += ["--alpha", str(args.alpha), "--serve"]
        self.process = subprocess.Popen(
            [sys.executable, HERE / command[0], *command[1:], *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE,
        )  # fmt: skip
        self.started = self.read()["start_seconds"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ------------------------------------------------------------------------------------ agreement
def distance(ours, theirs, kind):
    """‖ours − theirs‖ / ‖theirs‖ over all layers of one kind of tensor, in float64."""
    names = [n for n in theirs if n.startswith(kind + ".")]
    gap = sum(np.sum((ours[n].astype(np.float64) - theirs[n]) ** 2) for n in names)
    size = sum(np.sum(theirs[n].astype(np.float64) ** 2) for n in names)
    return float(np.sqrt(gap / size)) if size else float(np.sqrt(gap))


def infer(args, files, dtype, folder):
    output = str(folder / f"pcalm-{dtype}")
    command = [args.pcalm, "infer", "--network", files["network"], "--batch", files["batch"]]
    command += ["--rule", "pc-alm", "--budget", "2L", "--eta", str(common.ETA), "--alpha", str(args.alpha)]
    command += ["--rho", str(common.RHO), "--dtype", dtype, "--output", output]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return common.load_tensors(output)


def adam_gap(network, steps):
    """How far the weights after the steps are from Adam in float64 on the same gradients."""
    gap = size = 0.0
    for l, start in enumerate(network.weights, 1):
        w, m, v = start.astype(np.float64), 0.0, 0.0
        for count, step in enumerate(steps, 1):
            g = step[f"grad.{l}"].astype(np.float64)
            m = common.BETA1 * m + (1 - common.BETA1) * g
            v = common.BETA2 * v + (1 - common.BETA2) * g * g
            mean, square = m / (1 - common.BETA1**count), v / (1 - common.BETA2**count)
            w -= CHECK_RATE * mean / (np.sqrt(square) + common.EPSILON)
        gap += np.sum((w - steps[-1][f"w.{l}"]) ** 2)
        size += np.sum((w - start) ** 2)
    return float(np.sqrt(gap / size))


def check(worker, network, reference, folder):
    """The relative distance of the peer's results from the reference's, and of its Adam's."""
    steps = []
    worker.ask(do="reset")
    for count in range(2):
        path = str(folder / f"step-{count}")
        worker.ask(do="train", rate=CHECK_RATE, output=path)
        steps.append(common.load_tensors(path))
    worker.ask(do="reset")
    gaps = {kind: distance(steps[0], reference, kind) for kind in ("z", "lambda", "grad")} if reference else {}
    return gaps | {"adam": adam_gap(network, steps)}


# --------------------------------------------------------------------------------------- timing
def bench_pcalm(args, width, depth):
    sizes = ["--width", width, "--depth", depth, "--batch", common.BATCH, "--threads", args.threads]
    command = [*shlex.split(args.pcalm_bench), *map(str, sizes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return json.loads(done.stdout.strip().splitlines()[-1])["ms_per_step"]


def one_size(args, width, depth, folder):
    files = {"network": str(folder / "network"), "batch": str(folder / "batch")}
    network, batch = common.draw(width, depth)
    common.save_network(files["network"], network)
    common.save_batch(files["batch"], batch)
    result = {"width": width, "depth": depth, "load_before": os.getloadavg()}

    reference, limit = None, {"adam": TOLERANCE}
    if not args.no_check:
        note("  pcalm infer")
        reference, exact = (infer(args, files, dtype, folder) for dtype in ("f32", "f64"))
        kinds = ("z", "lambda", "grad")
        result["rounding"] = {kind: distance(reference, exact, kind) for kind in kinds}
        limit |= {kind: max(TOLERANCE, ROUNDING * result["rounding"][kind]) for kind in kinds}

    workers, gaps = {}, {}
    samples = {name: [] for name in args.peers}
    cores = dict.fromkeys(args.peers, 0.0)  # kept busy, in the round that had most
    try:
        for name in args.peers:
            workers[name] = Worker(PEERS[name], files, args)
            gaps[name] = check(workers[name], network, reference, folder)
            note(f"  {name}: started in {workers[name].started:.1f} s, " + show(gaps[name]))
            for kind, gap in gaps[name].items():
                if not gap <= limit[kind]:
                    sys.exit(f"{name}, width {width}, depth {depth}: {kind} differs by {gap:.2e} > {limit[kind]:.2e}")
        if args.pcalm_bench:
            samples["pcalm"] = []
        for _ in range(args.rounds):
            for name, worker in workers.items():
                timed = worker.ask(do="time", seconds=args.seconds)
                samples[name] += timed["ms"]
                cores[name] = max(cores[name], timed["cores"])
            if args.pcalm_bench:
                samples["pcalm"].append(bench_pcalm(args, width, depth))
    finally:
        for worker in workers.values():
            worker.close()
    result |= {"agreement": gaps, "cores_busy": cores, "load_after": os.getloadavg()}
    result["start_seconds"] = {name: worker.started for name, worker in workers.items()}
    result["ms"] = {
        name: {"min": min(times), "median": statistics.median(times), "samples": len(times)}
        for name, times in samples.items()
    }
    note("  " + ", ".join(f"{name} {t['min']:.2f} ms" for name, t in result["ms"].items()))
    return result


# --------------------------------------------------------------------------------------- report
def show(gaps):
    return ", ".join(f"{kind} {gap:.1e}" for kind, gap in gaps.items())


def note(text):
    print(text, file=sys.stderr, flush=True)


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def tables(report):
    """Milliseconds and ratios, and the agreement, as markdown."""
    peers, with_pcalm = report["peers"], report["pcalm_timed"]
    names = ", ".join(f"{name} {v}" for name, v in report["versions"].items())
    loads = [r[key][0] for r in report["results"] for key in ("load_before", "load_after")]
    yield f"{report['date'][:10]}, {report['processor']}, {report['cores']} cores; {names}."
    yield f"Load average, with the benchmark's own, {min(loads):.1f} to {max(loads):.1f}." + (
        f" Note: {report['note']}." if report["note"] else ""
    )
    yield ""
    yield f"Milliseconds per training step: smallest (median), {report['threads']} threads, batch {common.BATCH}."
    yield ""
    heads = ["width", "depth", "T", *peers, "pcalm", "best peer / pcalm"]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " ---: |" * len(heads)
    for r in report["results"]:
        ms = r["ms"]
        cells = [r["width"], r["depth"], 2 * r["depth"]]
        cells += [f"{ms[p]['min']:.2f} ({ms[p]['median']:.2f})" for p in peers]
        cells += [f"{ms['pcalm']['min']:.2f} ({ms['pcalm']['median']:.2f})" if with_pcalm else ""]
        cells += [f"{min(ms[p]['min'] for p in peers) / ms['pcalm']['min']:.2f}" if with_pcalm and peers else ""]
        yield "| " + " | ".join(map(str, cells)) + " |"
    if not with_pcalm:
        yield ""
        yield "pcalm was not timed: no `--pcalm-bench` was given, so its columns are empty."
    yield ""
    if all("cores_busy" in r for r in report["results"]):
        busy = (
            f"{r['width']}x{r['depth']} " + ", ".join(f"{cores:.1f}" for cores in r["cores_busy"].values())
            for r in report["results"]
        )
        yield f"Cores kept busy in the best round, in the order of the columns: {'; '.join(busy)}."
        yield ""
    if report["checked"]:
        yield "Relative distance from `pcalm infer --dtype f32`; the row pcalm is its own rounding error, f32 against f64."
    else:
        yield "Agreement with `pcalm infer` was not checked (`--no-check`)."
    yield ""
    yield "| width | depth | | z | lambda | weight gradient | Adam |"
    yield "| ---: | ---: | --- | ---: | ---: | ---: | ---: |"
    for r in report["results"]:
        rows = dict(r["agreement"])
        if report["checked"]:
            rows["pcalm"] = r["rounding"]
        for name, gaps in rows.items():
            cells = [f"{gaps[k]:.1e}" if k in gaps else "" for k in ("z", "lambda", "grad", "adam")]
            yield f"| {r['width']} | {r['depth']} | {name} | " + " | ".join(cells) + " |"


def size(text):
    width, depth = (int(n) for n in text.lower().split("x"))
    if depth < 3:
        raise argparse.ArgumentTypeError("the peers need a hidden edge: depth 3 or more")
    return width, depth


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=size, nargs="+", metavar="WIDTHxDEPTH", default=TARGETS + LINES)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alpha", type=float, default=common.ALPHA, help="0 is PC")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="per peer and round")
    parser.add_argument("--pcalm", default=str(ROOT / "target/release/pcalm"), help="the pcalm binary to check against")
    parser.add_argument(
        "--pcalm-bench", metavar="CMD", help="prints a line of JSON with ms_per_step; without it pcalm is not timed"
    )
    parser.add_argument("--note", help="kept in the JSON: what else the machine was doing, say")
    parser.add_argument("--no-check", action="store_true", help="time without checking against pcalm")
    parser.add_argument("--json", metavar="FILE", help="also write everything here")
    parser.add_argument("--show", metavar="FILE", help="only print the tables of a run kept with --json")
    args = parser.parse_args()
    if args.show:
        print("\n".join(tables(json.loads(pathlib.Path(args.show).read_text()))))
        return
    if not args.no_check and not pathlib.Path(args.pcalm).is_file():
        parser.error(f"{args.pcalm} is missing: cargo build --release, or --pcalm FILE, or --no-check")
    if args.pcalm_bench and args.alpha != common.ALPHA:
        parser.error(f"--pcalm-bench measures alpha = {common.ALPHA} only")

    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in ("jax", "jaxlib", "torch", "numpy")},
        "threads": args.threads,
        "settings": {"batch": common.BATCH, "eta": common.ETA, "alpha": args.alpha, "rho": common.RHO, "budget": "2L"},
        "rounds": args.rounds,
        "seconds": args.seconds,
        "peers": args.peers,
        "checked": not args.no_check,
        "pcalm_timed": bool(args.pcalm_bench),
        "note": args.note,
        "results": [],
    }
    for width, depth in args.sizes:
        note(f"width {width}, depth {depth}")
        with tempfile.TemporaryDirectory() as folder:
            report["results"].append(one_size(args, width, depth, pathlib.Path(folder)))
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(report, indent=1) + "\n")
    print("\n".join(tables(report)))


if __name__ == "__main__":
    main()
