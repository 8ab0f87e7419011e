"""Which hooks a loop calls, in which order, with which logs: `k` is Keras or Falconet."""

import numpy as np


def recorder(k, calls):
    """A callback that notes every hook: its name, the index it is given, the names of the logs."""

    def hook(name):
        def note(self, *args, **kwargs):
            logs = kwargs.get("logs", args[-1] if args and isinstance(args[-1], (dict, type(None))) else None)
            index = [a for a in args if isinstance(a, (int, np.integer))]
            calls.append([name, *map(int, index), sorted(logs) if logs else []])

        return note

    names = [name for name in dir(k.callbacks.Callback) if name.startswith("on_") and "_batch_" not in name[2:9]]
    body = {name: hook(name) for name in names if name not in ("on_batch_begin", "on_batch_end")}
    return type("Recorder", (k.callbacks.Callback,), body)()


def model_of(k, **kwargs):
    model = k.Sequential([k.layers.Input((3,)), k.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], **kwargs)
    return model


def rows(count):
    x = np.linspace(-1, 1, 3 * count, dtype="float32").reshape(count, 3)
    return x, x[:, :1]


def plain(k, callback):
    model_of(k).fit(*rows(10), batch_size=4, epochs=2, verbose=0, callbacks=[callback])


def validated(k, callback):
    model_of(k).fit(*rows(10), batch_size=4, epochs=3, verbose=0, callbacks=[callback], validation_data=rows(6),
                    validation_batch_size=3, validation_freq=2)  # fmt: skip


def steps_per_execution(k, callback):
    model_of(k, steps_per_execution=2).fit(*rows(10), batch_size=2, epochs=1, verbose=0, callbacks=[callback])


def several(k, callback):
    model_of(k).fit(*rows(4), epochs=2, verbose=0, callbacks=[
        k.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2), callback,
        k.callbacks.ReduceLROnPlateau("loss"), k.callbacks.TerminateOnNaN(),
    ])  # fmt: skip


def stopped(k, callback):
    stop = k.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: setattr(callback.model, "stop_training",
                                                                                    batch == 1))  # fmt: skip
    model_of(k).fit(*rows(10), batch_size=3, epochs=3, verbose=0, callbacks=[callback, stop], validation_data=rows(4))


def evaluated(k, callback):
    model_of(k).evaluate(*rows(10), batch_size=4, verbose=0, callbacks=[callback])


def predicted(k, callback):
    model_of(k).predict(rows(10)[0], batch_size=4, verbose=0, callbacks=[callback])


def generated(k, callback):
    def batches():
        while True:
            yield rows(4)

    model_of(k).fit(batches(), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[callback])


def later_epochs(k, callback):
    model_of(k).fit(*rows(4), epochs=4, initial_epoch=2, verbose=0, callbacks=[callback])


CASES = [plain, validated, steps_per_execution, several, stopped, evaluated, predicted, generated, later_epochs]


def run(k, case):
    calls = []
    callback = recorder(k, calls)
    case(k, callback)
    return {"calls": calls, "params": {key: callback.params.get(key) for key in ("verbose", "epochs", "steps")}}
