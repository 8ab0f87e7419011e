"""The peers that are installed, doing what networks.py does: PyTorch, JAX, scikit-learn and ONNX Runtime; LiteRT and
OpenVINO predict, TensorFlow multiplies.

Each is written as its own users write fast code, and is imported when it first takes part. A trainer is a call that
trains one epoch and returns its mean loss; a predictor is a call on one batch, NumPy in and out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from falconet.bench.networks import (
    BETA_1,
    BETA_2,
    EPSILON,
    RATE,
    Network,
    NumpyNetwork,
    falconet_predictors,
    falconet_trainer,
    numpy_trainer,
)
from falconet.bench.timing import OURS, Builder, Workload, threads

_MODULES = {
    "torch": "torch",
    "jax": "jax",
    "tensorflow": "tensorflow",
    "sklearn": "sklearn",
    "onnxruntime": "onnxruntime",
    "litert": "ai_edge_litert",
    "openvino": "openvino",
}
Trainer = Callable[[Network, bool], Callable[[], float]]
Predictor = Callable[[Network], Callable[[np.ndarray], Any]]


def installed() -> list[str]:
    """Of the peers beside NumPy, which this environment has."""
    return [name for name, module in _MODULES.items() if importlib.util.find_spec(module) is not None]


# PyTorch.


def torch_module() -> Any:
    """PyTorch, with our number of threads."""
    import torch

    if torch.get_num_threads() != threads():
        torch.set_num_threads(threads())
    return torch


def tensorflow_module() -> Any:
    """TensorFlow, with our number of threads, which it takes before its first op only."""
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != threads():
        tf.config.threading.set_intra_op_parallelism_threads(threads())
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def _torch_network(network: Network, logits: bool) -> Any:
    """logits: without the last activation, which the loss applies."""
    torch = torch_module()
    activations = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid, "softmax": partial(torch.nn.Softmax, dim=-1)}
    parts: list[Any] = []
    weights = network.weights()
    for i in range(0, len(weights), 2):
        kernel, bias = (torch.from_numpy(w) for w in weights[i : i + 2])
        linear = torch.nn.Linear(*kernel.shape)
        with torch.no_grad():
            linear.weight.copy_(kernel.T)
            linear.bias.copy_(bias)
        is_last = i + 2 == len(weights)
        activation = network.output if is_last else network.hidden
        parts.append(linear)
        if activation in activations and not (is_last and logits):
            parts.append(activations[activation]())
    return torch.nn.Sequential(*parts)


def torch_trainer(network: Network, shuffle: bool = False, compiled: bool = False) -> Callable[[], float]:
    torch = torch_module()
    is_classifier = network.output == "softmax"
    net = _torch_network(network, logits=is_classifier)
    loss_of = torch.nn.CrossEntropyLoss() if is_classifier else torch.nn.MSELoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True)
    x, y = (torch.from_numpy(a) for a in network.data())
    y = y.long() if is_classifier else y
    forward = torch.compile(lambda a, b: loss_of(net(a), b)) if compiled else lambda a, b: loss_of(net(a), b)

    def epoch() -> float:
        total = torch.zeros(())
        order = torch.randperm(len(x)) if shuffle else None
        for i in range(0, len(x), network.batch):
            rows = slice(i, i + network.batch) if order is None else order[i : i + network.batch]
            optimizer.zero_grad(set_to_none=True)
            loss = forward(x[rows], y[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total.item() / network.steps

    return epoch


def torch_predictor(network: Network) -> Callable[[np.ndarray], Any]:
    torch = torch_module()
    net = _torch_network(network, logits=False).eval()
    traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.script(net)))

    def predict(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return traced(torch.from_numpy(x)).numpy()

    return predict


# JAX.


def _jax_forward(network: Network, weights: list[Any], x: Any) -> Any:
    """The output before a softmax, after any other activation."""
    import jax

    functions = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}
    for i in range(0, len(weights), 2):
        x = x @ weights[i] + weights[i + 1]
        activation = network.output if i + 2 == len(weights) else network.hidden
        x = functions.get(activation, lambda v: v)(x)
    return x


def _jax_step(network: Network, state: Any, batch: Any) -> Any:
    import jax
    import jax.numpy as jnp

    def loss_of(weights: list[Any], x: Any, y: Any) -> Any:
        z = _jax_forward(network, weights, x)
        if network.output == "softmax":
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=-1))
        return jnp.mean((z - y) ** 2)

    weights, m, v, count = state
    loss, gradients = jax.value_and_grad(loss_of)(weights, *batch)
    count = count + 1
    rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    m = [a + (g - a) * (1 - BETA_1) for a, g in zip(m, gradients, strict=True)]
    v = [a + (g * g - a) * (1 - BETA_2) for a, g in zip(v, gradients, strict=True)]
    weights = [w - rate * a / (jnp.sqrt(b) + EPSILON) for w, a, b in zip(weights, m, v, strict=True)]
    return (weights, m, v, count), loss


def jax_trainer(network: Network, shuffle: bool = False, scan: bool = True) -> Callable[[], float]:
    """scan: the whole epoch is one compiled loop; otherwise a step is."""
    import jax
    import jax.numpy as jnp

    weights = [jnp.asarray(w) for w in network.weights()]
    held = [(weights, [w * 0 for w in weights], [w * 0 for w in weights], jnp.float32(0))]
    arrays, b, rng = network.data(), network.batch, np.random.default_rng(2)
    rows = len(arrays[0])
    x, y = (jnp.asarray(a) for a in arrays)

    def whole(state: Any, order: Any, x: Any, y: Any) -> Any:
        if order is not None:
            return jax.lax.scan(lambda s, i: _jax_step(network, s, (x[i], y[i])), state, order.reshape(-1, b))
        batches = tuple(a.reshape(-1, b, *a.shape[1:]) for a in (x, y))
        return jax.lax.scan(partial(_jax_step, network), state, batches)

    step = jax.jit(partial(_jax_step, network), donate_argnums=0)
    epoch_of = jax.jit(whole, donate_argnums=0)

    def epoch() -> float:
        order = jnp.asarray(rng.permutation(rows)) if shuffle else None
        held[0], losses = epoch_of(held[0], order, x, y)
        return float(losses.mean())

    def epoch_of_steps() -> float:
        order = rng.permutation(rows) if shuffle else None
        losses = []
        for i in range(0, rows, b):
            at = slice(i, i + b) if order is None else order[i : i + b]
            held[0], loss = step(held[0], (arrays[0][at], arrays[1][at]))
            losses.append(loss)
        return float(np.mean(losses))

    return epoch if scan else epoch_of_steps


def jax_predictor(network: Network) -> Callable[[np.ndarray], Any]:
    import jax

    weights = network.weights()

    def forward(x: Any) -> Any:
        z = _jax_forward(network, weights, x)
        return jax.nn.softmax(z) if network.output == "softmax" else z

    compiled = jax.jit(forward)
    return lambda x: np.asarray(compiled(x))


# scikit-learn.


def _sklearn_network(network: Network) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPClassifier if network.output == "softmax" else MLPRegressor
    return kind(
        hidden_layer_sizes=network.sizes[1:-1],
        activation={"relu": "relu", "sigmoid": "logistic"}[network.hidden],
        batch_size=network.batch,
        learning_rate_init=RATE,
        epsilon=EPSILON,
        alpha=0.0,
        shuffle=False,
        random_state=0,
    )


def _sklearn_fit(net: Any, x: np.ndarray, y: np.ndarray, classes: int) -> None:
    net.partial_fit(x, y, **({"classes": np.arange(classes)} if classes else {}))


def sklearn_trainer(network: Network, shuffle: bool = False) -> Callable[[], float]:
    """Its regressor has a linear output: slightly less work where ours is a sigmoid."""
    net, (x, y) = _sklearn_network(network), network.data()
    net.shuffle = shuffle
    y = y.ravel()
    classes = network.sizes[-1] if network.output == "softmax" else 0

    def epoch() -> float:
        _sklearn_fit(net, x, y, classes)
        return float(net.loss_)

    return epoch


def sklearn_predictor(network: Network) -> Callable[[np.ndarray], Any]:
    net = _sklearn_network(network)
    classes = network.sizes[-1] if network.output == "softmax" else 0
    rows = max(network.batch, classes, 2)
    x = np.zeros((rows, network.sizes[0]), np.float32)
    _sklearn_fit(net, x, np.arange(rows) % classes if classes else np.zeros(rows, np.float32), classes)
    net.coefs_, net.intercepts_ = network.weights()[::2], network.weights()[1::2]
    return net.predict_proba if classes else net.predict


# ONNX Runtime. The file it reads is a protocol buffer, whose few fields are written here: no package is needed for it.


def _field(number: int, value: int | str | bytes) -> bytes:
    """A field of a protocol buffer: an integer, or bytes after their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _onnx_model(network: Network) -> bytes:
    """Gemm and activation for each layer. Field numbers are those of onnx.proto, format version 8, opset 17."""
    nodes, tensors, value = [], [], "x"
    weights = network.weights()
    for i, w in enumerate(weights):
        shape = b"".join(_field(1, n) for n in w.shape)
        tensors.append(shape + _field(2, 1) + _field(8, f"w{i}") + _field(9, w.tobytes()))  # 1: float32
    kinds = {"relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax"}
    for i in range(0, len(weights), 2):
        steps = [("Gemm", [value, f"w{i}", f"w{i + 1}"])]
        activation = network.output if i + 2 == len(weights) else network.hidden
        if activation in kinds:
            steps.append((kinds[activation], [f"z{i}"]))
        for j, (kind, inputs) in enumerate(steps):
            value = f"a{i}" if j == len(steps) - 1 and j else f"z{i}"
            nodes.append(b"".join(_field(1, name) for name in inputs) + _field(2, value) + _field(4, kind))

    def described(name: str, width: int) -> bytes:
        sizes = _field(1, _field(2, "n")) + _field(1, _field(1, width))
        return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, sizes)))

    graph = b"".join(_field(1, n) for n in nodes) + _field(2, "network") + b"".join(_field(5, t) for t in tensors)
    graph += _field(11, described("x", network.sizes[0])) + _field(12, described(value, network.sizes[-1]))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))


