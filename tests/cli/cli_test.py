"""Runs the torquant program as users do: cli_test.py TORQUANT DEMO_FOLDER"""
import json
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # the operators of quantized programs
from safetensors.numpy import load_file, save_file

PROGRAM, MODEL = sys.argv[1], str(pathlib.Path(sys.argv[2]) / "fashion_mnist_resnet.pt2")


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


class GroupedTransposed(torch.nn.Module):
    """XNNPACK has no int8 kernel for the second layer."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(4, 4, 3)
        self.up = torch.nn.ConvTranspose2d(4, 4, 2, groups=2)

    def forward(self, x):
        return self.up(self.conv(x))


class Cli(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        rng = np.random.default_rng(7)
        self.images = rng.random((8, 1, 28, 28), np.float32)
        self.labels = rng.integers(0, 10, 8)
        self.data = self.path("calibration.npz")
        np.savez(self.data, x0=self.images, y=self.labels)

    def path(self, name):
        return str(self.folder / name)

    def run_program(self, *args, code=0):
        done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, code, f"{args}\n{done.stdout}\n{done.stderr}")
        return done

    def assert_error(self, *args, says):
        done = self.run_program(*args, code=1)
        self.assertEqual(done.stdout, "")
        self.assertTrue(done.stderr.startswith("error: "), done.stderr)
        for text in says:
            self.assertIn(text, done.stderr)

    def quantize(self, output, *args, recipe="xnnpack-static", code=0):
        return self.run_program("quantize", MODEL, "--recipe", recipe, "--data", self.data, "-o", self.path(output), *args, code=code)

    def forward(self, program, images):
        save_file({"x0": images}, self.path("in.safetensors"))
        self.run_program("run", program, "--input", self.path("in.safetensors"), "--output", self.path("out.safetensors"))
        return load_file(self.path("out.safetensors"))["y0"]

    # ---- usage

    def test_help_names_every_command_and_exits_0(self):
        text = self.run_program("--help").stdout
        for command in ("inspect", "recipes", "plan", "quantize", "merge-observers", "eval", "run", "bench", "capabilities", "doctor"):
            self.assertIn(f"\n  {command} ", text)
            self.assertIn("--help", self.run_program(command, "--help").stdout)

    def test_wrong_usage_exits_2(self):
        for args in ([], ["bake"], ["inspect"], ["inspect", MODEL, "--bogus"], ["quantize", MODEL, "--recipe", "xnnpack-static"],
                     ["quantize", MODEL, "--recipe", "xnnpack-static", "--data", self.data], ["merge-observers", "one", "-o", "m"],
                     ["quantize", MODEL, "--recipe", "xnnpack-static", "--data", self.data, "--observers", "m", "-o", "q.pt2"],
                     ["eval", MODEL, "--data", self.data, "--samples", "0"], ["--threads", "no", "doctor"]):
            self.assertTrue(self.run_program(*args, code=2).stderr.startswith("error: "), args)

    # ---- commands

    def test_capabilities_of_a_quantizer_and_of_a_composition(self):
        table = self.run_program("capabilities", "x86").stdout
        self.assertRegex(table, r"conv2d \+ add \+ relu +static +uint8 \[0, 255\]")
        self.assertRegex(table, r"matmul .* on request")
        rows = json.loads(self.run_program("capabilities", "embedding", "arm", "--json").stdout)["capabilities"]
        self.assertEqual(rows[0]["ops"], ["aten.embedding.default"])
        self.assertEqual({row["quantizer"] for row in rows}, {"EmbeddingQuantizer", "ArmInductorQuantizer"})
        self.assertIn("xnnpack", self.run_program("capabilities", "cuda", code=2).stderr)

    def test_every_built_in_recipe_quantizes(self):
        for recipe in ("x86-static", "x86-static-reduce-range", "arm-static"):
            self.quantize(f"{recipe}.pt2", recipe=recipe)
            self.run_program("eval", self.path(f"{recipe}.pt2"), "--data", self.data, "--samples", "8")

    def test_doctor_finds_this_machine_well(self):
        self.assertNotIn("FAIL", self.run_program("doctor").stdout)

    def test_inspect_says_what_is_in_a_program(self):
        found = json.loads(self.run_program("inspect", MODEL, "--json", "--layers").stdout)
        self.assertEqual([value["name"] for value in found["inputs"]], ["x"])
        self.assertIn("(1 to 1024), 1, 28, 28]", found["inputs"][0]["type"])
        self.assertEqual(found["operators"]["aten.conv2d.default"], 21)
        self.assertEqual(found["state"]["Float"]["elements"], 493770)
        self.assertIn("22 of 22 layers", found["recipes"]["xnnpack-static"])
        self.assertIn({"module": "classifier", "node": "linear", "op": "aten.linear.default", "weight": "classifier.weight", "weight_shape": [10, 128]}, found["layers"])
        self.assertIn("21  aten.conv2d.default", self.run_program("inspect", MODEL).stdout)

    def test_plan_shows_each_layer_and_the_rule_behind_it(self):
        recipe = self.folder / "recipe.json"
        recipe.write_text('{ // the head stays in float\n "scheme": "xnnpack-static",\n'
                          ' "rules": [{"select": {"module": "stage1*"}, "scheme": "xnnpack-static-per-tensor"},'
                          ' {"select": {"op": "aten.linear.default"}, "scheme": "float"}] }')
        plan = json.loads(self.run_program("plan", MODEL, "--recipe", str(recipe), "--json").stdout)
        layers = {layer["module"]: layer for layer in plan["layers"]}
        self.assertEqual(plan["quantized_layers"], 21)
        self.assertEqual(layers["stem.0"]["decided_by"], "recipe")
        self.assertEqual(layers["stem.0"]["scheme"], "int8 input, int8 weight per channel")
        self.assertEqual(layers["stage1.0.expand.0"]["decided_by"], "rule 1 (module stage1*)")
        self.assertEqual(layers["stage1.0.expand.0"]["scheme"], "int8 input, int8 weight")
        self.assertFalse(layers["classifier"]["quantized"])
        self.assertEqual(layers["classifier"]["reason"], "left in float by rule 2 (op aten.linear.default)")
        self.assertIn("21 of 22 layers", self.run_program("plan", MODEL, "--recipe", str(recipe)).stdout)

    def test_plan_counts_what_each_rule_decides(self):
        recipe = self.folder / "recipe.json"
        recipe.write_text(json.dumps({"scheme": "xnnpack-static", "rules": [
            {"select": {"parameter": "stem.0.weight"}, "scheme": "x86-static"},
            {"select": {"weight_shape": ["*", 1, "..."]}, "scheme": "xnnpack-static-per-tensor"},
            {"select": {"index": [0, -1]}, "scheme": "float"}]}))
        plan = json.loads(self.run_program("plan", MODEL, "--recipe", str(recipe), "--json").stdout)
        in_float = [layer["module"] for layer in plan["layers"] if not layer["quantized"]]
        self.assertEqual(in_float, ["stem.0", "classifier"])
        self.assertEqual(plan["rules"][0]["nodes"], 0)
        self.assertEqual(plan["rules"][2], {"rule": 3, "select": "index 0, -1", "scheme": "float", "nodes": plan["rules"][2]["nodes"]})
        depthwise = [layer for layer in plan["layers"] if layer["decided_by"] == "rule 2 (weight_shape [*, 1, ...])"]
        self.assertGreater(len(depthwise), 2)
        self.assertEqual({layer["scheme"] for layer in depthwise}, {"int8 input, int8 weight"})
        text = self.run_program("plan", MODEL, "--recipe", str(recipe)).stdout
        self.assertIn("rule 1 (parameter stem.0.weight) → x86-static: nothing, later rules take all that it selects", text)

    def test_recipes_are_listed_and_shown_as_files_to_edit(self):
        text = self.run_program("recipes").stdout
        recipes = json.loads(self.run_program("recipes", "--json").stdout)["recipes"]
        self.assertIn("x86-static", [recipe["name"] for recipe in recipes])
        for recipe in recipes:
            self.assertRegex(text, rf"{recipe['name']} +{recipe['summary']}")
            (self.folder / "mine.json").write_text(self.run_program("recipes", recipe["name"]).stdout)
            mine, named = ([{**layer, "decided_by": ""} for layer in json.loads(self.run_program("plan", MODEL, "--recipe", name, "--json").stdout)["layers"]]
                           for name in (self.path("mine.json"), recipe["name"]))
            self.assertEqual(mine, named)

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

    def test_quantize_repeats_to_the_byte(self):
        self.quantize("once.pt2")
        (self.folder / "again").mkdir()
        self.quantize("again/once.pt2")
        self.assertEqual((self.folder / "once.pt2").read_bytes(), (self.folder / "again/once.pt2").read_bytes())

    def test_quantize_gives_the_same_bytes_for_any_number_of_threads(self):
        outputs = []
        for threads in ("1", "2", "4"):
            (self.folder / threads).mkdir()
            self.quantize(f"{threads}/q.pt2", "--threads", threads)
            outputs.append((self.folder / threads / "q.pt2").read_bytes())
        self.assertEqual(outputs[0], outputs[1])
        self.assertEqual(outputs[0], outputs[2])

    def test_int8_static_rounds_weights_to_the_data(self):
        outputs = []
        for threads in ("1", "2"):
            (self.folder / threads).mkdir()
            arguments = ["quantize", MODEL, "--recipe", "int8-static", "--data", self.data, "--json", "--threads", threads]
            result = json.loads(self.run_program(*arguments, "-o", self.path(f"{threads}/q.pt2")).stdout)
            self.assertEqual((result["layers_rounded_to_data"], result["quantized_layers"]), (22, 22))
            outputs.append((self.folder / threads / "q.pt2").read_bytes())
        self.assertEqual(outputs[0], outputs[1])
        # Without data the nearest codes, and a note that says so.
        take = ["quantize", MODEL, "--recipe", "int8-static"]
        self.run_program(*take, "--data", self.data, "--save-observers", self.path("seen"))
        self.assertIn("rounding them to the data needs --data", self.run_program(*take, "--observers", self.path("seen"), "-o", self.path("nearest.pt2")).stdout)

    def test_observers_of_shards_are_merged(self):
        parts = []
        for i in range(4):
            np.savez(self.path(f"shard{i}.npz"), x0=self.images[2 * i:2 * i + 2])
            parts.append(self.path(f"{i}.observers"))
            done = self.run_program("quantize", MODEL, "--recipe", "xnnpack-static", "--data", self.path(f"shard{i}.npz"), "--save-observers", parts[-1])
            self.assertIn("2 samples", done.stdout)
        merged = self.path("merged.observers")
        self.assertIn("8 samples of 4 files", self.run_program("merge-observers", *parts, "-o", merged).stdout)
        take = ["quantize", MODEL, "--recipe", "xnnpack-static", "--observers"]
        result = json.loads(self.run_program(*take, merged, "-o", self.path("merged.pt2"), "--json").stdout)
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
        self.assertEqual(*((self.folder / name).read_bytes().replace(b"again", b"whole") for name in ("again.pt2", "whole.pt2")))
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

    # ---- data

    def images_by_class(self, classes=10, each=3):
        """A folder with one folder a class, and the same images as arrays, in the order of the folder."""
        pixels = np.random.default_rng(1).integers(0, 256, (classes * each, 28, 28), np.uint8)
        labels = np.repeat(np.arange(classes), each)
        for i, image in enumerate(pixels):
            write_grey_png(self.folder / f"photos/class{labels[i]}/{i % each}.png", image)
        np.savez(self.path("photos.npz"), x0=pixels[:, None].astype(np.float32) / 255, y=labels)
        return self.path("photos"), self.path("photos.npz")

    def test_a_folder_of_images_is_the_same_as_its_arrays(self):
        photos, arrays = self.images_by_class()
        (self.folder / "photos/class3/.DS_Store").write_text("")
        ours = json.loads(self.run_program("eval", MODEL, "--data", photos, "--preprocess", "unit", "--json").stdout)
        theirs = json.loads(self.run_program("eval", MODEL, "--data", arrays, "--json").stdout)
        self.assertEqual((ours["samples"], ours["top1"], ours["top5"]), (30, theirs["top1"], theirs["top5"]))
        self.assertAlmostEqual(ours["loss"], theirs["loss"], places=6)  # summed in another order
        for folder, data in (("a", [photos, "--preprocess", "unit"]), ("b", [photos, "--mean", "0", "--std", "1", "--shuffle", "0"]), ("c", [arrays, "--shuffle", "0"]), ("d", [arrays])):
            (self.folder / folder).mkdir()
            self.run_program("quantize", MODEL, "--recipe", "xnnpack-static", "--samples", "12", "-o", self.path(f"{folder}/q.pt2"), "--data", *data)
        programs = [(self.folder / folder / "q.pt2").read_bytes() for folder in "abcd"]
        self.assertEqual(programs[0], programs[1])
        self.assertEqual(programs[0], programs[2])
        self.assertNotEqual(programs[2], programs[3])

    def test_what_was_taken_of_a_folder_of_images_is_said(self):
        photos, _ = self.images_by_class(classes=4)
        done = self.run_program("eval", MODEL, "--data", photos, "--preprocess", "unit", "--samples", "5")
        self.assertIn("judging by 5 of the 12 samples of", done.stderr)
        self.assertIn("photos (shuffled by seed 0)", done.stderr)
        self.assertIn("4 class folders for a program of 10 classes", done.stderr)
        done = self.run_program("quantize", MODEL, "--recipe", "xnnpack-static", "--data", photos, "--preprocess", "unit", "--samples", "5", "--shuffle", "7", "-o", self.path("q.pt2"), "--json")
        self.assertIn("photos (shuffled by seed 7)", json.loads(done.stdout)["data"])
        notes = [json.loads(line).get("note", "") for line in done.stderr.splitlines()]
        self.assertIn("calibrating with 5 of the 12 samples of", notes[0])

    def test_colour_photographs_become_what_the_program_takes(self):
        (self.folder / "flat").mkdir()
        for name in ("420.jpg", "cmyk.jpg", "rgba.png", "orientation6.jpg"):
            shutil.copy(IMAGES / name, self.folder / "flat")
        result = json.loads(self.run_program("quantize", MODEL, "--recipe", "xnnpack-static", "--data", self.path("flat"), "--preprocess", "inception", "-o", self.path("q.pt2"), "--json").stdout)
        self.assertEqual(result["samples"], 4)
        self.assert_error("eval", MODEL, "--data", self.path("flat"), "--preprocess", "unit", says=["has no labels", "a folder for each class"])

    def test_images_that_cannot_be_used(self):
        photos, arrays = self.images_by_class(classes=2, each=1)
        quantize = ["quantize", MODEL, "--recipe", "xnnpack-static", "-o", self.path("q.pt2"), "--data"]
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
        quantize = ["quantize", MODEL, "--recipe", "xnnpack-static", "-o", self.path("q.pt2"), "--data", "synthetic"]
        self.assert_error(*quantize, says=["--data synthetic: xnnpack-static takes", "ranges of activations", "wrong for real ones", "--allow-synthetic"])
        self.assertFalse((self.folder / "q.pt2").exists())
        self.assertIn("calibrated with made-up data", self.run_program(*quantize, "--allow-synthetic").stdout)
        result = json.loads(self.run_program(*quantize, "--allow-synthetic", "--json").stdout)
        self.assertEqual((result["synthetic_data"], result["data"], result["samples"]), (True, "synthetic", 32))
        self.assertFalse(json.loads(self.quantize("real.pt2", "--json").stdout)["synthetic_data"])
        self.assert_error("eval", MODEL, "--data", "synthetic", says=["synthetic: has no labels"])

    def test_programs_of_several_inputs(self):
        program = self.path("two.pt2")
        torch.export.save(torch.export.export(TwoInputs(), (torch.randn(1, 4), torch.randn(1, 6))), program)
        x, y = self.images[:, 0, 0, :4], self.images[:, 0, 0, :6]
        np.savez(self.path("two.npz"), x0=x, x1=y, y=np.zeros(8, np.int64))
        samples = {f"{i}.x{k}": array[i:i + 1] for i in range(8) for k, array in enumerate((x, y))}
        save_file(samples, self.path("two.safetensors"))
        quantize = ["quantize", program, "--recipe", "xnnpack-static"]
        for folder, data in (("a", "two.npz"), ("b", "two.safetensors")):
            (self.folder / folder).mkdir()
            self.run_program(*quantize, "--data", self.path(data), "-o", self.path(f"{folder}/q.pt2"))
        self.assertEqual((self.folder / "a/q.pt2").read_bytes(), (self.folder / "b/q.pt2").read_bytes())
        self.assertIn("8 samples", self.run_program("eval", self.path("a/q.pt2"), "--data", self.path("two.npz")).stdout)
        del samples["5.x1"]
        save_file(samples, self.path("lacks.safetensors"))
        self.assert_error(*quantize, "--data", self.path("lacks.safetensors"), "-o", self.path("q.pt2"), says=["sample 5: has no 5.x1"])
        np.savez(self.path("one.npz"), x0=x)
        self.assert_error(*quantize, "--data", self.path("one.npz"), "-o", self.path("q.pt2"), says=["one.npz", "inputs: 1 given", "2: x, y"])

    def test_run_takes_inputs_by_name_too(self):
        save_file({"x": self.images}, self.path("named.safetensors"))
        self.run_program("run", MODEL, "--input", self.path("named.safetensors"), "--output", self.path("y.safetensors"))
        np.testing.assert_array_equal(load_file(self.path("y.safetensors"))["y0"], self.forward(MODEL, self.images))

    def test_lowered_programs_run_on_integers(self):
        self.quantize("int8.pt2")
        save_file({"x0": self.images}, self.path("in.safetensors"))
        done = self.run_program("run", self.path("int8.pt2"), "--input", self.path("in.safetensors"), "--output", self.path("lowered.safetensors"), "--lower", "onednn")
        self.assertIn("100.0 % of the multiply-accumulates on integers", done.stderr)
        ours, theirs = load_file(self.path("lowered.safetensors"))["y0"], self.forward(self.path("int8.pt2"), self.images)
        self.assertGreater(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1], 0.999)

    def test_bench_counts_runs(self):
        save_file({"x0": self.images}, self.path("in.safetensors"))
        bench = ["bench", MODEL, "--input", self.path("in.safetensors"), "--runs", "4"]
        self.assertEqual(len([float(line) for line in self.run_program(*bench, "--raw").stdout.splitlines()]), 4)
        result = json.loads(self.run_program(*bench, "--json", "--threads", "1").stdout)
        self.assertEqual((result["runs"], result["threads"]), (4, 1))
        self.assertTrue(0 < result["min_ms"] <= result["median_ms"] <= result["p99_ms"])
        self.assertIn("4 runs", self.run_program(*bench).stdout)

    def test_eval_measures_what_the_outputs_say(self):
        result = json.loads(self.run_program("eval", MODEL, "--data", self.data, "--json").stdout)
        logits = torch.from_numpy(self.forward(MODEL, self.images)).double()
        labels = torch.from_numpy(self.labels)
        self.assertEqual(result["samples"], 8)
        self.assertEqual(result["top1"], (logits.argmax(1) == labels).double().mean().item())
        self.assertEqual(result["top5"], (logits.topk(5).indices == labels[:, None]).any(1).double().mean().item())
        self.assertAlmostEqual(result["loss"], torch.nn.functional.cross_entropy(logits, labels).item(), places=6)
        one = json.loads(self.run_program("eval", MODEL, "--data", self.data, "--json", "--batch-size", "3").stdout)
        self.assertAlmostEqual(one["loss"], result["loss"], places=6)
        self.assertIn("top-1", self.run_program("eval", MODEL, "--data", self.data).stdout)

    def test_less_than_asked_needs_permission_and_exits_3(self):
        program = self.path("grouped.pt2")
        torch.export.save(torch.export.export(GroupedTransposed(), (torch.randn(1, 4, 8, 8),)), program)
        np.savez(self.path("images.npz"), x0=np.ones((2, 4, 8, 8), np.float32))
        args = ["quantize", program, "--recipe", "xnnpack-static", "--data", self.path("images.npz"), "-o", self.path("q.pt2")]
        self.assert_error(*args, says=["1 of the layers asked for would stay in float", "up (%", "groups = 2", "--allow-partial"])
        self.assertFalse((self.folder / "q.pt2").exists())
        self.assertIn("in float: up", self.run_program(*args, "--allow-partial", code=3).stdout)
        self.assertTrue((self.folder / "q.pt2").exists())
        self.assertIn("stay in float", self.run_program("plan", program, "--recipe", "xnnpack-static").stdout)

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
        np.savez(self.data, x0=rng.random((3000, 1, 28, 28), np.float32))
        (self.folder / "whole").mkdir()
        arguments = ["quantize", MODEL, "--recipe", "xnnpack-static", "--data", self.data, "--samples", "3000"]
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
            self.assertEqual(output.read_bytes(), (self.folder / "whole/q.pt2").read_bytes())
            self.assertFalse(state.exists())

    def test_an_interrupted_calibration_is_of_its_data(self):
        arguments = ["quantize", MODEL, "--recipe", "xnnpack-static", "--samples", "20000", "-o", self.path("q.pt2"), "--data"]
        for name, value in (("zeros.npz", 0), ("ones.npz", 1)):
            np.savez(self.path(name), x0=np.full((20000, 1, 28, 28), value, np.float32))
        self.interrupt([*arguments, self.path("zeros.npz")], signal.SIGINT, 1)
        state = self.path("q.pt2.calibration")
        self.assert_error(*arguments, self.path("ones.npz"), "--resume", state, says=["was calibrating with other data"])
        self.run_program("merge-observers", state, state, "-o", self.path("m"), code=1)
        self.assertFalse((self.folder / "q.pt2").exists())

    # ---- bad input

    def test_programs_that_are_none(self):
        self.assert_error("inspect", "nowhere.pt2", says=["nowhere.pt2"])
        (self.folder / "text.pt2").write_text("not an archive")
        self.assert_error("inspect", self.path("text.pt2"), says=["text.pt2"])
        (self.folder / "cut.pt2").write_bytes(pathlib.Path(MODEL).read_bytes()[:100000])
        self.assert_error("plan", self.path("cut.pt2"), "--recipe", "xnnpack-static", says=["cut.pt2"])

    def test_recipes_that_are_none(self):
        self.assert_error("plan", MODEL, "--recipe", "int7-magic", says=["int7-magic: is no built-in recipe", "xnnpack-static-per-tensor"])
        recipe = self.folder / "recipe.json"
        for text, says in (("{", "is no JSON"), ('{"scheme": "int7"}', 'unknown scheme "int7"'),
                           ('{"scheme": "xnnpack-static", "rules": [{"select": {"module": "nope.*"}, "scheme": "float"}]}',
                            "rule 1: module nope.* selects nothing of the program"),
                           ('{"scheme": "xnnpack-static", "rules": [{"select": {"module": "stme.0"}, "scheme": "float"}]}', 'did you mean "stem.0"?'),
                           ('{"scheme": "xnnpack-static", "rules": [{"select": {"index": 22}, "scheme": "float"}]}', "rule 1: index 22: 22 layers")):
            recipe.write_text(text)
            self.assert_error("plan", MODEL, "--recipe", str(recipe), says=["recipe.json", says])

    def test_data_that_do_not_fit(self):
        np.savez(self.path("small.npz"), x0=np.zeros((2, 1, 27, 28), np.float32), y=np.zeros(2, np.int64))
        for command in (["eval", MODEL], ["quantize", MODEL, "--recipe", "xnnpack-static", "-o", self.path("q.pt2")]):
            self.assert_error(*command, "--data", self.path("small.npz"), says=["small.npz", "input x", "size 27 on axis 2"])
        np.savez(self.path("unlabelled.npz"), x0=self.images)
        self.assert_error("eval", MODEL, "--data", self.path("unlabelled.npz"), says=["has no labels"])
        np.savez(self.path("labels.npz"), x0=self.images, y=np.full(8, 10))
        self.assert_error("eval", MODEL, "--data", self.path("labels.npz"), says=["class 10", "0 to 9"])

    def test_inputs_that_do_not_fit(self):
        output = ["--output", self.path("y.safetensors")]
        save_file({"z": self.images}, self.path("z.safetensors"))
        self.assert_error("run", MODEL, "--input", self.path("z.safetensors"), *output, says=["no tensor for input 0", "x0 or x"])
        save_file({"x0": self.images, "x1": self.images}, self.path("two.safetensors"))
        self.assert_error("run", MODEL, "--input", self.path("two.safetensors"), *output, says=["holds 2 tensors", "takes 1"])
        save_file({"x0": self.images.astype(np.float64)}, self.path("double.safetensors"))
        self.assert_error("run", MODEL, "--input", self.path("double.safetensors"), *output, says=["input x", "has dtype Double"])
        self.assertFalse((self.folder / "y.safetensors").exists())

    def test_a_program_that_is_quantized_already(self):
        self.quantize("int8.pt2")
        self.assert_error("plan", self.path("int8.pt2"), "--recipe", "xnnpack-static", says=["quantized already"])
        recipes = json.loads(self.run_program("inspect", self.path("int8.pt2"), "--json").stdout)["recipes"]
        self.assertIn("nothing: the program is quantized already", recipes["xnnpack-static"])

    def test_outputs_that_cannot_be_written(self):
        self.assert_error("quantize", MODEL, "--recipe", "xnnpack-static", "--data", self.data, "-o", self.path("no/such/q.pt2"),
                          says=["cannot be written", "No such file or directory"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
