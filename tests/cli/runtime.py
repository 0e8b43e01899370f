"""`torquant lower`, and what takes its models."""
import numpy as np

from cli_case import MODEL, CliCase


class Runtime(CliCase):
    files = {}  # of the first test, which the others copy: rounding weights takes a while

    def lowered(self):
        if not self.files:
            self.quantize("int8.pt2", recipe="int8-static")
            self.run_program("lower", self.path("int8.pt2"), "-o", self.path("model.tqm"))
            self.files.update({name: self.bytes_of(name) for name in ("int8.pt2", "model.tqm")})
        for name, data in self.files.items():
            (self.folder / name).write_bytes(data)
        return self.path("model.tqm")

    def test_a_lowered_model_gives_what_the_program_gives(self):
        model = self.lowered()
        expected, got = self.forward(self.path("int8.pt2"), self.images), self.forward(model, self.images)
        self.assertEqual(got.shape, expected.shape)
        # Codes differ by one where float32 lies half way between them.
        self.assertGreater(np.corrcoef(got.ravel(), expected.ravel())[0, 1], 0.999)
        np.testing.assert_array_equal(got[:3], self.forward(model, self.images[:3]))  # another batch
        for threads in ("1", "3"):
            self.run_program("run", model, "--input", self.path("in.safetensors"), "--output", self.path(f"{threads}.safetensors"), "--threads", threads)
        self.assertEqual(self.bytes_of("1.safetensors"), self.bytes_of("3.safetensors"))

    def test_lowering_repeats_to_the_byte_and_says_what_it_made(self):
        self.lowered()
        result = self.json_of("lower", self.path("int8.pt2"), "-o", self.path("again.tqm"))
        self.assertEqual(self.bytes_of("again.tqm"), self.bytes_of("model.tqm"))
        self.assertEqual(result["bytes"], len(self.bytes_of("model.tqm")))
        self.assertLess(result["bytes"], len(self.bytes_of("int8.pt2")))
        self.assertEqual(result["in_float"], [])
        self.assertIn("nodes, all on integers", self.run_program("lower", self.path("int8.pt2"), "-o", self.path("again.tqm")).stdout)

    def test_a_program_in_float_runs_in_float(self):
        model = self.path("float.tqm")
        result = self.json_of("lower", MODEL, "-o", model)
        self.assertEqual(sum(node["operation"] == "FloatLayer" for node in result["in_float"]), 22)
        expected, got = self.forward(MODEL, self.images), self.forward(model, self.images)
        # Sums of some hundred products in another order, through 22 layers: far below what a wrong one would do.
        np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())
        result = self.json_of("bench", model, "--input", self.path("in.safetensors"), "--runs", "3", "--nodes")
        self.assertGreater(result["roof"]["float_macs_per_s"], 0)

    def test_bench_measures_a_model(self):
        model = self.lowered()
        result = self.json_of("bench", model, "--input", self.tensors("in.safetensors", x0=self.images), "--runs", "3")
        self.assertEqual(result["runs"], 3)
        self.assertGreater(result["median_ms"], 0)

    def test_eval_judges_a_model_as_its_program(self):
        model = self.lowered()
        labels = np.arange(len(self.images)) % self.forward(model, self.images).shape[1]
        data = self.tensors("labelled.safetensors", **{f"{i}.x0": image[None] for i, image in enumerate(self.images)},
                            **{f"{i}.y": labels[i : i + 1] for i in range(len(labels))})
        of_program, of_model = (self.json_of("eval", path, "--data", data) for path in (self.path("int8.pt2"), model))
        self.assertEqual(of_model["samples"], len(self.images))
        self.assertEqual(of_model["classes"], of_program["classes"])
        self.assertAlmostEqual(of_model["loss"], of_program["loss"], places=2)

    def test_bench_shows_what_each_node_takes(self):
        model = self.lowered()
        call = ("bench", model, "--input", self.tensors("in.safetensors", x0=self.images[:1]), "--runs", "3", "--nodes")
        result = self.json_of(*call)
        layers = [node for node in result["nodes"] if node["macs"] > 0]
        self.assertEqual(len(layers), 22)
        self.assertIn("stem.0", [node["node"] for node in layers])
        # Nodes are measured in runs of their own, so their sum is near that of a run, not equal.
        self.assertLess(sum(node["ms"] for node in result["nodes"]), 3 * result["median_ms"])
        table = self.run_program(*call).stdout
        self.assertIn("of roof", table)
        self.assertIn("stem.0", table)

    def test_inspect_shows_a_model(self):
        model = self.lowered()
        shown = self.json_of("inspect", model)
        self.assertEqual(shown["inputs"], [{"name": "x", "sizes": [1, 1, 28, 28], "type": "float32"}])
        self.assertEqual(shown["batch"][0], 1)
        self.assertEqual(sum(node["kind"] == "Layer" for node in shown["nodes"]), 22)
        self.assertLess(sum(node["weight_bytes"] for node in shown["nodes"]), shown["bytes"])
        self.assertIn("stage1.0.depthwise.0", self.run_program("inspect", model, "--layers").stdout)

    def test_compare_shows_how_far_each_node_is_from_the_program(self):
        model = self.lowered()
        given = ("--stages", "--input", self.tensors("in.safetensors", x0=self.images))
        result = self.json_of("compare", self.path("int8.pt2"), model, *given)
        self.assertEqual(self.json_of("compare", self.path("int8.pt2"), *given), result, "a model made in memory is the same")
        self.assertEqual(sum(node["operation"] == "Layer" for node in result["nodes"]), 22)
        self.assertEqual(result["compared"], len(result["nodes"]), "every node gives a value that the program has")
        self.assertLessEqual(result["most_steps"], 1)
        for node in result["nodes"]:
            alone, elements = node["alone"]["differing"], np.prod(node["sizes"])
            if "steps" in node["alone"]:
                self.assertLess(alone, max(2, 1e-3 * elements), f"{node}: codes half way between two are rare")
        # Codes drift apart on the way, a little.
        self.assertGreater(result["outputs"][0]["in_chain"]["sqnr_db"], 25)
        table = self.run_program("compare", self.path("int8.pt2"), model, *given).stdout
        self.assertIn("stage1.0.depthwise.0", table)
        self.assertIn(f"{result['compared']} of {result['compared']} nodes alone: ", table)