def onnxruntime_predictor(network: Network) -> Callable[[np.ndarray], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    session = onnxruntime.InferenceSession(_onnx_model(network), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def openvino_predictor(network: Network) -> Callable[[np.ndarray], Any]:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads(), "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()
    request = core.compile_model(core.read_model(_onnx_model(network)), "CPU", settings).create_infer_request()
    return lambda x: request.infer(x, share_inputs=True)[0]


def litert_predictor(network: Network) -> Callable[[np.ndarray], Any]:
    """TensorFlow Lite under its present name. TensorFlow converts the network."""
    from ai_edge_litert.interpreter import Interpreter

    tf = tensorflow_module()
    activations = {"relu": tf.nn.relu, "sigmoid": tf.sigmoid, "softmax": tf.nn.softmax, "linear": tf.identity}
    weights = [tf.constant(w) for w in network.weights()]

    def forward(x: Any) -> Any:
        for i in range(0, len(weights), 2):
            x = tf.linalg.matmul(x, weights[i]) + weights[i + 1]
            x = activations[network.output if i + 2 == len(weights) else network.hidden](x)
        return x

    rows = network.batch
    traced = tf.function(forward).get_concrete_function(tf.TensorSpec((rows, network.sizes[0]), tf.float32))
    converted = tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()
    interpreter = Interpreter(model_content=converted, num_threads=threads())
    interpreter.allocate_tensors()
    at, to = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def predict(x: np.ndarray) -> Any:
        nonlocal rows
        if len(x) != rows:
            interpreter.resize_tensor_input(at, x.shape)
            interpreter.allocate_tensors()
            rows = len(x)
        interpreter.set_tensor(at, x)
        interpreter.invoke()
        return interpreter.get_tensor(to)

    return predict


# Who takes part.

TRAINERS: dict[str, dict[str, Trainer]] = {
    "torch": {"torch": torch_trainer, "torch compile": partial(torch_trainer, compiled=True)},
    "jax": {"jax scan": jax_trainer, "jax jit": partial(jax_trainer, scan=False)},
    "sklearn": {"sklearn": sklearn_trainer},
}
PREDICTORS: dict[str, dict[str, Predictor]] = {
    "torch": {"torch jit": torch_predictor},
    "jax": {"jax jit": jax_predictor},
    "sklearn": {"sklearn": sklearn_predictor},
    "onnxruntime": {"onnxruntime": onnxruntime_predictor},
    "litert": {"litert": litert_predictor},
    "openvino": {"openvino": openvino_predictor},
}


def trainers(peers: list[str]) -> dict[str, Trainer]:
    """By name: ours, NumPy's, and those of these peers."""
    found: dict[str, Trainer] = {OURS: falconet_trainer, "numpy": numpy_trainer}
    for peer in peers:
        found.update(TRAINERS.get(peer, {}))
    return found


def training(network: Network, peers: list[str], shuffle: bool = False, leave_out: tuple[str, ...] = ()) -> Workload:
    """Steps of training within an epoch."""
    contenders: dict[str, Builder] = {
        name: partial(trainer, network, shuffle) for name, trainer in trainers(peers).items() if name not in leave_out
    }
    return Workload(
        f"train {network.name}, batch {network.batch}" + (", shuffled" if shuffle else ""),
        contenders,
        units=network.steps,
        flops=network.flops,
        ceiling="fma",
    )


def predictors(network: Network, peers: list[str]) -> dict[str, Callable[[], Callable[[np.ndarray], Any]]]:
    """By name: ours, NumPy's, and those of these peers, to be made."""
    found: dict[str, Callable[[], Callable[[np.ndarray], Any]]] = {
        OURS: lambda: falconet_predictors(network)["falconet"],
        "falconet model(x)": lambda: falconet_predictors(network)["falconet model(x)"],
        "numpy": lambda: NumpyNetwork(network).predict,
    }
    for peer in peers:
        found.update({name: partial(make, network) for name, make in PREDICTORS.get(peer, {}).items()})
    return found


def prediction(network: Network, peers: list[str]) -> Workload:
    """The network on one batch, NumPy in and out."""
    x = network.data()[0][: network.batch]
    contenders: dict[str, Builder] = {
        name: lambda make=make: partial(make(), x)  # type: ignore[misc]
        for name, make in predictors(network, peers).items()
    }
    name = f"predict {network.name}, batch {network.batch}"
    return Workload(name, contenders, flops=network.forward_flops)
