"""What `--data` takes: folders of images, arrays, several inputs, made-up data."""
import json
import pathlib
import shutil
import struct
import zlib

import numpy as np
import torch

from cli_case import MODEL, STATIC, CliCase

IMAGES = pathlib.Path(__file__).parent.parent / "data/images"


def write_grey_png(path, pixels):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    path.parent.mkdir(parents=True, exist_ok=True)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *pixels.shape[::-1], 8, 0, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class TwoInputs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = torch.nn.Linear(4, 3), torch.nn.Linear(6, 3)

    def forward(self, x, y):
        return self.left(x) + self.right(y)


class Data(CliCase):
    def images_by_class(self, classes=10, each=3):
        """A folder with one folder a class, and the same images as arrays, in the order of the folder."""
        pixels = np.random.default_rng(1).integers(0, 256, (classes * each, 28, 28), np.uint8)
        labels = np.repeat(np.arange(classes), each)
        for i, image in enumerate(pixels):
            write_grey_png(self.folder / f"photos/class{labels[i]}/{i % each}.png", image)
        self.npz("photos.npz", x0=pixels[:, None].astype(np.float32) / 255, y=labels)
        return self.path("photos"), self.path("photos.npz")

    def test_a_folder_of_images_is_the_same_as_its_arrays(self):
        photos, arrays = self.images_by_class()
        (self.folder / "photos/class3/.DS_Store").write_text("")
        ours = self.json_of("eval", MODEL, "--data", photos, "--preprocess", "unit")
        theirs = self.json_of("eval", MODEL, "--data", arrays)
        self.assertEqual((ours["samples"], ours["top1"], ours["top5"]), (30, theirs["top1"], theirs["top5"]))
        self.assertAlmostEqual(ours["loss"], theirs["loss"], places=6)  # summed in another order
        for folder, data in (("a", [photos, "--preprocess", "unit"]), ("b", [photos, "--mean", "0", "--std", "1", "--shuffle", "0"]), ("c", [arrays, "--shuffle", "0"]), ("d", [arrays])):
            self.run_program(*STATIC, "--samples", "12", "-o", self.path(f"{folder}/q.pt2"), "--data", *data)
        programs = [self.bytes_of(f"{folder}/q.pt2") for folder in "abcd"]
        self.assertEqual(programs[0], programs[1])
        self.assertEqual(programs[0], programs[2])
        self.assertNotEqual(programs[2], programs[3])

    def test_what_was_taken_of_a_folder_of_images_is_said(self):
        photos, _ = self.images_by_class(classes=4)
        done = self.run_program("eval", MODEL, "--data", photos, "--preprocess", "unit", "--samples", "5")
        self.assertIn("judging by 5 of the 12 samples of", done.stderr)
        self.assertIn("photos (shuffled by seed 0)", done.stderr)
        self.assertIn("4 class folders for a program of 10 classes", done.stderr)
        done = self.run_program(*STATIC, "--data", photos, "--preprocess", "unit", "--samples", "5", "--shuffle", "7", "-o", self.path("q.pt2"), "--json")
        self.assertIn("photos (shuffled by seed 7)", json.loads(done.stdout)["data"])
        notes = [json.loads(line).get("note", "") for line in done.stderr.splitlines()]
        self.assertIn("calibrating with 5 of the 12 samples of", notes[0])

    def test_colour_photographs_become_what_the_program_takes(self):
        for name in ("420.jpg", "cmyk.jpg", "rgba.png", "orientation6.jpg"):
            shutil.copy(IMAGES / name, self.path(f"flat/{name}"))
        result = self.json_of(*STATIC, "--data", self.path("flat"), "--preprocess", "inception", "-o", self.path("q.pt2"))
        self.assertEqual(result["samples"], 4)
        self.assert_error("eval", MODEL, "--data", self.path("flat"), "--preprocess", "unit", says=["has no labels", "a folder for each class"])

    def test_images_that_cannot_be_used(self):
        photos, arrays = self.images_by_class(classes=2, each=1)
        quantize = [*STATIC, "-o", self.path("q.pt2"), "--data"]
        self.assert_error(*quantize, photos, says=["how the program wants them prepared was not said", "--preprocess imagenet | "])
        self.assert_error(*quantize, photos, "--resize", "28", says=["how to normalise images was not said", "--mean and --std"])
        self.assert_error(*quantize, photos, "--preprocess", "imagenet", says=["mean: 3 values", "images of 1 channel"])
        self.assert_error(*quantize, photos, "--mean", "127.5", "--std", "1", says=["mean: 127.5", "0 to 1", "0.5"])
        self.assert_error(*quantize, photos, "--preprocess", "unit", "--crop", "20x24", says=["input x", "size 20 on axis 2"])
        self.assert_error(*quantize, photos, "--preprocess", "unit", "--resize", "20", says=["class", "has no part of 28 x 28", "--resize 28"])
        self.assert_error(*quantize, arrays, "--preprocess", "unit", says=["photos.npz: is no folder of images"])
        for flags in (["--preprocess", "magic"], ["--preprocess", "unit", "--crop", "big"], ["--shuffle", "-1"], ["--mean", "a"]):
            self.assertNotEqual(self.run_program(*quantize, photos, *flags, code=2).stderr, "", flags)
        (self.folder / "photos/class1/0.png").write_bytes((IMAGES / "rgb16.png").read_bytes()[:300])
        self.assert_error(*quantize, photos, "--preprocess", "unit", says=["class1/0.png: is no PNG file that can be read"])
        (self.folder / "photos/class1/notes.txt").write_text("")
        self.assert_error(*quantize, photos, "--preprocess", "unit", says=["class1/notes.txt: is no image", ".jpg, .jpeg, .png"])
        self.assertFalse((self.folder / "q.pt2").exists())

    def test_made_up_data_set_ranges_only_where_allowed(self):
        quantize = [*STATIC, "-o", self.path("q.pt2"), "--data", "synthetic"]
        self.assert_error(*quantize, says=["--data synthetic: xnnpack-static takes", "ranges of activations", "wrong for real ones", "--allow-synthetic"])
        self.assertFalse((self.folder / "q.pt2").exists())
        self.assertIn("calibrated with made-up data", self.run_program(*quantize, "--allow-synthetic").stdout)
        result = self.json_of(*quantize, "--allow-synthetic")
        self.assertEqual((result["synthetic_data"], result["data"], result["samples"]), (True, "synthetic", 32))
        self.assertFalse(json.loads(self.quantize("real.pt2", "--json").stdout)["synthetic_data"])
        self.assert_error("eval", MODEL, "--data", "synthetic", says=["synthetic: has no labels"])

    def test_programs_of_several_inputs(self):
        program = self.path("two.pt2")
        torch.export.save(torch.export.export(TwoInputs(), (torch.randn(1, 4), torch.randn(1, 6))), program)
        x, y = self.images[:, 0, 0, :4], self.images[:, 0, 0, :6]
        self.npz("two.npz", x0=x, x1=y, y=np.zeros(8, np.int64))
        samples = {f"{i}.x{k}": array[i:i + 1] for i in range(8) for k, array in enumerate((x, y))}
        self.tensors("two.safetensors", **samples)
        quantize = ["quantize", program, "--recipe", "xnnpack-static"]
        for folder, data in (("a", "two.npz"), ("b", "two.safetensors")):
            self.run_program(*quantize, "--data", self.path(data), "-o", self.path(f"{folder}/q.pt2"))
        self.assertEqual(self.bytes_of("a/q.pt2"), self.bytes_of("b/q.pt2"))
        self.assertIn("8 samples", self.run_program("eval", self.path("a/q.pt2"), "--data", self.path("two.npz")).stdout)
        del samples["5.x1"]
        self.assert_error(*quantize, "--data", self.tensors("lacks.safetensors", **samples), "-o", self.path("q.pt2"), says=["sample 5: has no 5.x1"])
        self.assert_error(*quantize, "--data", self.npz("one.npz", x0=x), "-o", self.path("q.pt2"), says=["one.npz", "inputs: 1 given", "2: x, y"])

    def test_data_that_do_not_fit(self):
        small = self.npz("small.npz", x0=np.zeros((2, 1, 27, 28), np.float32), y=np.zeros(2, np.int64))
        for command in (["eval", MODEL], [*STATIC, "-o", self.path("q.pt2")]):
            self.assert_error(*command, "--data", small, says=["small.npz", "input x", "size 27 on axis 2"])
        labels = self.npz("labels.npz", x0=self.images, y=np.full(8, 10))
        self.assert_error("eval", MODEL, "--data", labels, says=["class 10", "0 to 9"])
