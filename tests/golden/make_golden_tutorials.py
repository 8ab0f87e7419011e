"""Writes tutorials.json: what the programs of tutorial_cases.py give under Keras.

    KERAS_BACKEND=jax python tests/golden/make_golden_tutorials.py

Needs Keras and scikit-learn; the tests only read the file.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from make_golden_models import shorten
from tutorial_cases import CASES, run


def main():
    golden = {"keras": keras.__version__, "runs": {name: run(keras, name) for name in CASES}}
    target = Path(__file__).with_name("tutorials.json")
    target.write_text(json.dumps(shorten(golden), indent=1) + "\n")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
