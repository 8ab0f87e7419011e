"""Writes fit.json: whole runs of fit, evaluate and the batch methods, as Keras gives them.

    KERAS_BACKEND=jax python tests/golden/make_golden_fit.py

Needs Keras; the tests only read the file.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from fit_cases import CASES, run
from make_golden_models import shorten


def main():
    golden = {"keras": keras.__version__, "runs": {name: run(keras, name) for name in CASES}}
    target = Path(__file__).with_name("fit.json")
    target.write_text(json.dumps(shorten(golden), separators=(",", ":")) + "\n")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
