"""Draws seconds per training step against width and depth from what `run.py --json` wrote."""
import argparse
import json
import pathlib

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

# Okabe and Ito's colours, told apart in grey by the markers.
STYLES = {
    "jax reference": ("#D55E00", "s"),
    "jax stacked": ("#E69F00", "D"),
    "torch stacked": ("#0072B2", "^"),
    "torch stacked, compiled": ("#56B4E9", "v"),
    "pcalm": ("#000000", "o"),
}
DEPTH, WIDTH = 32, 32  # held while the other varies


def panel(axes, points, name, held):
    """Lines over the sizes in `points`: (width or depth, smallest milliseconds of each program)."""
    points.sort(key=lambda point: point[0])
    sizes = [size for size, _ in points]
    for program, (colour, marker) in STYLES.items():
        seconds = [1e-3 * ms[program]["min"] for _, ms in points]
        axes.loglog(sizes, seconds, color=colour, marker=marker, markersize=4, linewidth=1.2, label=program)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel(f"{name} ({held})")
    axes.grid(alpha=0.25)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", type=pathlib.Path)
    parser.add_argument("svg", type=pathlib.Path)
    args = parser.parse_args()
    report = json.loads(args.measured.read_text())
    results = report["results"]
    by_width = [(r["width"], r["ms"]) for r in results if r["depth"] == DEPTH]
    by_depth = [(r["depth"], r["ms"]) for r in results if r["width"] == WIDTH]

    plt.rcParams.update({"font.size": 9, "svg.hashsalt": "peers", "svg.fonttype": "none"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True, layout="constrained")
    panel(left, by_width, "width N", f"depth {DEPTH}")
    panel(right, by_depth, "depth L", f"width {WIDTH}")
    left.set_ylabel("seconds per training step")
    left.legend(frameon=False, fontsize=7)
    figure.savefig(args.svg, metadata={"Date": None})


if __name__ == "__main__":
    main()
