"""Every command of the torquant program, but quantization."""
import json

import numpy as np
import torch
from safetensors.numpy import load_file

from cli_case import MODEL, STATIC, CliCase


class Commands(CliCase):
    def test_help_names_every_command_and_exits_0(self):
        text = self.run_program("--help").stdout
        for command in ("inspect", "recipes", "plan", "quantize", "merge-observers", "eval", "run", "bench", "capabilities", "doctor"):
            self.assertIn(f"\n  {command} ", text)
            self.assertIn("--help", self.run_program(command, "--help").stdout)

    def test_wrong_usage_exits_2(self):
        for args in ([], ["bake"], ["inspect"], ["inspect", MODEL, "--bogus"], [*STATIC],
                     [*STATIC, "--data", self.data], ["merge-observers", "one", "-o", "m"],
                     [*STATIC, "--data", self.data, "--observers", "m", "-o", "q.pt2"],
                     ["eval", MODEL, "--data", self.data, "--samples", "0"], ["--threads", "no", "doctor"]):
            self.assertTrue(self.run_program(*args, code=2).stderr.startswith("error: "), args)

    def test_capabilities_of_a_quantizer_and_of_a_composition(self):
        table = self.run_program("capabilities", "x86").stdout
        self.assertRegex(table, r"conv2d \+ add \+ relu +static +uint8 \[0, 255\]")
        self.assertRegex(table, r"matmul .* on request")
        rows = self.json_of("capabilities", "embedding", "arm")["capabilities"]
        self.assertEqual(rows[0]["ops"], ["aten.embedding.default"])
        self.assertEqual({row["quantizer"] for row in rows}, {"EmbeddingQuantizer", "ArmInductorQuantizer"})
        self.assertIn("xnnpack", self.run_program("capabilities", "cuda", code=2).stderr)

    def test_doctor_finds_this_machine_well(self):
        self.assertNotIn("FAIL", self.run_program("doctor").stdout)

    def test_inspect_says_what_is_in_a_program(self):
        found = self.json_of("inspect", MODEL, "--layers")
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
        plan = self.json_of("plan", MODEL, "--recipe", str(recipe))
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
        plan = self.json_of("plan", MODEL, "--recipe", str(recipe))
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
        recipes = self.json_of("recipes")["recipes"]
        self.assertIn("x86-static", [recipe["name"] for recipe in recipes])
        for recipe in recipes:
            self.assertRegex(text, rf"{recipe['name']} +{recipe['summary']}")
            (self.folder / "mine.json").write_text(self.run_program("recipes", recipe["name"]).stdout)
            mine, named = ([{**layer, "decided_by": "", "reason": layer.get("reason", "").replace(name, "")}
                            for layer in self.json_of("plan", MODEL, "--recipe", name)["layers"]]
                           for name in (self.path("mine.json"), recipe["name"]))
            self.assertEqual(mine, named)

    def test_rules_that_select_nothing(self):
        recipe = self.folder / "recipe.json"
        for select, says in (({"module": "stme.0"}, 'did you mean "stem.0"?'), ({"index": 22}, "rule 1: index 22: 22 layers")):
            recipe.write_text(json.dumps({"scheme": "xnnpack-static", "rules": [{"select": select, "scheme": "float"}]}))
            self.assert_error("plan", MODEL, "--recipe", str(recipe), says=["recipe.json", says])

    def test_run_takes_inputs_by_name_too(self):
        named = self.tensors("named.safetensors", x=self.images)
        self.run_program("run", MODEL, "--input", named, "--output", self.path("y.safetensors"))
        np.testing.assert_array_equal(load_file(self.path("y.safetensors"))["y0"], self.forward(MODEL, self.images))

    def test_lowered_programs_run_on_integers(self):
        self.quantize("int8.pt2")
        images = self.tensors("images.safetensors", x0=self.images)
        done = self.run_program("run", self.path("int8.pt2"), "--input", images, "--output", self.path("lowered.safetensors"), "--lower", "onednn")
        self.assertIn("100.0 % of the multiply-accumulates on integers", done.stderr)
        ours, theirs = load_file(self.path("lowered.safetensors"))["y0"], self.forward(self.path("int8.pt2"), self.images)
        self.assertGreater(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1], 0.999)

    def test_bench_counts_runs(self):
        bench = ["bench", MODEL, "--input", self.tensors("in.safetensors", x0=self.images), "--runs", "4"]
        self.assertEqual(len([float(line) for line in self.run_program(*bench, "--raw").stdout.splitlines()]), 4)
        result = self.json_of(*bench, "--threads", "1")
        self.assertEqual((result["runs"], result["threads"]), (4, 1))
        self.assertTrue(0 < result["min_ms"] <= result["median_ms"] <= result["p99_ms"])
        self.assertIn("4 runs", self.run_program(*bench).stdout)

    def test_eval_measures_what_the_outputs_say(self):
        result = self.json_of("eval", MODEL, "--data", self.data)
        logits = torch.from_numpy(self.forward(MODEL, self.images)).double()
        labels = torch.from_numpy(self.labels)
        self.assertEqual(result["samples"], 8)
        self.assertEqual(result["top1"], (logits.argmax(1) == labels).double().mean().item())
        self.assertEqual(result["top5"], (logits.topk(5).indices == labels[:, None]).any(1).double().mean().item())
        self.assertAlmostEqual(result["loss"], torch.nn.functional.cross_entropy(logits, labels).item(), places=6)
        one = self.json_of("eval", MODEL, "--data", self.data, "--batch-size", "3")
        self.assertAlmostEqual(one["loss"], result["loss"], places=6)
        self.assertIn("top-1", self.run_program("eval", MODEL, "--data", self.data).stdout)
