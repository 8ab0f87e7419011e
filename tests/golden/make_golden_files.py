"""Writes files of models, and what a reader must find in them.

    python tests/golden/make_golden_files.py write FOLDER     in Keras's formats, with Keras 3 or (--falconet) Falconet
    python tests/golden/make_golden_files.py read FOLDER      reads what the other wrote; results to standard output
    python tests/golden/make_golden_files.py native FOLDER    in Falconet's own formats, with Falconet

tests/golden/files/keras-3.15.1 was written by `write` with Keras 3.15.1, tests/golden/files/falconet-0.1.0 by `native`.
"""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from keras_file_models import MODELS, arrays, block_class, flat


def write(k, folder):
    os.makedirs(folder, exist_ok=True)
    found = {}
    for name, make in MODELS.items():
        k.utils.set_random_seed(7)
        model, shapes, outputs = make(k)
        x, y = arrays(shapes, outputs)
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        model.save(os.path.join(folder, f"{name}.keras"))
        model.save_weights(os.path.join(folder, f"{name}.weights.h5"))
        found[name] = results(model, x)
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(found, file)


class Stop(Exception):
    pass


def native(k, folder):
    os.makedirs(folder, exist_ok=True)
    found = {}
    for name, make in MODELS.items():
        k.utils.set_random_seed(7)
        model, shapes, outputs = make(k)
        x, y = arrays(shapes, outputs)

        def stop(epoch, logs):
            if epoch == 1:
                raise Stop

        backup = k.callbacks.BackupAndRestore(os.path.join(folder, f"{name}.backup"))
        interrupt = k.callbacks.LambdaCallback(on_epoch_begin=stop)
        try:
            model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[backup, interrupt])
        except Stop:
            pass
        model.save(os.path.join(folder, f"{name}.falconet"))
        model.save_weights(os.path.join(folder, f"{name}.weights.falconet"))
        found[name] = results(model, x)
        k.utils.set_random_seed(7)
        whole, _, _ = make(k)
        found[name]["loss"] = whole.fit(x, y, batch_size=4, epochs=3, verbose=0).history["loss"]
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(found, file)


def results(model, x):
    return {
        "predict": flat(model.predict(x, verbose=0)),
        "iterations": int(model.optimizer.iterations),
        "slots": [float(abs(v.numpy()).sum()) for v in model.optimizer.variables[1:]],
    }


def read(k, folder):
    block_class(k)
    found = {}
    for name, make in MODELS.items():
        _, shapes, outputs = make(k)
        x, y = arrays(shapes, outputs)
        model = k.models.load_model(os.path.join(folder, f"{name}.keras"))
        fresh, _, _ = make(k)
        fresh.optimizer.build(fresh.trainable_variables)
        fresh.load_weights(os.path.join(folder, f"{name}.weights.h5"))
        found[name] = results(model, x), results(fresh, x)
        model.fit(x, y, batch_size=4, epochs=1, shuffle=False, verbose=0)  # it can be trained on
    return found


if __name__ == "__main__":
    import numpy as np

    command, where = sys.argv[1:3]
    if "--falconet" in sys.argv or command == "native":
        import falconet as keras
    else:
        import keras
    if command in ("write", "native"):
        {"write": write, "native": native}[command](keras, where)
    else:
        np.set_printoptions(precision=9)
        print(json.dumps(read(keras, where)))
