"""Op calls in configurations: in Keras 3's form where Keras has the op, so that both read each other's models.

Only Falconet's own ops have names there; nothing else resolves.

Keras writes `ops.sum(x, axis=1)` as {"module": "keras.src.ops.numpy", "class_name": "Sum", "config": {"name": "sum",
"axis": 1, ...}} with the tensors as the arguments of the call. An op of ours that it does not have is {"class_name":
"__op__", "config": {"function": "core.<name>"}}, with all arguments in the call.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from falconet import _core, ops, tree
from falconet.naming import to_snake_case
from falconet.symbols import KerasTensor

_PREFIX = "keras.src.ops."
# Where Keras 3 keeps the classes of the ops that are not in its `numpy` module.
_MODULES = {
    "nn": "relu relu6 sigmoid sparse_sigmoid softplus softsign soft_shrink sparse_plus silu squareplus log_sigmoid "
    "leaky_relu hard_sigmoid hard_silu elu selu gelu celu glu tanh_shrink hard_tanh hard_shrink threshold softmax "
    "log_softmax sparsemax one_hot multi_hot moments normalize dot_product_attention",
    "core": "cast stop_gradient unstack",
    "math": "segment_sum segment_max segment_min segment_prod top_k in_top_k logsumexp rsqrt erf erfc erfinv",
    "linalg": "norm",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}
_NUMPY = frozenset(
    "absolute add all any arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin average bitwise_and "
    "bitwise_or bitwise_xor broadcast_to ceil clip concatenate cos cosh cumsum cumprod deg2rad divide equal exp exp2 "
    "expand_dims expm1 flip floor floor_divide get_item greater greater_equal isfinite isinf isnan less less_equal log "
    "log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor matmul max maximum mean min minimum mod "
    "multiply negative not_equal power prod rad2deg reciprocal repeat reshape roll sign sin sinh sqrt square squeeze "
    "stack std subtract sum swapaxes take tan tanh tile transpose tril triu trunc var where".split()
)
_ATTRIBUTES = {"reshape": {"shape": "newshape"}}  # ours -> Keras's, where they differ
_OPERANDS = frozenset({"x", "x1", "x2", "y", "condition", "indices", "key"})
_OF_LISTS = ("concatenate", "stack")  # whose first argument is a list of tensors


def _class_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _place(function: Callable[..., Any]) -> tuple[str, str]:
    name = getattr(function, "__name__", "")
    for place, module in (("core", _core.ops), ("ops", ops)):
        if vars(module).get(name) is function:
            return place, name
    raise ValueError(
        f"[get_config] the op {name or function!r} in the model has no public name; put it into a Layer to save "
        "the model."
    )


def op_config(function: Callable[..., Any], name: str, args: Any, kwargs: Any) -> tuple[dict[str, Any], Any, Any]:
    """(config of an op called `name`, args and kwargs of its call): together they say what the function was given."""
    place, op = _place(function)
    if op not in _NUMPY and op not in _MODULE_OF:
        return {"class_name": "__op__", "config": {"function": f"{place}.{op}"}}, list(args), dict(kwargs)
    names = list(signature(function).parameters)
    given = {
        names[i]: value for i, value in enumerate(args) if i < len(names) and not _is_operand(names[i], value)
    }  # fmt: skip
    renamed = _ATTRIBUTES.get(op, {})
    attributes = {renamed.get(key, key): value for key, value in (given | kwargs).items()}
    args = [value for i, value in enumerate(args) if i >= len(names) or names[i] not in given]
    config = {
        "module": f"{_PREFIX}{_MODULE_OF.get(op, 'numpy')}",
        "class_name": _class_name(op),
        "config": {"name": name, **attributes},
        "registered_name": _class_name(op),
    }
    return config, [list(args)] if op in _OF_LISTS and place == "core" else list(args), {}


def is_op(config: dict[str, Any]) -> bool:
    """Whether an entry of a model's layers is an op."""
    return config.get("class_name") == "__op__" or str(config.get("module")).startswith(_PREFIX)


def op_of(config: dict[str, Any]) -> Callable[..., Any]:
    """The function of the call's arguments that a config describes."""
    if config["class_name"] == "__op__":
        place, _, name = str(config["config"]["function"]).partition(".")
        return _find({"core": _core.ops, "ops": ops}.get(place), name, config["config"]["function"])
    name = to_snake_case(str(config["class_name"]))
    function = _find(ops, {"true_divide": "divide"}.get(name, name), config["class_name"])
    attributes = {key: value for key, value in config["config"].items() if key != "name"}
    if name == "get_item":
        return lambda x, key: function(x, tuple(key) if isinstance(key, list) else key)
    return lambda *args, **kwargs: function(*args, **attributes, **kwargs)


def _is_operand(name: str, value: Any) -> bool:
    """Whether Keras has an argument in the call of the op, and not among its attributes."""
    return name in _OPERANDS or isinstance(value, KerasTensor) or tree.is_nested(value)


def _find(module: Any, name: str, shown: Any) -> Callable[..., Any]:
    function = vars(module).get(name) if module is not None and not name.startswith("_") else None
    if not callable(function) or isinstance(function, type):
        raise ValueError(f"[from_config] there is no op named {shown!r}.")
    return function
