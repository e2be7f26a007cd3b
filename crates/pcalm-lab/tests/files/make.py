"""Small files of data as NumPy, PyArrow and safetensors write them; run in this folder.

Inputs of sample i (0 to 11): i/4, (i - 5)**2, -i. Classes: i mod 3. Real targets: i/8, 1 - i.
All numbers are exact in every type used. The tests know these formulas and nothing of this script.
"""

import csv
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

i = np.arange(12)
x = np.stack([i / 4, (i - 5.0) ** 2, 0.0 - i], axis=1)
labels = i % 3
real = np.stack([i / 8, 1.0 - i], axis=1)
whole = np.stack([4 * (i / 4), (i - 5) ** 2, 11 - i], axis=1)

train, test = slice(0, 9), slice(9, 12)
parts = lambda x, y: {"x": x[train], "y": y[train], "x_test": x[test], "y_test": y[test]}

np.savez("classes.npz", **parts(x.astype("<f4"), labels.astype("<i8")))
np.savez_compressed("real.npz", x=x.astype("<f8"), y=real.astype("<f8"))
np.savez("fortran.npz", x=np.asfortranarray(x.reshape(12, 3, 1)), y=np.asfortranarray(real))
np.savez("big_endian.npz", **parts(x.astype(">f4"), labels.astype(">i2")))
np.savez("half.npz", **parts(x.astype("<f2"), labels.astype("u1")))
for kind in ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]:
    np.savez_compressed(f"whole_{kind}.npz", x=whole.astype(kind), y=(i % 2).astype(bool))
np.savez("keras.npz", x_train=x[train], y_train=labels[train], x_test=x[test], y_test=labels[test])
os.makedirs("folder", exist_ok=True)
for name, values in parts(x, labels.reshape(12, 1)).items():
    np.save(f"folder/{name}.npy", values)
np.savez("text.npz", x=x, y=np.array(["a", "b"] * 6))
np.savez("object.npz", x=x, y=np.array([1, None] * 6, dtype=object))
np.savez("complex.npz", x=x.astype(complex), y=labels)
save_file({k: np.ascontiguousarray(v) for k, v in parts(x.astype("<f4"), labels.astype("<i4")).items()}, "classes.safetensors")
save_file({"x": x, "y": real.astype("<f2")}, "real.safetensors")

columns = {"a": x[:, 0], "b": x[:, 1].astype("f4"), "c": (-i).astype("i4")}
names = {"split": ["train"] * 9 + ["test"] * 3}
pq.write_table(pa.table({**columns, "y": labels, **names}), "classes.parquet", compression="snappy")
pq.write_table(pa.table({**columns, "y1": real[:, 0], "y2": real[:, 1]}), "real.parquet", compression="gzip", row_group_size=5)
pq.write_table(pa.table({**columns, "kind": [["red", "green", "blue"][k] for k in labels]}), "names.parquet", compression="lz4")
pq.write_table(pa.table({**columns, "y": labels}), "zstd.parquet", compression="zstd")
pq.write_table(pa.table({"a": [0.5, None, 1.0], "y": [0, 1, 0]}), "missing.parquet")
pq.write_table(pa.table({"a": [[0.5], [1.0]], "y": [0, 1]}), "nested.parquet")
pq.write_table(pa.table({"a": np.array([0, 1], "datetime64[ns]"), "y": [0, 1]}), "date.parquet")
pq.write_table(pa.table({"a": ["u", "v"], "y": [0, 1]}), "text.parquet")

with open("classes.csv", "w", newline="") as f:
    out = csv.writer(f)
    out.writerow(["a", "b", "c", "y", "split"])
    out.writerows([*map(float, row), int(l), p] for row, l, p in zip(x, labels, names["split"]))
with open("names.csv", "w", newline="") as f:
    out = csv.writer(f)
    out.writerow(["kind", "a", "b", "c"])
    out.writerows([["red", "green", "blue"][l], *map(float, row)] for row, l in zip(x, labels))
