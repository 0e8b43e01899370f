"""What tests of the torquant program share: a folder of their own, calibration data, and ways to call it."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from safetensors.numpy import load_file, save_file

PROGRAM, MODEL = sys.argv[1], str(pathlib.Path(sys.argv[2]) / "fashion_mnist_resnet.pt2")
STATIC = ("quantize", MODEL, "--recipe", "xnnpack-static")


class CliCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        rng = np.random.default_rng(7)
        self.images = rng.random((8, 1, 28, 28), np.float32)
        self.labels = rng.integers(0, 10, 8)
        self.data = self.npz("calibration.npz", x0=self.images, y=self.labels)

    def path(self, name):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)

    def npz(self, name, **arrays):
        np.savez(self.path(name), **arrays)
        return self.path(name)

    def tensors(self, name, **tensors):
        save_file(tensors, self.path(name))
        return self.path(name)

    def run_program(self, *args, code=0):
        done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, code, f"{args}\n{done.stdout}\n{done.stderr}")
        return done

    def json_of(self, *args):
        return json.loads(self.run_program(*args, "--json").stdout)

    def assert_error(self, *args, says):
        done = self.run_program(*args, code=1)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("error: "), done.stderr)
        for text in says:
            self.assertIn(text, done.stderr)

    def quantize(self, output, *args, recipe="xnnpack-static"):
        """Quantizes with the calibration data; gives what was printed."""
        return self.run_program("quantize", MODEL, "--recipe", recipe, "--data", self.data, "-o", self.path(output), *args)

    def bytes_of(self, name):
        return (self.folder / name).read_bytes()

    def forward(self, program, images):
        self.run_program("run", program, "--input", self.tensors("in.safetensors", x0=images), "--output", self.path("out.safetensors"))
        return load_file(self.path("out.safetensors"))["y0"]
