"""Writes the files of this folder: `good-*` are whole, every other one is broken in one way.

Run by hand (`python make.py`, no packages needed) after adding a case; `../malformed.rs` walks the
folder and says what the program must answer to each.
"""

import gzip
import json
import math
import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def idx(kind, sizes, data, element=8):
    return bytes([0, 0, element, kind]) + struct.pack(f">{len(sizes)}I", *sizes) + bytes(data)


def images(count, side=4, data=None):
    return idx(3, [count, side, side], data if data is not None else [7 * i % 256 for i in range(count * side * side)])


def labels(values):
    return idx(1, [len(values)], values)


def packed(data):
    return gzip.compress(data, mtime=0)


def tensors(entries, metadata=None, dtype="F64"):
    header = {"__metadata__": metadata or {}}
    body = b""
    for name, (shape, values) in entries.items():
        part = struct.pack(f"<{len(values)}{'d' if dtype == 'F64' else 'f'}", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(part)]}
        body += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


NETWORK = {"w.1": ([2, 2], [0.2, -0.3, 0.4, 0.1]), "w.2": ([2, 2], [0.5, -0.2, 0.3, 0.7]), "w.3": ([1, 2], [-0.4, 0.6])}
METADATA = {"activation": "tanh", "skips": "0,1,0", "scales": "1,0.5,0.5"}
BATCH = {"x": ([2, 2], [0.25, -0.75, 1.0, 0.5]), "y": ([2, 1], [1.0, 0.0])}


def network(weights=None, **metadata):
    return tensors(NETWORK | (weights or {}), {k: v for k, v in (METADATA | metadata).items() if v is not None})


def batch(**changes):
    return tensors({k: v for k, v in (BATCH | changes).items() if v is not None})


def precision(changes=None, dtype="F64"):
    """For the good network, of two hidden layers of 2 units and an output of 1."""
    tensor = {"precision.1": ([1], [2.0]), "precision.2": ([2, 2], [2.0, 0.5, 0.5, 1.0]), "precision.3": ([1], [0.5])}
    return tensors({k: v for k, v in (tensor | (changes or {})).items() if v is not None}, dtype=dtype)


def checkpoint():
    """As earlier versions wrote them: of two small matrices, and without a word on which run it belongs to."""
    weights = {"w.1": ([2, 2], [1.0] * 4), "w.2": ([2, 2], [1.0] * 4)}
    moments = {f"moment.{i}.{l}": ([2, 2], [0.0] * 4) for i in (1, 2) for l in (1, 2)}
    tally = {"loss": 0.0, "correct": 0, "samples": 0, "sample_products": 0, "multiply_adds": 0}
    log = {"metrics": [], "epochs": [], "layers": []}
    progress = {"step": 0, "eta": 0.1, "lambda_max": None, "sigma_squared": None}
    progress |= {"recent": tally, "total": tally, "log": log}
    notes = {"activation": "relu", "optimizer": "adam", "updates": "0", "note.progress": json.dumps(progress)}
    return tensors(weights | moments, notes, "F32")


