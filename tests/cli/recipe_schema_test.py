"""The JSON Schema of recipes and the program judge alike: recipe_schema_test.py TORQUANT EXAMPLES"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema

PROGRAM, EXAMPLES = sys.argv[1], pathlib.Path(sys.argv[2])


def rule(select, scheme="float"):
    return {"scheme": "xnnpack-static", "rules": [{"select": select, "scheme": scheme}]}


GOOD = [
    {"scheme": "xnnpack-static"},
    {"$schema": "recipe.schema.json", "scheme": "x86-static", "rules": []},
    {"rules": [{"select": {"op": "aten.linear.default"}, "scheme": "arm-static"}]},
    {"scheme": "float", "rules": [{"select": {"module": "a"}, "scheme": "float"}, {"select": {"module": "b"}, "scheme": "x86-static"}]},
    rule({"module": "features.*", "module_type": "Conv2d", "op": "re:aten\\..*", "parameter": "*.weight"}),
    rule({"index": [0, -1]}),
    rule({"index": 3}),
    rule({"weight_shape": [64, ">=64", "<=64", ">64", "<64", "*", "..."]}),
]
BAD = [
    [], 1, "xnnpack-static", {}, {"scheme": "float"}, {"scheme": 8}, {"scheme": "int7"}, {"schema": "x86-static"},
    {"$schema": 1, "scheme": "x86-static"},
    {"scheme": "x86-static", "rules": {}}, {"scheme": "x86-static", "rules": [1]},
    {"scheme": "x86-static", "rules": [{"select": {"op": "a"}}]}, {"scheme": "x86-static", "rules": [{"scheme": "float"}]},
    {"rules": [{"select": {"op": "a"}, "scheme": "float"}]},
    rule({"op": "a"}, "int7"), rule({}), rule([]), rule({"shape": [1]}), rule({"op": 1}), rule({"op": ""}), rule({"module": ["a"]}),
    rule({"index": "last"}), rule({"index": 1.5}), rule({"index": []}), rule({"index": [0, None]}),
    rule({"weight_shape": []}), rule({"weight_shape": "64"}), rule({"weight_shape": ["=64"]}), rule({"weight_shape": [-1]}),
    rule({"weight_shape": [True]}), rule({"weight_shape": [">= 64"]}),
]


class RecipeSchema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(cls.run_program("recipes", "--schema").stdout)
        jsonschema.Draft202012Validator.check_schema(cls.schema)
        cls.validator = jsonschema.Draft202012Validator(cls.schema)

    @staticmethod
    def run_program(*args):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=60)

    def accepted(self, recipe):
        return self.text_accepted(json.dumps(recipe))

    def text_accepted(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "recipe.json"
            path.write_text(text)
            done = self.run_program("recipes", str(path))
            self.assertIn(done.returncode, (0, 1), done.stderr)
            return done.returncode == 0

    def test_good_recipes_are_good_to_both(self):
        for recipe in GOOD:
            self.assertTrue(self.validator.is_valid(recipe), recipe)
            self.assertTrue(self.accepted(recipe), recipe)

    def test_bad_recipes_are_bad_to_both(self):
        for recipe in BAD:
            self.assertFalse(self.validator.is_valid(recipe), recipe)
            self.assertFalse(self.accepted(recipe), recipe)

    def test_the_examples_of_the_documentation_are_good_to_both(self):
        examples = re.findall(r"```jsonc\n(.*?)```", EXAMPLES.read_text(), re.DOTALL)
        self.assertGreater(len(examples), 0)
        for text in examples:
            self.validator.validate(json.loads(re.sub(r"//.*", "", text)))
            self.assertTrue(self.text_accepted(text), text)

    def test_every_built_in_recipe_is_a_scheme_of_the_schema(self):
        listed = [entry["name"] for entry in json.loads(self.run_program("recipes", "--json").stdout)["recipes"]]
        known = [choice["const"] for choice in self.schema["$defs"]["scheme"]["oneOf"]]
        self.assertEqual(listed + ["float"], known)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
