"""Runs the torquant program as users do: cli_test.py TORQUANT DEMO_FOLDER [Commands | Quantization.test_…]"""
import sys
import unittest

from commands import Commands  # noqa: F401
from data import Data  # noqa: F401
from quantization import Quantization  # noqa: F401
from runtime import Runtime  # noqa: F401

if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
