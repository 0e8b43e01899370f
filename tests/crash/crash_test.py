#!/usr/bin/env python3
"""crash_test.py TORQUANT MODEL [--kills N]: what is left of an output when writing it goes wrong.

`torquant quantize` is killed at random moments, runs out of disk, or is not alone. Whatever happens, the file under the
output's name is whole: the old one or the new one.
"""
import argparse
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import numpy as np

OLD, NEW = "xnnpack-static", "xnnpack-static-per-tensor"


def size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Crash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.data = cls.folder / "data.npz"
        np.savez(cls.data, x0=np.ones((1, 1, 28, 28), np.float32))
        cls.wanted = {}
        for recipe in (OLD, NEW):
            output = cls.folder / "program.pt2"
            started = time.monotonic()
            subprocess.run(cls.command(recipe, output), check=True, capture_output=True)
            cls.seconds = time.monotonic() - started
            cls.wanted[recipe] = output.read_bytes()
        assert cls.wanted[OLD] != cls.wanted[NEW]

    @classmethod
    def command(cls, recipe, output):
        return [PROGRAM, "quantize", MODEL, "--recipe", recipe, "--data", cls.data, "-o", output]

    def setUp(self):
        self.outputs = self.folder / "outputs"
        self.outputs.mkdir()
        self.addCleanup(shutil.rmtree, self.outputs)
        self.output = self.outputs / "program.pt2"
        self.output.write_bytes(self.wanted[OLD])

    def files(self):
        return sorted(path.name for path in self.outputs.iterdir())

    def start(self, recipe, **options):
        return subprocess.Popen(self.command(recipe, self.output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)

    def test_kills_leave_a_whole_file_and_block_nothing(self):
        """A third of the kills come at any moment of a run, the others while it writes or soon after."""
        rng = random.Random(7)
        partial = self.outputs / "program.pt2.torquant-partial"
        counts = {"before": 0, "while writing": 0, "after": 0}
        for kill in range(KILLS):
            self.output.write_bytes(self.wanted[OLD])
            process = self.start(NEW)
            if kill % 3 == 0:
                time.sleep(rng.uniform(0, self.seconds))
            else:
                left_behind = size_of(partial)
                while process.poll() is None and size_of(partial) == left_behind:
                    time.sleep(0.0005)
                time.sleep(rng.uniform(0, 0.02))
            process.kill()
            process.communicate()
            found = self.output.read_bytes()
            self.assertIn(found, self.wanted.values(), f"kill {kill} left {len(found)} bytes that are neither the old file nor the new one")
            self.assertIn(self.files(), (["program.pt2"], ["program.pt2", partial.name]))
            counts["after" if found == self.wanted[NEW] else "while writing" if size_of(partial) > 0 else "before"] += 1
        print(f"\n{KILLS} kills: {counts}")
        self.assertGreater(counts["while writing"], 0)
        process = self.start(NEW)
        self.assertEqual(process.communicate()[1].count("error"), 0)
        self.assertEqual(self.output.read_bytes(), self.wanted[NEW])
        self.assertEqual(self.files(), ["program.pt2"])

    def test_a_full_disk_leaves_the_old_file_alone(self):
        """A limit on the size of files stands for the disk: it needs no rights, and fails the same write."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        whole = len(self.wanted[NEW])
        for size in (0, 1000, whole // 2, whole - 1):
            process = self.start(NEW, preexec_fn=limit)
            self.assertIn("program.pt2: cannot write the file: File too large", process.communicate()[1])
            self.assertEqual(process.returncode, 1)
            self.assertEqual(self.output.read_bytes(), self.wanted[OLD])
            self.assertEqual(self.files(), ["program.pt2"])

    def test_of_two_that_write_at_once_one_wins(self):
        for _ in range(3):
            processes = [self.start(OLD), self.start(NEW)]
            self.assertEqual(["error" in process.communicate()[1] for process in processes], [False, False])
            self.assertIn(self.output.read_bytes(), self.wanted.values())
            self.assertEqual(self.files(), ["program.pt2"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--kills", type=int, default=40)
    args = parser.parse_args()
    PROGRAM, MODEL, KILLS = args.program, args.model, args.kills
    unittest.main(argv=[__file__], verbosity=2)
