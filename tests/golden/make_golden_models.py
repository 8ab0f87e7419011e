"""Writes models.json: outputs of layers, and fit histories, weight orders and summaries of models, as Keras gives them.

    KERAS_BACKEND=jax python tests/golden/make_golden_models.py

Needs Keras; the tests only read the file.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from model_cases import MODELS, layer_cases, run_layer, run_model


def shorten(value):
    """Floats to 8 significant digits: all that float32 has."""
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, list):
        return [shorten(v) for v in value]
    if isinstance(value, dict):
        return {k: shorten(v) for k, v in value.items()}
    return value


def main():
    golden = {
        "keras": keras.__version__,
        "layers": {name: run_layer(*case) for name, case in layer_cases(keras).items()},
        "models": {name: run_model(keras, name) for name in MODELS},
    }
    target = Path(__file__).with_name("models.json")
    target.write_text(json.dumps(shorten(golden), separators=(",", ":"), sort_keys=True) + "\n")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
