"""Made the .npy and .npz files beside it (NumPy 2.4): python make.py"""
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
counting = np.arange(12, dtype=np.float32).reshape(3, 4) / 4
for name, array in {
    "float32": counting,
    "float32_fortran": np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4)),
    "float32_scalar": np.float32(2.5),
    "float16": counting.astype(np.float16),
    "float64": counting.astype(np.float64),
    "bool": counting > 1,
    "int64": np.array([-3, 2**40]),
    "uint8": np.array([0, 255], np.uint8),
    "uint16": np.array([1, 2], np.uint16),
    "float32_big_endian": counting.astype(">f4"),
    "record": np.zeros(2, [("a", "<f4")]),
}.items():
    np.save(HERE / f"{name}.npy", array)
with open(HERE / "float32_version2.npy", "wb") as f:
    np.lib.format.write_array(f, counting, version=(2, 0))
x0, x1, y = np.arange(24, dtype=np.float32).reshape(4, 2, 3), np.arange(20).reshape(4, 5), np.array([3, 1, 0, 2], np.uint8)
np.savez(HERE / "labelled.npz", x0=x0, x1=x1, y=y)
np.savez_compressed(HERE / "labelled_compressed.npz", x0=np.tile(x0, (1, 1, 100)), x1=x1, y=y)
np.savez(HERE / "unlabelled.npz", x0=x0)
np.savez(HERE / "gap.npz", x0=x0, x2=x1)
np.savez(HERE / "label_count.npz", x0=x0, y=y[:3])
np.savez(HERE / "row_count.npz", x0=x0, x1=x1[:2])
