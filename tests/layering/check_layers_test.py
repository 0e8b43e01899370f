"""Each rule of check_layers.py is broken once, in a tree made for it, and must be reported."""
import pathlib
import tempfile
import unittest

from check_layers import check

TABLE = {
    "core": {"layers": [], "libs": ["fmt::fmt"]},
    "graph": {"layers": ["core"], "libs": ["LibTorch::LibTorch"]},
    "io": {"layers": ["graph"], "libs": ["nlohmann_json::nlohmann_json"]},
}


class CheckLayers(unittest.TestCase):
    def problems(self, files, excuses=""):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {**files, "tests/layering/headers_without_tests.txt": excuses}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check(TABLE, root)

    def assert_one(self, files, expected, excuses=""):
        problems = self.problems(files, excuses)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(expected, problems[0])

    def test_a_layer_uses_itself_and_what_it_reaches(self):
        self.assertEqual(self.problems({
            "torquant/io/pt2.h": '#include <vector>\n#include <sys/mman.h>\n#include "torquant/io/zip.h"\n#include "torquant/core/error.h"\n#include <ATen/core/Tensor.h>\n',
            "torquant/io/pt2_test.cpp": '#include "torquant/pt2e/convert.h"\n',
        }), [])

    def test_a_layer_above_is_refused(self):
        self.assert_one({"torquant/graph/node.cpp": '#include "torquant/io/pt2.h"\n'},
                        "torquant/graph/node.cpp: torquant/io/pt2.h is of a layer that graph may not use (it may use: core, graph)")

    def test_the_umbrella_header_is_for_users(self):
        self.assert_one({"torquant/graph/node.cpp": '#include "torquant/torquant.h"\n'}, "may not use")

    def test_a_library_that_is_not_linked_is_refused(self):
        self.assert_one({"torquant/core/dtype.cpp": "#  include <ATen/core/Tensor.h>\n"}, "needs LibTorch::LibTorch, which core does not link (it links: fmt::fmt)")

    def test_an_unlisted_library_is_refused(self):
        self.assert_one({"torquant/core/dtype.cpp": "#include <boost/any.hpp>\n"}, "THIRD_PARTY")

    def test_a_heavy_header_in_a_header_is_refused(self):
        self.assert_one({"torquant/graph/node.h": "#include <torch/torch.h>\n", "torquant/graph/node_test.cpp": ""}, "slow to compile")
        self.assertEqual(self.problems({"torquant/graph/node.cpp": "#include <torch/torch.h>\n"}), [])

    def test_a_folder_without_a_layer_is_refused(self):
        self.assert_one({"torquant/extra/x.cpp": ""}, "no torquant_layer(extra ...)")

    def test_a_header_needs_its_test(self):
        self.assert_one({"torquant/core/dtype.h": ""}, "no dtype_test.cpp beside it")
        self.assertEqual(self.problems({"torquant/core/dtype.h": ""}, "# why\ntorquant/core/dtype.h: constants alone\n"), [])

    def test_an_excuse_needs_a_reason_and_a_use(self):
        self.assert_one({"torquant/core/dtype.h": ""}, "has no reason", "torquant/core/dtype.h:\n")
        self.assert_one({"torquant/core/dtype.h": "", "torquant/core/dtype_test.cpp": ""}, "has a test now", "torquant/core/dtype.h: constants\n")
        self.assert_one({"torquant/core/dtype.cpp": ""}, "does not exist", "torquant/core/dtype.h: constants\n")


if __name__ == "__main__":
    unittest.main()