FILES = {
    "good-images": images(4),
    "good-labels": labels([0, 1, 2, 1]),
    "good-network.safetensors": network(),
    "good-batch.safetensors": batch(),
    "good-precision.safetensors": precision(),
    # IDX
    "images-empty": b"",
    "images-header-cut": images(4)[:10],
    "images-magic": b"\x89PNG" + images(4)[4:],
    "images-are-labels": labels([0, 1, 2, 1]),
    "images-of-floats": idx(3, [4, 4, 4], [0] * 256, element=13),
    "images-body-cut": images(4)[:-5],
    "images-left-over": images(4) + b"\0\0",
    "images-none": images(0),
    "images-of-no-pixels": idx(3, [4, 0, 4], []),
    "images-absurd": idx(3, [2**32 - 1] * 3, [0] * 64),
    "images-huge": idx(3, [2**31, 28, 28], [0] * 64),
    "images-too-many": images(5),
    "images-cut.gz": packed(images(4))[:-9],
    "images-corrupt.gz": packed(images(4))[:-8] + bytes(4) + packed(images(4))[-4:],
    "images-body-cut.gz": packed(images(4)[:-5]),
    "labels-empty": b"",
    "labels-are-images": images(4),
    "labels-too-few": labels([0, 1, 2]),
    "labels-left-over": labels([0, 1, 2, 1]) + b"\0",
    "labels-cut.gz": packed(labels([0, 1, 2, 1]))[:-6],
    "test-labels-out-of-range": labels([0, 1, 3, 1]),
    # Batches
    "batch-nan.safetensors": batch(x=([2, 2], [0.25, math.nan, 1.0, 0.5])),
    "batch-infinite-target.safetensors": batch(y=([2, 1], [1.0, math.inf])),
    "batch-too-wide.safetensors": batch(x=([2, 3], [0.0] * 6)),
    "batch-uneven.safetensors": batch(y=([1, 1], [1.0])),
    "batch-without-targets.safetensors": batch(y=None),
    "batch-flat.safetensors": batch(x=([4], [0.0] * 4)),
    "batch-none.safetensors": batch(x=([0, 2], []), y=([0, 1], [])),
    "batch-cut.safetensors": batch()[:-4],
    "batch-not-safetensors.safetensors": b"x,y\n1,2\n",
    "batch-absurd-header.safetensors": struct.pack("<Q", 2**62) + batch()[8:],
    # Networks
    "network-nan.safetensors": network({"w.2": ([2, 2], [0.5, math.nan, 0.3, 0.7])}),
    "network-widths.safetensors": network({"w.2": ([2, 3], [0.5] * 6)}),
    "network-skip-between-widths.safetensors": network({"w.2": ([3, 2], [0.5] * 6), "w.3": ([1, 3], [0.5] * 3)}),
    "network-skip-on-readout.safetensors": network(skips="0,1,1"),
    "network-skips-short.safetensors": network(skips="0,1"),
    "network-scales.safetensors": network(scales="1,half,0.5"),
    "network-activation.safetensors": network(activation="rleu"),
    "network-no-activation.safetensors": network(activation=None),
    "network-placement.safetensors": network(placement="middle"),
    "network-loss.safetensors": network(loss="hinge"),
    "network-one-layer.safetensors": tensors({"w.1": ([1, 2], [0.1, 0.2])}, {"activation": "tanh"}),
    "network-without-weights.safetensors": tensors({}, {"activation": "tanh"}),
    "network-cut.safetensors": network()[:60],
    # Precisions
    "precision-zero.safetensors": precision({"precision.1": ([1], [0.0])}),
    "precision-negative.safetensors": precision({"precision.3": ([1], [-2.0])}),
    "precision-nan.safetensors": precision({"precision.2": ([2], [1.0, math.nan])}),
    "precision-infinite.safetensors": precision({"precision.1": ([2], [math.inf, 1.0])}),
    "precision-of-one-unit-zero.safetensors": precision({"precision.1": ([2], [1.0, 0.0])}),
    "precision-matrix-nan.safetensors": precision({"precision.2": ([2, 2], [1.0, math.nan, math.nan, 1.0])}),
    "precision-matrix-infinite.safetensors": precision({"precision.2": ([2, 2], [math.inf, 0.0, 0.0, 1.0])}),
    "precision-asymmetric.safetensors": precision({"precision.2": ([2, 2], [2.0, 0.5, 0.4, 1.0])}),
    "precision-indefinite.safetensors": precision({"precision.1": ([2, 2], [1.0, 2.0, 2.0, 1.0])}),
    "precision-singular.safetensors": precision({"precision.1": ([2, 2], [1.0, 1.0, 1.0, 1.0])}),
    "precision-negative-definite.safetensors": precision({"precision.2": ([2, 2], [-1.0, 0.0, 0.0, -1.0])}),
    "precision-too-many-units.safetensors": precision({"precision.2": ([3], [1.0] * 3)}),
    "precision-of-no-units.safetensors": precision({"precision.2": ([0], [])}),
    "precision-not-square.safetensors": precision({"precision.1": ([2, 3], [1.0] * 6)}),
    "precision-matrix-too-large.safetensors": precision({"precision.3": ([2, 2], [1.0, 0.0, 0.0, 1.0])}),
    "precision-cube.safetensors": precision({"precision.1": ([2, 2, 2], [1.0] * 8)}),
    "precision-without-shape.safetensors": precision({"precision.1": ([], [1.0])}),
    "precision-missing.safetensors": precision({"precision.2": None}),
    "precision-none.safetensors": tensors({}),
    "precision-beyond-the-output.safetensors": precision({"precision.4": ([1], [1.0])}),
    "precision-from-zero.safetensors": precision({"precision.0": ([1], [1.0])}),
    "precision-odd-name.safetensors": precision({"precision.two": ([1], [1.0])}),
    "precision-of-whole-numbers.safetensors": precision(dtype="I32"),
    "precision-is-a-network.safetensors": network(),
    "precision-cut.safetensors": precision()[:-3],
    "precision-not-safetensors.safetensors": b"1,1,1\n",
    "precision-empty.safetensors": b"",
    # Checkpoints
    "checkpoint-of-an-earlier-version.safetensors": checkpoint(),
    "checkpoint-cut.safetensors": checkpoint()[:-3],
    "checkpoint-is-a-network.safetensors": network(),
    "checkpoint-empty.safetensors": b"",
    # Configurations
    "config-key.toml": b"widht = 8\n",
    "config-value.toml": b'activation = "rleu"\n',
    "config-type.toml": b'width = "wide"\n',
    "config-negative-width.toml": b"width = -8\n",
    "config-no-width.toml": b"width = 0\n",
    "config-depth.toml": b"depth = 1\n",
    "config-budget.toml": b"budget = -3\n",
    "config-syntax.toml": b"width = = 8\n",
    "config-precision-words.toml": b'precision = "one,two"\n',
    "config-precision-zero.toml": b"precision = 0\n",
    "config-precision-nan.toml": b'precision = "nan"\n',
    "config-precision-infinite.toml": b"precision = inf\n",
    "config-precision-count.toml": b"precision = [1, 2]\n",
    "config-precision-type.toml": b"precision = { hidden = 2 }\n",
    "config-precision-no-file.toml": b'precision = "none/such.safetensors"\n',
    "config-precision-twice.toml": b'precision = 2\nprecision-profile = "output=2"\n',
    "config-profile-name.toml": b'precision-profile = "outptu=2"\n',
    "config-profile-bare.toml": b'precision-profile = "output"\n',
    "config-profile-number.toml": b'precision-profile = "hidden=-2"\n',
    "config-profile-too-steep.toml": b'precision-profile = "geometric=1e200"\n',
    "config-share-zero.toml": b"loss-share = 0.0\n",
    "config-share-one.toml": b"loss-share = 1\n",
    "config-share-and-rho.toml": b"loss-share = 0.5\nrho = 2\n",
    "config-share-and-precision.toml": b"loss-share = 0.5\nprecision = 2\n",
    "config-share-and-energy.toml": b'loss-share = 0.5\nenergy = "log"\n',
    "config-energy-name.toml": b'energy = "hubert"\n',
    "config-energy-without-minimum.toml": b'energy = "log|c|"\n',
    "config-energy-scale-unused.toml": b'energy = "log"\nenergy-scale = 2.0\n',
    "config-energy-scale-negative.toml": b'energy = "huber"\nenergy-scale = -1.0\n',
    "config-not-text.toml": b"\xff\xfe\0\0",
}

for old in HERE.iterdir():
    if old.suffix != ".py":
        old.unlink()
for name, data in FILES.items():
    (HERE / name).write_bytes(data)
