"""The base of all layers: a named object that owns variables and other layers, and maps tensors to tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from falconet import dtype_policies, dtypes, ops, regularizers, tree
from falconet.layers import call_state
from falconet.layers.call_state import state
from falconet.layers.input_spec import check_input
from falconet.layers.stateful import Stateful
from falconet.layers.tracking import Tracker
from falconet.masks import get_mask, masks_of, set_mask, set_masks
from falconet.naming import auto_name, current_path, name_scope
from falconet.saving.configurable import Configurable
from falconet.signature import signature_of
from falconet.tracing import KerasTensor, abstract_call, record_call
from falconet.variables import Variable


def _guarded_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build` as users call it: opens the layer's name scope, and marks the layer built once the outermost build
    ends."""

    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> None:
        if self._building:  # a super().build() inside a build()
            build(self, *args, **kwargs)
            return
        object.__setattr__(self, "_building", True)
        try:
            with name_scope(self.name, caller=self):
                object.__setattr__(self, "_path", current_path())
                build(self, *args, **kwargs)
        finally:
            object.__setattr__(self, "_building", False)
        self._build_shapes = signature_of(build).bind(args, kwargs)
        self.built = True
        self._lock_state()

    wrapped.__wrapped__ = build  # type: ignore[attr-defined]
    wrapped.__name__, wrapped.__doc__, wrapped.__qualname__ = build.__name__, build.__doc__, build.__qualname__
    return wrapped


