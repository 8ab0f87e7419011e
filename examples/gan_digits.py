"""A generative adversarial network that draws handwritten digits (8 x 8 pixels, scikit-learn's bundled set).

    pip install '.[examples]' && python examples/gan_digits.py [--folder FOLDER]

One model with a `train_step` of its own and two optimizers: the discriminator learns to tell real images from drawn
ones, the generator to be taken for real (Goodfellow et al., Generative Adversarial Nets, 2014). `fit` traces the step
into one plan. Sheets of 10 x 10 drawn digits are written as PNG files, before and after training.

A judge that was trained on the real images (accuracy 0.97 or more on unseen ones) says how well they came out. Prints
the share of drawings that it is 90 % sure of beside that of real images, and how many of the ten digits are among them:
over five seeds 0.57 to 0.63 after 300 epochs (some 20 s), and all ten.
"""

import argparse
import pathlib
import tempfile

import numpy as np
from digits import load

import falconet as keras
from falconet import layers, ops

NOISE = 24
SURE = 0.9  # from this probability on the judge is sure of a digit


class GAN(keras.Model):
    """Trains a generator, noise (n, 24) -> images (n, 64), against a discriminator, images -> logits (n, 1)."""

    def __init__(self, generator, discriminator, **kwargs):
        super().__init__(**kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.noise = keras.random.SeedGenerator(1)
        self.generator_loss = keras.metrics.Mean(name="generator_loss")
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")
        self.told_apart = keras.metrics.BinaryAccuracy(name="told_apart", threshold=0.0)

    def compile(self, generator_optimizer, discriminator_optimizer):
        super().compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer
        generator_optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    def call(self, noise, training=False):
        return self.generator(noise, training=training)

    def train_step(self, data):
        real = data
        rows = ops.shape(real)[0]
        ones, zeros = ops.ones((rows, 1)), ops.zeros((rows, 1))

        drawn = self.generator(keras.random.normal((rows, NOISE), seed=self.noise), training=True)
        both, which = ops.concatenate([real, drawn]), ops.concatenate([ones, zeros])
        with keras.GradientTape() as tape:
            logits = self.discriminator(both, training=True)
            # Real images count as 0.9: a discriminator that is never quite sure leaves the generator a gradient.
            loss = self.loss(0.9 * which, logits)
        weights = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(loss, weights), weights)
        self.discriminator_loss.update_state(loss)
        self.told_apart.update_state(which, logits)

        noise = keras.random.normal((rows, NOISE), seed=self.noise)
        with keras.GradientTape() as tape:
            loss = self.loss(ones, self.discriminator(self.generator(noise, training=True), training=True))
        weights = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(loss, weights), weights)
        self.generator_loss.update_state(loss)
        return {m.name: m.result() for m in (self.generator_loss, self.discriminator_loss, self.told_apart)}


def make_gan():
    generator = keras.Sequential(
        [
            keras.Input((NOISE,)),
            layers.Dense(128, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(256, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(64, activation="sigmoid"),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(256, activation="leaky_relu"),
            layers.Dropout(0.3),
            layers.Dense(128, activation="leaky_relu"),
            layers.Dropout(0.3),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    gan = GAN(generator, discriminator)
    gan.compile(keras.optimizers.Adam(5e-4, beta_1=0.5), keras.optimizers.Adam(5e-4, beta_1=0.5))
    return gan


def make_judge(x, y):
    judge = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    judge.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    judge.fit(x, y, epochs=30, verbose=0)
    return judge


def write_sheet(path, images, columns=10, scale=4):
    """Writes images (n, 64) with values in [0, 1] side by side, each pixel `scale` wide, as a PNG file."""
    rows = len(images) // columns
    tiles = np.pad(images[: rows * columns].reshape(rows, columns, 8, 8), [(0, 0), (0, 0), (1, 1), (1, 1)])
    sheet = tiles.transpose(0, 2, 1, 3).reshape(rows * 10, columns * 10)
    keras.utils.save_img(path, np.kron(255 * (1 - sheet), np.ones((scale, scale)))[:, :, None], scale=False)


def main(epochs=300, seed=1, folder=None, verbose=0):
    """Runs the example; returns the share of drawings that the judge is sure of, the number of digits among them, and
    the paths of the two sheets."""
    keras.utils.set_random_seed(seed)
    x_train, x_test, y_train, y_test = load()
    judge = make_judge(x_train, y_train)
    _, accuracy = judge.evaluate(x_test, y_test, verbose=0)
    known = judge.predict(x_test).max(axis=1) >= SURE
    print(f"{len(x_test)} unseen real images: the judge is right in {accuracy:.4f}, sure in {known.mean():.2f}")
    gan = make_gan()
    noise = np.random.default_rng(seed).normal(size=(500, NOISE)).astype("float32")
    folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="gan_digits_"))
    folder.mkdir(parents=True, exist_ok=True)
    sheets = [folder / "before.png", folder / "after.png"]

    write_sheet(sheets[0], gan.predict(noise[:100]))
    gan.fit(x_train, batch_size=64, epochs=epochs, verbose=verbose)
    drawn = gan.predict(noise)
    write_sheet(sheets[1], drawn[:100])

    opinion = judge.predict(drawn)
    sure = opinion.max(axis=1) >= SURE
    digits = len(np.unique(opinion.argmax(axis=1)[sure]))
    print(f"{epochs} epochs, {len(drawn)} drawings: the judge is sure in {sure.mean():.2f}, of {digits} digits")
    print(f"drew {sheets[0]} and {sheets[1]}")
    return float(sure.mean()), digits, sheets


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few epochs")
    parser.add_argument("--folder", help="where the sheets are written; by default a new temporary folder")
    arguments = parser.parse_args()
    main(epochs=3 if arguments.quick else 300, folder=arguments.folder)
