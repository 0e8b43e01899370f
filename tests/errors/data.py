"""Provocations by what programs are given: inputs of `run`, data, images."""
import struct

import numpy as np
import torch

from bench import IMAGES


def idx(bench, text=b"", header=(), kind=8):
    """An IDX file of images: a header of these sizes, or none, and behind it the text."""
    start = struct.pack(f">HBB{len(header)}I", 0, kind, len(header), *header) if header else b""
    return bench.quantize(data=bench.write("images-idx3-ubyte", start + text))


def folder_with_two(bench):
    for name in ("a.npy", "b.npy"):
        bench.npy(bench.rows(), name)
    return bench.quantize(data=str(bench.folder))


INPUTS = {
    "input_missing": lambda b: b.run(z=b.rows()),
    "too_many_inputs": lambda b: b.run(x0=b.rows(), x1=b.rows()),
    "input_of_another_dtype": lambda b: b.run(x0=b.rows().astype(np.float64)),
    "input_of_another_size": lambda b: b.run(x0=b.rows(rows=7)),
    "input_of_another_rank": lambda b: b.run(x0=np.ones(8, np.float32)),
    "input_file_too_short": lambda b: b.run_file(b.write("in.safetensors", "abc")),
    "input_file_truncated": lambda b: b.run_file(b.all_but(b.safetensors(x0=b.rows()), 4)),
    "input_file_is_no_safetensors": lambda b: b.run_file(b.write("in.safetensors", "a text instead of tensors")),
}

DATA = {
    "no_data": lambda b: b.quantize(data=b.path("none")),
    "data_of_unknown_kind": lambda b: b.quantize(data=b.write("data.csv", "1,2,3")),
    "folder_without_data": lambda b: b.quantize(data=str(b.folder)),
    "folder_with_two": folder_with_two,
    "samples_that_do_not_fit": lambda b: b.quantize(data=b.npz(x0=b.rows(rows=7))),
    "too_few_samples": lambda b: b.quantize(data=b.npz(x0=b.rows(count=1))),
    "npy_of_another_dtype": lambda b: b.quantize(data=b.npy(b.rows().astype(">f4"))),
    "npy_truncated": lambda b: b.quantize(data=b.all_but(b.npy(b.rows()), 4)),
    "npy_that_is_none": lambda b: b.quantize(data=b.write("data.npy", "1 2 3 4 5 6")),
    "npz_of_other_names": lambda b: b.quantize(data=b.npz(images=b.rows())),
    "npz_of_uneven_rows": lambda b: b.quantize(data=b.npz(x0=b.rows(), x1=b.rows(count=3))),
    "npz_without_samples": lambda b: b.quantize(data=b.npz(x0=b.rows(count=0))),
    "safetensors_of_other_names": lambda b: b.quantize(data=b.safetensors(images=b.rows())),
    "safetensors_with_a_gap": lambda b: b.quantize(data=b.safetensors(**{"0.x0": b.rows(), "1.x1": b.rows()})),
    "idx_that_is_none": lambda b: idx(b, b"a text instead of pixels"),
    "idx_of_floats": lambda b: idx(b, bytes(16), header=(1, 2, 2), kind=13),
    "idx_truncated": lambda b: idx(b, bytes(3), header=(1, 2, 2)),
    "idx_bomb": lambda b: idx(b, bytes(4), header=(2**31, 2, 2)),
    "no_labels": lambda b: b.evaluate(x0=b.rows()),
    "label_out_of_range": lambda b: b.evaluate(x0=b.rows(), y=np.array([0, 4])),
    "labels_that_are_no_integers": lambda b: b.evaluate(x0=b.rows(), y=np.array([0.5, 1.0])),
    "negative_label": lambda b: b.evaluate(x0=b.rows(), y=np.array([0, -1])),
    "labels_of_another_count": lambda b: b.evaluate(x0=b.rows(), y=np.array([0, 1, 2])),
    "not_finite": lambda b: b.quantize(data=b.npz(x0=np.full((2, 6, 8), np.nan, np.float32))),
}


class Sum(torch.nn.Module):
    def forward(self, x, y):
        return x + y


UNIT = ("--preprocess", "unit")
GOOD = (IMAGES / "rgb16.png").read_bytes()
JPEG = (IMAGES / "444.jpg").read_bytes()


def quantize_images(bench, *flags, files=None, channels=3, inputs=1):
    """A program of images of 8 x 8, on a folder photos/ of these files; None is a folder."""
    module = torch.nn.Conv2d(channels, 2, 3) if inputs == 1 else Sum()
    program = bench.exported(module, *[torch.ones(1, channels, 8, 8)] * inputs)
    for name, data in (files or {"a.png": GOOD}).items():
        if data is None:
            (bench.folder / "photos" / name).mkdir()
        else:
            bench.write(f"photos/{name}", data)
    return bench.quantize(*flags, data=bench.path("photos"), model=program)


def one_image(data):
    return lambda bench: quantize_images(bench, *UNIT, files={"a.png": data})


def image_flags_for_arrays(bench):
    args = quantize_images(bench, *UNIT)
    args[args.index("--data") + 1] = bench.good_data()
    return args


def arrays_beside_images(bench):
    args = quantize_images(bench, *UNIT)
    bench.npy(bench.rows(), "photos/x.npy")
    return args


def image_bomb():
    jpeg = bytearray(JPEG)
    size = jpeg.index(b"\xff\xc0") + 5  # height, width
    jpeg[size:size + 4] = b"\xff\xdc\xff\xdc"
    return bytes(jpeg)


IMAGE_FILES = {
    "images_without_a_preset": quantize_images,
    "images_half_described": lambda b: quantize_images(b, "--mean", "0.5"),
    "image_flags_for_arrays": image_flags_for_arrays,
    "images_for_four_channels": lambda b: quantize_images(b, *UNIT, channels=4),
    "images_for_two_inputs": lambda b: quantize_images(b, *UNIT, inputs=2),
    "two_means": lambda b: quantize_images(b, "--mean", "0.5,0.4", "--std", "1"),
    "three_means_for_grey": lambda b: quantize_images(b, "--preprocess", "imagenet", channels=1),
    "mean_of_bytes": lambda b: quantize_images(b, "--mean", "123.7", "--std", "1"),
    "std_of_bytes": lambda b: quantize_images(b, "--mean", "0", "--std", "58.4"),
    "crop_larger_than_the_image": lambda b: quantize_images(b, *UNIT, "--resize", "7"),
    "note_among_images": lambda b: quantize_images(b, *UNIT, files={"a.png": GOOD, "notes.txt": b""}),
    "folder_above_the_classes": lambda b: quantize_images(b, *UNIT, files={"train/cat/a.png": GOOD}),
    "empty_class": lambda b: quantize_images(b, *UNIT, files={"cat/a.png": GOOD, "dog": None}),
    "images_beside_classes": lambda b: quantize_images(b, *UNIT, files={"cat/a.png": GOOD, "b.png": GOOD}),
    "arrays_beside_images": arrays_beside_images,
    "image_of_another_kind": one_image(b"GIF89a"),
    "cut_jpeg": one_image(JPEG[:700]),
    "cut_png": one_image(GOOD[:700]),
    "image_bomb": one_image(image_bomb()),
}

ALL = INPUTS | DATA | IMAGE_FILES
