"""`torquant quantize` and what goes with it: observers in files, interruptions, a program that Python runs alike."""
import json
import pathlib
import signal
import subprocess
import time

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # the operators of quantized programs
from safetensors.numpy import load_file

from cli_case import MODEL, PROGRAM, STATIC, CliCase


class GroupedTransposed(torch.nn.Module):
    """XNNPACK has no int8 kernel for the second layer."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(4, 4, 3)
        self.up = torch.nn.ConvTranspose2d(4, 4, 2, groups=2)

    def forward(self, x):
        return self.up(self.conv(x))


class FeedForward(torch.nn.Sequential):
    """Two linear layers, on sequences of any length."""

    def __init__(self):
        super().__init__(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 16))

    def export(self, path):
        sizes = {0: torch.export.Dim("batch", max=64), 1: torch.export.Dim("length", max=512)}
        torch.export.save(torch.export.export(self, (torch.randn(2, 4, 16),), dynamic_shapes=(sizes,)), path)
        return path


class Quantization(CliCase):
    def test_every_built_in_recipe_quantizes(self):
        for recipe in ("x86-static", "x86-static-reduce-range", "arm-static"):
            self.quantize(f"{recipe}.pt2", recipe=recipe)
            self.run_program("eval", self.path(f"{recipe}.pt2"), "--data", self.data, "--samples", "8")

    def test_quantize_writes_a_small_program_that_python_runs_alike(self):
        result = json.loads(self.quantize("int8.pt2", "--json").stdout)
        self.assertEqual((result["quantized_layers"], result["samples"]), (22, 8))
        self.assertEqual(result["bytes_after"], (self.folder / "int8.pt2").stat().st_size)
        self.assertLess(result["bytes_after"], 0.3 * result["bytes_before"])
        ours = self.forward(self.path("int8.pt2"), self.images)
        with torch.no_grad():
            theirs = torch.export.load(self.path("int8.pt2")).module()(torch.from_numpy(self.images)).numpy()
        np.testing.assert_array_equal(ours, theirs)
        self.assertGreater(np.corrcoef(ours.ravel(), self.forward(MODEL, self.images).ravel())[0, 1], 0.99)

    def test_dynamic_recipes_take_no_data(self):
        program = FeedForward().export(self.path("float.pt2"))
        for recipe in ("int8-dynamic", "xnnpack-dynamic", "x86-dynamic"):
            args = ["quantize", program, "--recipe", recipe, "-o", self.path(f"{recipe}.pt2")]
            self.assertIn("no data needed", self.run_program(*args).stdout)
            result = self.json_of(*args)
            self.assertEqual((result["quantized_layers"], result["samples"], result["data"]), (2, 0, ""))
            for length in (1, 7):
                x = np.ascontiguousarray(self.images[:3, 0, :length, :16])
                with torch.no_grad():
                    theirs = torch.export.load(self.path(f"{recipe}.pt2")).module()(torch.from_numpy(x)).numpy()
                np.testing.assert_array_equal(self.forward(self.path(f"{recipe}.pt2"), x), theirs)
            self.assert_error(*args, "--data", self.data, says=[f"--data {self.data}: {recipe} takes nothing from data"])

    def test_the_runtime_refuses_scales_of_whole_tensors_chosen_at_run_time(self):
        program = FeedForward().export(self.path("float.pt2"))
        for recipe in ("xnnpack-dynamic", "x86-dynamic"):
            self.run_program("quantize", program, "--recipe", recipe, "-o", self.path("q.pt2"))
            self.assert_error("lower", self.path("q.pt2"), "-o", self.path("q.tqm"), says=["lower to the runtime", "aten.linear.default"])

    def test_a_static_rule_in_a_dynamic_recipe_takes_data(self):
        recipe = self.path("mixed.json")
        pathlib.Path(recipe).write_text(json.dumps({"scheme": "int8-dynamic", "rules": [{"select": {"index": -1}, "scheme": "xnnpack-static"}]}))
        args = ["quantize", FeedForward().export(self.path("float.pt2")), "--recipe", recipe, "-o", self.path("q.pt2")]
        self.assert_error(*args, says=["mixed.json: takes 2 ranges of activations from data, and none are given", "--data"])
        self.run_program(*args, "--data", self.npz("sequences.npz", x0=self.images[:, 0, :4, :16]))
        ops = {str(node.target) for node in torch.export.load(self.path("q.pt2")).graph.nodes}
        self.assertTrue({"quantized_decomposed.quantize_per_token.default", "quantized_decomposed.quantize_per_tensor.default"} <= ops, ops)

    def test_quantize_repeats_to_the_byte(self):
        self.quantize("once.pt2")
        self.quantize("again/once.pt2")
        self.assertEqual(self.bytes_of("once.pt2"), self.bytes_of("again/once.pt2"))

    def test_quantize_gives_the_same_bytes_for_any_number_of_threads(self):
        outputs = []
        for threads in ("1", "2", "4"):
            self.quantize(f"{threads}/q.pt2", "--threads", threads)
            outputs.append(self.bytes_of(f"{threads}/q.pt2"))
        self.assertEqual(outputs[0], outputs[1])
        self.assertEqual(outputs[0], outputs[2])

    def test_int8_static_rounds_weights_to_the_data(self):
        outputs = []
        for threads in ("1", "2"):
            arguments = ["quantize", MODEL, "--recipe", "int8-static", "--data", self.data, "--json", "--threads", threads]
            result = json.loads(self.run_program(*arguments, "-o", self.path(f"{threads}/q.pt2")).stdout)
            self.assertEqual((result["layers_rounded_to_data"], result["quantized_layers"]), (22, 22))
            outputs.append(self.bytes_of(f"{threads}/q.pt2"))
        self.assertEqual(outputs[0], outputs[1])
        # Without data the nearest codes, and a note that says so.
        take = ["quantize", MODEL, "--recipe", "int8-static"]
        self.run_program(*take, "--data", self.data, "--save-observers", self.path("seen"))
        self.assertIn("rounding them to the data needs --data", self.run_program(*take, "--observers", self.path("seen"), "-o", self.path("nearest.pt2")).stdout)

    def test_observers_of_shards_are_merged(self):
        parts = []
        for i in range(4):
            parts.append(self.path(f"{i}.observers"))
            shard = self.npz(f"shard{i}.npz", x0=self.images[2 * i:2 * i + 2])
            done = self.run_program(*STATIC, "--data", shard, "--save-observers", parts[-1])
            self.assertIn("2 samples", done.stdout)
        merged = self.path("merged.observers")
        self.assertIn("8 samples of 4 files", self.run_program("merge-observers", *parts, "-o", merged).stdout)
        take = [*STATIC, "--observers"]
        result = self.json_of(*take, merged, "-o", self.path("merged.pt2"))
        self.assertEqual((result["samples"], result["quantized_layers"]), (8, 22))
        whole = self.path("whole.observers")
        self.quantize("whole.pt2", "--save-observers", whole)
        one_pass, of_shards = load_file(whole), load_file(merged)
        self.assertEqual(one_pass.keys(), of_shards.keys())
        for name, value in one_pass.items():
            if name.endswith("histogram"):
                # Equal but for float32 rounding: 2^-24 of it at each of some 20 additions.
                np.testing.assert_allclose(of_shards[name].sum(dtype=np.float64), value.sum(dtype=np.float64), rtol=20 * 2**-24, err_msg=name)
            else:
                np.testing.assert_array_equal(value, of_shards[name], name)
        ours, theirs = self.forward(self.path("merged.pt2"), self.images), self.forward(self.path("whole.pt2"), self.images)
        self.assertGreater(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1], 0.999)
        # Observers of one file alone: the bytes of a run from the data.
        self.run_program(*take, whole, "-o", self.path("again.pt2"))
        self.assertEqual(*(self.bytes_of(name).replace(b"again", b"whole") for name in ("again.pt2", "whole.pt2")))
        self.assert_error("quantize", MODEL, "--recipe", "x86-static", "--observers", merged, "-o", self.path("x.pt2"),
                          says=["merged.observers", "placed by another recipe", "xnnpack-static there, x86-static here"])
        self.assert_error(*take, self.data, "-o", self.path("x.pt2"), says=["calibration.npz"])

    def test_quantize_reports_progress_as_json_lines(self):
        lines = [json.loads(line) for line in self.quantize("p.pt2", "--json").stderr.splitlines()]
        self.assertEqual((lines[-1]["stage"], lines[-1]["done"], lines[-1]["total"]), ("calibrate", 8, 8))

    def test_quantize_says_how_much_of_the_data_it_takes(self):
        done = self.quantize("s.pt2", "--samples", "3", "--batch-size", "2")
        self.assertIn("calibrating with 3 of the 8 samples", done.stderr)
        self.assertIn("3 calibration samples", done.stdout)

    def test_less_than_asked_needs_permission_and_exits_3(self):
        program = self.path("grouped.pt2")
        torch.export.save(torch.export.export(GroupedTransposed(), (torch.randn(1, 4, 8, 8),)), program)
        images = self.npz("images.npz", x0=np.ones((2, 4, 8, 8), np.float32))
        args = ["quantize", program, "--recipe", "xnnpack-static", "--data", images, "-o", self.path("q.pt2")]
        self.assert_error(*args, says=["1 of the layers asked for would stay in float", "up (%", "groups = 2", "--allow-partial"])
        self.assertFalse((self.folder / "q.pt2").exists())
        self.assertIn("in float: up", self.run_program(*args, "--allow-partial", code=3).stdout)
        self.assertTrue((self.folder / "q.pt2").exists())
        self.assertIn("stay in float", self.run_program("plan", program, "--recipe", "xnnpack-static").stdout)

    def test_a_program_that_is_quantized_already(self):
        self.quantize("int8.pt2")
        self.assert_error("plan", self.path("int8.pt2"), "--recipe", "xnnpack-static", says=["quantized already"])
        recipes = self.json_of("inspect", self.path("int8.pt2"))["recipes"]
        self.assertIn("nothing: the program is quantized already", recipes["xnnpack-static"])

    def interrupt(self, arguments, signal_number, after):
        """Starts a quantization, interrupts it after so many lines of progress, and gives what it printed."""
        process = subprocess.Popen([PROGRAM, *arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = 0
        while lines < after:
            lines += '"done"' in process.stderr.readline()
            self.assertIsNone(process.poll())
        process.send_signal(signal_number)
        sent = time.monotonic()
        out, err = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - sent, 5)  # a second on a machine that does nothing else
        self.assertEqual(process.returncode, -signal_number)
        self.assertEqual(out, "")
        return err

    def test_an_interrupted_calibration_goes_on_to_the_same_bytes(self):
        rng = np.random.default_rng(3)
        self.npz("calibration.npz", x0=rng.random((3000, 1, 28, 28), np.float32))
        arguments = [*STATIC, "--data", self.data, "--samples", "3000"]
        self.run_program(*arguments, "-o", self.path("whole/q.pt2"))
        output, state = self.folder / "q.pt2", self.folder / "q.pt2.calibration"
        for signal_number, threads in ((signal.SIGINT, "1"), (signal.SIGTERM, "2")):
            output.write_text("the old one")
            err = self.interrupt([*arguments, "-o", output, "--threads", threads], signal_number, 1)
            self.assertRegex(err, rf"interrupted after [\d,]+ of 3,000 calibration samples; what was calibrated is in {state}\n"
                                  rf"  to go on: the same command with --resume {state}\n")
            self.assertEqual(output.read_text(), "the old one")
            self.assert_error(*arguments[:4], "--observers", str(state), "-o", str(output), says=["an interrupted calibration", "--resume"])
            self.assert_error(*arguments, "--batch-size", "2", "--resume", str(state), "-o", str(output), says=["3000 samples, 1 a call; now it is 3000, 2 a call"])
            self.assert_error(*arguments[:3], "x86-static", *arguments[4:], "--resume", str(state), "-o", str(output), says=["another recipe"])
            self.run_program(*arguments, "-o", str(output), "--resume", str(state))
            self.assertEqual(output.read_bytes(), self.bytes_of("whole/q.pt2"))
            self.assertFalse(state.exists())

    def test_an_interrupted_calibration_is_of_its_data(self):
        arguments = [*STATIC, "--samples", "20000", "-o", self.path("q.pt2"), "--data"]
        for name, value in (("zeros.npz", 0), ("ones.npz", 1)):
            self.npz(name, x0=np.full((20000, 1, 28, 28), value, np.float32))
        self.interrupt([*arguments, self.path("zeros.npz")], signal.SIGINT, 1)
        state = self.path("q.pt2.calibration")
        self.assert_error(*arguments, self.path("ones.npz"), "--resume", state, says=["was calibrating with other data"])
        self.run_program("merge-observers", state, state, "-o", self.path("m"), code=1)
        self.assertFalse((self.folder / "q.pt2").exists())
