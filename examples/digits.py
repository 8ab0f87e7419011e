"""Trains a small network on scikit-learn's handwritten digits (1797 images of 8 x 8 pixels), saves it and loads it.

    pip install '.[examples]' && python examples/digits.py

Prints the model, a line per epoch, the accuracy on a fifth of the images that training never saw (0.97 or more), and
whether the loaded model predicts the same, bit for bit.
"""

import argparse
import os
import tempfile
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import falconet as keras
from falconet import layers


def load():
    """(x_train, x_test, y_train, y_test): pixels in [0, 1], labels 0 to 9."""
    images, labels = load_digits(return_X_y=True)
    return train_test_split(
        (images / 16).astype("float32"), labels.astype("int32"), test_size=0.2, random_state=2, stratify=labels
    )


def make_model():
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(epochs=40, verbose=2):
    """Runs the example; returns the accuracy on the test images and whether the loaded model predicts the same."""
    keras.utils.set_random_seed(1)
    x_train, x_test, y_train, y_test = load()
    model = make_model()
    model.summary()

    began = time.perf_counter()
    model.fit(x_train, y_train, batch_size=32, epochs=epochs, verbose=verbose)
    print(f"\n{epochs} epochs over {len(x_train)} images in {1e3 * (time.perf_counter() - began):.0f} ms")

    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"accuracy on {len(x_test)} test images: {accuracy:.4f}")

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "digits.falconet")
        model.save(path)
        loaded = keras.models.load_model(path)
        size = os.path.getsize(path)
    same = np.array_equal(model.predict(x_test), loaded.predict(x_test))
    print(f"saved in {size / 1024:.0f} KiB; the loaded model predicts {'the same' if same else 'something else'}")
    return accuracy, same


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=40)
    main(parser.parse_args().epochs)
