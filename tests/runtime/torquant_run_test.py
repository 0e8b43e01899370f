"""torquant_run_test.py FOLDER [EMULATOR...] TORQUANT_RUN: the program torquant-run on the models of write_models in FOLDER."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np

FOLDER, *PROGRAM = sys.argv[1:]
TINY = f"{FOLDER}/tiny"  # x [N, 3, 8, 8] to y [N, 5], N from 1 to 9


class TorquantRun(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def save(self, array, name="x.npy"):
        np.save(self.path(name), array)
        return self.path(name)

    def run_it(self, *arguments, code=0):
        done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr if code else done.stdout

    def test_runs_images_one_by_one_as_together(self):
        images = np.random.default_rng(1).normal(size=(3, 3, 8, 8)).astype(np.float32)
        text = self.run_it(TINY, "--input", self.save(images), "--output", self.path("y.npy"), "--threads", "2", "--runs", "5", "--top", "2")
        together = np.load(self.path("y.npy"))
        self.assertEqual(together.shape, (3, 5))
        self.assertIn("input  0  x, float32 [3, 3, 8, 8]", text)
        self.assertRegex(text, r"5 runs   min [\d.]+, median [\d.]+, p99 [\d.]+ ms on 2 threads")
        for i in range(3):
            images[i : i + 1].tofile(self.path("x.raw"))
            self.run_it(TINY, "--input", self.path("x.raw"), "--output", self.path("y.raw"))
            one = np.fromfile(self.path("y.raw"), np.float32)
            self.assertTrue((one == together[i]).all())
            best = re.search(rf"image {i}  (\d+) \(", text).group(1)
            self.assertEqual(int(best), int(one.argmax()))

    def test_takes_ids_of_tokens(self):
        ids = np.array([[3, 1, 4, 1, 5, 9]])
        mask = np.ones_like(ids)
        inputs = ("--input", self.save(ids, "ids.npy"), "--input", self.save(mask, "mask.npy"))
        text = self.run_it(f"{FOLDER}/transformer", *inputs, "--output", self.path("y.npy"))
        self.assertIn("input  0  ids, int64 [1, 6]", text)
        self.assertEqual(np.load(self.path("y.npy")).shape, (1, 6, 24))
        text = self.run_it(f"{FOLDER}/transformer", "--input", self.save(ids.astype(np.float32), "floats.npy"), code=1)
        self.assertIn("'descr': '<i8', 'fortran_order': False, 'shape': (1, 6), } (input ids)", text)

    def test_takes_sequences_of_any_length(self):
        for tokens in (3, 7, 9):
            ids = self.save(np.arange(2 * tokens).reshape(2, tokens) % 11, "ids.npy")
            mask = self.save(np.ones((2, tokens), np.int64), "mask.npy")
            text = self.run_it(f"{FOLDER}/growing", "--input", ids, "--input", mask, "--output", self.path("y.npy"))
            self.assertIn(f"input  0  ids, int64 [2, {tokens}]", text)
            self.assertEqual(np.load(self.path("y.npy")).shape, (2, tokens, 24))
        self.assertIn("int64 [1, 5]", self.run_it(f"{FOLDER}/growing", "--length", "5"))
        text = self.run_it(f"{FOLDER}/growing", "--input", self.save(np.zeros((1, 10), np.int64)), code=1)
        self.assertIn("length is 10\n  allowed here: 3 to 9", text)

    def test_says_what_is_wrong(self):
        image = np.zeros((1, 3, 8, 8), np.float32)
        wrong = {
            (self.path("none.tqm"),): "none.tqm: cannot be read: No such file or directory",
            (TINY, "--input", self.path("none.npy")): "none.npy: cannot be read: No such file or directory",
            (TINY, "--input", self.save(image.astype(np.float64), "double.npy")): "'descr': '<f8'",
            (TINY, "--input", self.save(image[0], "rank.npy")): "'shape': (3, 8, 8)",
            (TINY, "--input", self.save(image, "two.npy"), "--batch", "2"): "'shape': (2, 3, 8, 8), } (input x)",
            (TINY, "--batch", "10"): "batch is 10\n  allowed here: 1 to 9",
            (TINY, "--output", "/nowhere/y.npy"): "/nowhere/y.npy: cannot be written: No such file or directory",
        }
        for arguments, message in wrong.items():
            with self.subTest(message):
                text = self.run_it(*arguments, code=1)
                self.assertTrue(text.startswith("error: "), text)
                self.assertIn(message, text)
        with open(self.path("cut.npy"), "wb") as file:
            file.write(open(self.save(image), "rb").read()[:40])
        self.assertIn("cut.npy: is no .npy file", self.run_it(TINY, "--input", self.path("cut.npy"), code=1))

    def test_says_how_it_is_used(self):
        for arguments, message in {(): "no model is named", (TINY, "--thread"): "'--thread' is no option", (TINY, "--runs", "x"): "--runs: 'x' is no number", (TINY, "--runs"): "its value is missing", (TINY, TINY): "is a second model"}.items():
            self.assertIn(message, self.run_it(*arguments, code=2))
        self.assertIn("given 2 times", self.run_it(TINY, "--output", "a", "--output", "b", code=2))
        self.assertIn("usage: torquant-run", self.run_it("--help"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