class Layer(Stateful, Configurable):
    """A function of tensors with state. Subclasses write `__init__`, `build(input_shape)` where weights depend on the
    input, and `call(inputs)`.

    activity_regularizer: a regularizer of the output, added to the model's losses.
    trainable: whether the layer's variables are trained.
    dtype: dtype (or policy) of weights and computation; default `config.floatx()`.
    autocast: cast floating inputs to the compute dtype.

    The configuration is captured from the constructor's arguments, so `get_config` need not be written.

    >>> import numpy as np
    >>> class Scale(Layer):
    ...     def __init__(self, start=1.0, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.start = start
    ...     def build(self, input_shape):
    ...         self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
    ...     def call(self, x):
    ...         return x * self.scale * self.start
    >>> Scale(2.0)(np.ones((2, 3), "float32")).shape
    (2, 3)
    """

    _convert_input_args = True
    _building: bool
    _input_shape_arg: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls, *args, **kwargs)
        object.__setattr__(self, "_tracker", Tracker(self))
        object.__setattr__(self, "_building", False)
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        build = cls.__dict__.get("build")
        if build is not None and not hasattr(build, "__wrapped__"):
            cls.build = _guarded_build(build)  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(f"[{type(self).__name__}] `name` must be a string without '/', got {name!r}.")
        self.name = auto_name(type(self).__name__) if name is None else name
        input_dim, input_shape = kwargs.pop("input_dim", None), kwargs.pop("input_shape", None)
        object.__setattr__(self, "_input_shape_arg", (input_dim,) if input_dim is not None else input_shape)
        if kwargs:
            raise ValueError(f"[{type(self).__name__}] unknown argument(s): {', '.join(sorted(kwargs))}.")
        if not isinstance(trainable, bool):
            raise ValueError(f"[{type(self).__name__}] `trainable` must be True or False, got {trainable!r}.")
        self._dtype_policy = dtype_policies.get(dtype)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._trainable = trainable
        self.autocast = autocast
        self.built = False
        self._path: str | None = None
        self._input_spec: Any = None
        self._losses: list[Any] = []
        self._records: list[Any] = []  # symbolic calls, in order
        self._build_shapes: dict[str, Any] | None = None
        self._supports_masking = type(self).compute_mask is not Layer.compute_mask

    # --- dtype -------------------------------------------------------------------------------------------------------

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = dtype_policies.get(value)

    @property
    def dtype(self) -> str:
        return self._dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        return self._dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        return self._dtype_policy.compute_dtype

    @property
    def supports_masking(self) -> bool:
        """Whether masks pass through the layer: `compute_mask` says how, by default unchanged."""
        return self._supports_masking

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = bool(value)

    @property
    def input_dtype(self) -> str:
        """The dtype that floating inputs are cast to."""
        return self.compute_dtype

    # --- building ----------------------------------------------------------------------------------------------------

    if TYPE_CHECKING:  # an override may take what it likes: (input_shape), or a shape for each argument of call()

        def build(self, *args: Any, **kwargs: Any) -> None: ...

    else:

        def build(self, input_shape: Any = None) -> None:
            """Creates the weights. The default builds sub-layers by tracing `call` on inputs of the given shape(s),
            with None for unknown sizes."""
            self._check_initialized()
            if any(not layer.built for layer in self._layers) and input_shape is not None:
                inputs = tree.map_shape_structure(lambda s: KerasTensor(s, dtype=self.input_dtype), input_shape)
                abstract_call(self.call, inputs)
                self._clear_losses()

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes the layer was built with."""
        if self._build_shapes is None:
            return None
        if len(self._build_shapes) == 1:
            return {"input_shape": next(iter(self._build_shapes.values()))}
        return {"shapes_dict": dict(self._build_shapes)}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        if not config or self.built:
            return
        if "input_shape" in config:
            self.build(config["input_shape"])
        elif "shapes_dict" in config:
            self.build(**config["shapes_dict"])

    def _maybe_build(self, arguments: dict[str, Any]) -> None:
        if self.built:
            return
        found = ((name, _shapes_of(value)) for name, value in arguments.items() if name != "mask")
        shapes = {f"{name}_shape": shape for name, shape in found if shape is not None}
        first = next(iter(shapes.values()), None)
        build = type(self).build
        if getattr(build, "__wrapped__", build) is _default_build:
            # Sub-layers build themselves when call reaches them; there is nothing else to create.
            self._build_shapes = {"input_shape": first} if len(shapes) <= 1 else shapes
            self._path = "/".join(filter(None, (current_path(), self.name)))
            self.built = True
            return
        names = signature_of(build).names
        if len(names) == 1:
            self.build(first)
            return
        call_names = signature_of(self.call).names
        for name in names:
            if not name.endswith("_shape") or name.removesuffix("_shape") not in call_names:
                raise ValueError(
                    f"[{self.label}] build() with several arguments takes call()'s argument names followed by _shape; "
                    f"{name!r} is not one of them."
                )
        self.build(**{name: shapes[name] for name in names if name in shapes})

    def _check_initialized(self) -> None:
        if "_supports_masking" not in self.__dict__:
            raise RuntimeError(f"[{type(self).__name__}] call super().__init__() as the first statement of __init__().")

    # --- calling -----------------------------------------------------------------------------------------------------

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer computes; subclasses write it."""
        raise NotImplementedError(f"[{self.label}] has no call() method; write one.")

    @property
    def input_spec(self) -> Any:
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    def _convert(self, value: Any) -> Any:
        """An array-like argument as a tensor, floats in the compute dtype; everything else unchanged."""
        if isinstance(value, KerasTensor):
            return value
        if not ops.is_tensor(value):
            if isinstance(value, Variable):
                return value
            if not hasattr(value, "__array__"):
                return value
            value = ops.convert_to_tensor(value)
        if self.autocast:
            dtype = dtypes.standardize_dtype(value.dtype)
            if dtype != self.input_dtype and "float" in dtype:
                mask = get_mask(value)
                value = ops.cast(value, self.input_dtype)
                if mask is not None:
                    set_mask(value, mask)
        return value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_initialized()
        if self._convert_input_args:
            if args and type(args[0]) is list and all(isinstance(x, (int, float)) for x in tree.flatten(args[0])):
                args = (np.asarray(args[0]), *args[1:])
            args = tree.map_structure(self._convert, args)
            kwargs = {name: tree.map_structure(self._convert, value) for name, value in kwargs.items()}
        if any(isinstance(x, KerasTensor) for x in tree.flatten((args, kwargs))):
            return self._symbolic_call(args, kwargs)
        return self._concrete_call(args, kwargs)

    def _concrete_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        signature = signature_of(self.call, skip=1)
        arguments = signature.bind(args, kwargs)
        first = next(iter(arguments.values()), None)
        outer_entry, outer_training, outer_layer = state.entry, state.training, state.layer
        training = arguments.get("training")
        if training is None:
            training = outer_training if outer_training is not None else signature.defaults.get("training")
        if "training" in signature.names:
            if training is not None and "training" not in signature.positional[: len(args)]:
                kwargs["training"] = training
        elif "training" in kwargs and not signature.var_keyword:
            kwargs = {k: v for k, v in kwargs.items() if k != "training"}
        if "mask" in signature.names and arguments.get("mask") is None:
            mask = masks_of(first)
            if mask is not None and "mask" not in signature.positional[: len(args)]:
                kwargs["mask"] = mask
        if outer_entry is None:
            state.entry = self
            self._clear_losses()
        state.training, state.layer = training, self
        try:
            with name_scope(self.name, caller=self):
                self._maybe_build(arguments)
                if (spec := self.input_spec) is not None:
                    check_input(spec, first, self.label)
                outputs = self.call(*args, **kwargs)
        except Exception as error:
            named = call_state.name_layer_in(error, self.label, arguments)
            if named is None:
                raise
            raise named from error
        finally:
            state.entry, state.training, state.layer = outer_entry, outer_training, outer_layer
        if self.activity_regularizer is not None:
            for output in tree.flatten(outputs):
                loss = self.activity_regularizer(output)
                rows = output.shape[0] if output.shape else 1
                self.add_loss(ops.divide(loss, max(rows, 1)))  # the same strength for every batch size
        self._propagate_masks(first, kwargs.get("mask"), outputs)
        return outputs

    def _symbolic_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = signature_of(self.call).bind(args, kwargs)
        if not self.built:
            self._maybe_build(arguments)
        masks = tree.map_structure(get_mask, args)

        def run(args: Any, kwargs: Any, masks: Any) -> Any:
            for value, mask in zip(tree.flatten(args), tree.flatten(masks), strict=False):
                if mask is not None:
                    set_mask(value, mask)
            outputs = self._concrete_call(tuple(args), dict(kwargs))
            return outputs, tree.map_structure(get_mask, outputs)

        outputs, output_masks = abstract_call(run, args, kwargs, masks)
        self._clear_losses()  # they belonged to the scratch trace
        for output, mask in zip(tree.flatten(outputs), tree.flatten(output_masks), strict=False):
            if mask is not None:
                set_mask(output, mask)
        self._records.append(record_call(self, args, kwargs, outputs))
        return outputs

    def _propagate_masks(self, inputs: Any, mask: Any, outputs: Any) -> None:
        """Attaches the output masks: by `compute_mask`, or where the layer says so, the input's mask."""
        if mask is None:
            mask = masks_of(inputs)
        if mask is None and type(self).compute_mask is Layer.compute_mask:
            return
        if not self.supports_masking or all(get_mask(x) is not None for x in tree.flatten(outputs)):
            return
        masks = self.compute_mask(inputs, mask)
        if masks is not None:
            set_masks(outputs, masks)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output; by default the input's."""
        return previous_mask

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Shapes and dtypes of the outputs, as KerasTensors, found by tracing."""
        if not self.built:
            self._maybe_build(signature_of(self.call).bind(args, kwargs))
        outputs = abstract_call(lambda *a, **k: self._concrete_call(a, k), *args, **kwargs)
        self._clear_losses()
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output shape for an input shape (None = unknown size), found by tracing."""
        inputs = tree.map_shape_structure(lambda s: KerasTensor(s, dtype=self.input_dtype), input_shape)
        return tree.map_structure(lambda x: tuple(x.shape), self.compute_output_spec(inputs))

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's first call on symbolic tensors."""
        record = self._first_record("input")
        return next(iter(signature_of(self.call).bind(record.args, record.kwargs).values()))

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's first call on symbolic tensors."""
        return self._first_record("output").outputs

    def _first_record(self, what: str) -> Any:
        if not self._records:
            raise AttributeError(f"[{self.label}] has no `{what}`: it was never called on symbolic tensors.")
        return self._records[0]

    # --- losses ------------------------------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Adds a scalar (or a list of scalars) to the model's losses of the current call."""
        for one in tree.flatten(loss):
            if getattr(one, "shape", None) is None:
                raise ValueError(
                    f"[{self.label}] add_loss: `loss` must be a tensor, got {one!r} of type {type(one).__name__}."
                )
            self._losses.append(one)

    @property
    def losses(self) -> list[Any]:
        """Losses added during the last call, then the regularization losses of the trainable weights."""
        found = [loss for layer in self._flatten_layers() for loss in layer._losses]
        found += [v.regularizer(v) for v in self.trainable_weights if getattr(v, "regularizer", None) is not None]
        return found

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    # --- state as values ---------------------------------------------------------------------------------------------

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Calls the layer with the given variable values; returns (outputs, new non-trainable values[, losses]) and
        leaves the layer's own values as they were."""
        self._check_initialized()
        groups = (
            (self.trainable_variables, trainable_variables),
            (self.non_trainable_variables, non_trainable_variables),
        )
        for own, given in groups:
            if len(own) != len(given):
                raise ValueError(f"[{self.label}] stateless_call: {len(given)} values came for {len(own)} variables.")
        kept = [(v, v.value) for own, _ in groups for v in own]
        try:
            for own, given in groups:
                for variable, value in zip(own, given, strict=False):
                    variable.assign(value)
            outputs = self(*args, **kwargs)
            updated = [v.value for v in self.non_trainable_variables]
            losses = self.losses
        finally:
            for variable, value in kept:
                variable.assign(value)
        return (outputs, updated, losses) if return_losses else (outputs, updated)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


_default_build = Layer.build
Layer.build = _guarded_build(_default_build)  # type: ignore[method-assign]


def _shapes_of(value: Any) -> Any:
    """The shape of a tensor, the shapes of a nested structure of tensors, or None for anything else."""
    leaves = tree.flatten(value)
    if not leaves or not all(x is None or hasattr(x, "shape") for x in leaves) or all(x is None for x in leaves):
        return None
    return tree.map_structure(lambda x: None if x is None else tuple(x.shape), value)
