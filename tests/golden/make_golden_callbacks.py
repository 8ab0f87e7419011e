"""Writes callbacks.json (the hooks that loops call) and summaries.txt (tables of nested models), as Keras gives them.

    KERAS_BACKEND=jax python tests/golden/make_golden_callbacks.py

Needs Keras; the tests only read the files.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["COLUMNS"] = "140"

import keras
from callback_cases import CASES, run
from summary_cases import summaries

if __name__ == "__main__":
    here = Path(__file__).parent
    golden = {case.__name__: run(keras, case) for case in CASES}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in golden.items()]
    (here / "callbacks.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    (here / "summaries.txt").write_text(summaries(keras))
