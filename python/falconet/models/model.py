"""Model: a layer that can be compiled, trained, saved and summed up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from falconet import tree
from falconet._core import Tensor
from falconet.layers import call_state
from falconet.layers.call_state import state
from falconet.layers.layer import Layer
from falconet.models.trainer import Trainer
from falconet.tracing import KerasTensor, Program, in_trace, tape_active

_ARRAYS = frozenset({np.ndarray, Tensor})
_LOOP_STATE = {"stop_training", "compiled", "history", "run_eagerly", "steps_per_execution", "jit_compile"}


def _functional_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or ("inputs" in kwargs and "outputs" in kwargs)


class Model(Trainer, Layer):
    """A layer with a training loop.

    Three ways to write one: `Model(inputs, outputs)` from symbolic tensors, `Sequential(layers)`, or a subclass that
    makes its layers in `__init__` and uses them in `call(inputs, training=None)`.

    >>> import numpy as np
    >>> from falconet.layers import Dense, Input
    >>> x = Input((4,))
    >>> model = Model(x, Dense(1)(x))
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((8, 4)), np.ones((8, 1)), epochs=2, verbose=0)
    >>> len(history.history["loss"])
    2
    """

    _not_computed = Layer._not_computed | _LOOP_STATE
    _graph: Any
    _inference: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _functional_arguments(args, kwargs):
            from falconet.models.functional import Functional

            return super().__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        object.__setattr__(self, "_graph", None)
        object.__setattr__(self, "_inference", None)
        inputs = outputs = None
        if _functional_arguments(args, kwargs):
            inputs = kwargs.pop("inputs", None) if not args else args[0]
            outputs = kwargs.pop("outputs", None) if len(args) < 2 else args[1]
            kwargs.pop("outputs", None)
            if len(args) > 2:
                kwargs["name"] = args[2]
        elif args:
            raise TypeError(
                f"[{type(self).__name__}] Model() takes `inputs` and `outputs` together, got {len(args)} argument(s)."
            )
        trainable = kwargs.pop("trainable", None)
        Layer.__init__(self, **kwargs)
        Trainer.__init__(self)
        if outputs is not None:
            from falconet.models.graph import Graph

            self._set_graph(Graph(inputs, outputs, self.name))
        if trainable is not None and not trainable:
            self.trainable = False

    def _set_graph(self, graph: Any) -> None:
        """Makes `graph` what the model computes."""
        object.__setattr__(self, "_graph", graph)
        for layer in graph.layers:
            if not self._tracker.holds(layer):
                self._tracker.layers.append(layer)
        object.__setattr__(self, "_inference", None)
        self.built = True

    # --- calling -----------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        inference = self.__dict__.get("_inference")
        if inference and len(args) == 1 and not kwargs and type(args[0]) in _ARRAYS and not in_trace():
            if inference[0] == call_state.version[0] and state.entry is None and not tape_active():
                return inference[1](args[0])
            object.__setattr__(self, "_inference", None)
        outputs = super().__call__(*args, **kwargs)
        if self._graph is not None and self._inference is None:
            object.__setattr__(self, "_inference", self._make_inference())
        return outputs

    def _make_inference(self) -> Any:
        """A compiled function for `model(array)`, with the version of the layers it was traced from; or False where
        calling the layers one by one could be told apart from it: layers written by users may look at values, and masks
        and losses have to be left on tensors and layers."""
        own = all(type(layer).__module__.startswith("falconet.") for layer in self._flatten_layers())
        plain = len(self._graph.inputs) == 1 and not any(
            layer.activity_regularizer is not None or type(layer).__name__ in ("Masking", "Lambda")
            or getattr(layer, "mask_zero", False) for layer in self._flatten_layers()
        )  # fmt: skip
        if not own or not plain or state.training:
            return False
        return call_state.version[0], Program(lambda x: Layer.__call__(self, x))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self._graph is None:
            raise NotImplementedError(
                f"[{self.label}] has no call() method: write one, or build the model with Model(inputs, outputs)."
            )
        from falconet.models.inputs import standardize

        return self._graph.run(standardize(self, inputs, mask))

    def _lock_state(self) -> None:
        if self._graph is None:
            super()._lock_state()

    def add_loss(self, loss: Any) -> None:
        if self._graph is not None:
            raise ValueError(
                f"[{self.label}] add_loss() works inside a layer's call(); add the loss in a layer of the model."
            )
        super().add_loss(loss)

    # --- parts -------------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Any]:
        """The model's layers, from the inputs on."""
        return list(self._graph.layers) if self._graph is not None else self._flatten_layers(False, recursive=False)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer by name, or by index in `layers`."""
        if (name is None) == (index is None):
            raise ValueError(f"[{self.label}] get_layer needs `name` or `index`, and not both.")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"[{self.label}] get_layer: `index` is {index}, but the model has {len(layers)} layers."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"[{self.label}] has no layer {name!r}; its layers are {[layer.name for layer in layers]}.")

    def _needs_graph(self, what: str) -> Any:
        if self._graph is None:
            raise AttributeError(f"[{self.label}] has no defined `{what}` yet.")
        return self._graph

    @property
    def inputs(self) -> list[KerasTensor]:
        return list(self._needs_graph("inputs").inputs)

    @property
    def outputs(self) -> list[KerasTensor]:
        return list(self._needs_graph("outputs").outputs)

    @property
    def input(self) -> Any:
        return self._needs_graph("input").inputs_struct

    @property
    def output(self) -> Any:
        return self._needs_graph("output").outputs_struct

    @property
    def input_shape(self) -> Any:
        return _shapes(self._needs_graph("input_shape").inputs_struct)

    @property
    def output_shape(self) -> Any:
        return _shapes(self._needs_graph("output_shape").outputs_struct)

    @property
    def input_names(self) -> list[str]:
        return [x.record.operation.name for x in self._needs_graph("input_names").inputs]

    @property
    def output_names(self) -> list[str]:
        graph = self._needs_graph("output_names")
        return [graph.producer(x).operation.name for x in graph.outputs]

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: list[str] | None = None,
    ) -> None:
        """Prints the table of layers, output shapes and parameter counts.

        positions: relative right edges of the columns, the last one 1.0. print_fn: takes the text instead of `print`.
        layer_range: names (regular expressions) of the first and last layer to show.
        """
        from falconet.models.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def memory(self, batch_size: int = 32, y: Any = None) -> dict[str, int]:
        """Bytes that the model takes for batches of this size.

        "weights": all variables of the layers. "predict": what a prediction needs besides. Where the model is compiled
        also "optimizer": its slots (which are made where they have not been yet), and "train": what a training step
        needs besides: activations that wait for their gradients, and gradients. Plans of one kind share this memory, so
        it does not grow with the number of batch sizes. Inputs, outputs and data are not counted.

        y: targets of a batch, where the losses take none that are shaped like the outputs or class indices. Unknown
        sizes of an input other than the batch count as 1.
        """
        from falconet.models.memory import memory

        return memory(self, batch_size, y)

    # --- configuration -----------------------------------------------------------------------------------------------

    def to_json(self, **kwargs: Any) -> str:
        """The architecture (not the weights) as JSON; `model_from_json` reads it. kwargs go to `json.dumps`."""
        import json

        from falconet.saving.serialization import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        if {"layers", "input_layers", "output_layers"} <= set(config):
            from falconet.models.functional import functional_from_config

            return functional_from_config(cls, config, custom_objects)
        return super().from_config(config)

    def save(self, filepath: Any, overwrite: bool = True, zipped: bool | None = None) -> None:
        """Writes architecture, weights, compile configuration and optimizer state to one file."""
        from falconet.saving import save_model

        save_model(self, filepath, overwrite=overwrite, zipped=zipped)

    def export(
        self,
        filepath: Any,
        format: str = "falconet",
        verbose: bool | None = None,
        input_signature: Any = None,
        training: Any = False,
        metadata: dict[str, str] | None = None,
        test_data: Any = None,
    ) -> None:
        """Writes what the model computes, with its weights, to one file that is loaded without its layers.

        Any batch size is served where the first axis of the inputs is unknown; other axes need fixed sizes. The file
        carries a test: random inputs (or `test_data`) and what they gave, computed again where it is loaded.

        Args:
            filepath: the file, conventionally `*.falconet`; it is replaced whole or not at all.
            format: "falconet"; no other is written.
            verbose: print the file's name and size.
            input_signature: InputSpecs or KerasTensors in the structure the model is called with; needed for a model
                that has its own `call` and several inputs, and to fix sizes that are unknown.
            training: also write the training step, the optimizer's state and the evaluation step. True, or an example
                (x, y) or (x, y, sample_weight) where the shapes of `y` do not follow from the losses.
            metadata: strings by name, kept in the file.
            test_data: inputs for the test, in the structure the model is called with.

        Raises:
            ValueError: the model has no weights yet, a size besides the batch's is unknown, or what the model does
                depends on the batch size in another way than by a number for each row.
        """
        from falconet.saving.export import export_model

        export_model(self, filepath, format, verbose, input_signature, training, metadata, test_data)

    def export_c(self, filepath: Any, name: str | None = None) -> None:
        """Writes the model as one file of C99 that needs nothing but <math.h>: for small models in small places.

        `void net_predict(const float* x_input, float* y_output, int batch)`, with a parameter for each input and
        output, computes the rows one after the other, in simple loops, to about 1e-5 of the largest output. The file
        has the sizes of the arrays as macros and, under `-DNET_SELF_TEST`, a program that compares itself with
        Falconet.

        Args:
            filepath: the file, conventionally `*.c`; it is replaced whole or not at all.
            name: what functions and macros begin with; by default the file's name.

        Raises:
            ValueError: the model has an op without a C form (the text names all of them), carries a state, is too large
                for tables in C, or computes rows that depend on one another.
        """
        from falconet.saving.export_c import export_c

        export_c(self, filepath, name)

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None) -> None:
        """Writes the weights to one file."""
        from falconet.saving import save_weights

        save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Reads weights that `save_weights` or `save` wrote. skip_mismatch: leave weights whose shape differs."""
        from falconet.saving import load_weights

        load_weights(self, filepath, skip_mismatch=skip_mismatch)

    def __reduce__(self) -> Any:
        from falconet.saving import model_from_bytes, model_to_bytes

        return model_from_bytes, (model_to_bytes(self),)


def _shapes(struct: Any) -> Any:
    shapes = tree.map_structure(lambda x: tuple(x.shape), struct)
    return shapes[0] if isinstance(struct, list) and len(struct) == 1 else shapes


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Model:
    """The model that `to_json` described, with fresh weights."""
    import json

    from falconet.saving.serialization import deserialize_keras_object

    return deserialize_keras_object(json.loads(json_string), custom_objects=custom_objects)
