"""What an optimizer keeps: its arguments, its variables, and the slots of each variable it trains."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from .. import initializers, ops
from ..config import floatx
from ..naming import auto_name
from ..saving.configurable import Configurable
from ..saving.serialization import serialize_keras_object
from ..variables import Variable
from .schedules import LearningRateSchedule
from .streams import Stream, make_streams

if TYPE_CHECKING:
    from .optimizer import Optimizer

# The base's own slots, by the attribute that lists them.
AVERAGES, ACCUMULATORS = "_model_variables_moving_average", "_accumulated_gradients"
# Attributes that list variables without owning them.
UNOWNED = frozenset({"_variables", "_trainable_variables", "_streams"})


def is_overwritten(variable: Any) -> bool:
    """Whether a variable's gradient is its next value."""
    return bool(getattr(variable, "overwrite_with_gradient", False))


def _then_stream(build: Callable[..., None]) -> Callable[..., None]:
    """`build`, which happens once, and after whose outermost call the variables are laid out in streams."""

    @wraps(build)
    def build_and_stream(self: _State, *args: Any, **kwargs: Any) -> None:
        if self.built and self._build_depth == 0:
            return
        self._build_depth += 1
        try:
            build(self, *args, **kwargs)
        finally:
            self._build_depth -= 1
        if self._build_depth == 0 and self.built and self._streams is None:
            for value in list(self.__dict__.values()):
                self._own(value)
            self._streams = make_streams(cast("Optimizer", self))

    return build_and_stream


class _State(Configurable):
    """Arguments and variables of an optimizer: all but the steps."""

    # Whether the rule of this very class is known to be elementwise, which is otherwise found by trying it.
    _elementwise = False

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__
        if kwargs:
            raise ValueError(f"[{owner}] unknown arguments: {', '.join(kwargs)}.")
        if gradient_accumulation_steps and not gradient_accumulation_steps >= 2:
            raise ValueError(
                f"[{owner}] `gradient_accumulation_steps` is {gradient_accumulation_steps}; it must be >= 2."
            )
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ValueError(f"[{owner}] `ema_momentum` is {ema_momentum}; it must lie in [0, 1].")
        if (
            use_ema
            and ema_overwrite_frequency
            and not (isinstance(ema_overwrite_frequency, int) and ema_overwrite_frequency >= 1)
        ):
            raise ValueError(
                f"[{owner}] `ema_overwrite_frequency` is {ema_overwrite_frequency}; it must be an int >= 1."
            )
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        if sum(value is not None for value in clips.values()) > 1:
            raise ValueError(f"[{owner}] only one of the clips can be set; these came: {clips}.")
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._trainable_variables_indices: dict[int, int] = {}
        self._reference_of: dict[int, int] = {}  # id of a slot -> id of its variable
        self._excluded: tuple[set[int], Any] = (set(), None)
        self._decays: dict[int, bool] = {}
        self._streams: list[Stream] | None = None
        self._build_depth = 0
        self.built = False
        self.name = name or auto_name(owner)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._iterations = self.add_variable((), dtype="int32", name="iteration")
        self._learning_rate = self._as_rate(learning_rate)

    def _as_rate(self, learning_rate: Any) -> Any:
        if callable(learning_rate) or isinstance(learning_rate, Variable):
            return learning_rate
        try:
            value = float(learning_rate)
        except (TypeError, ValueError):
            raise ValueError(
                f"[{type(self).__name__}] `learning_rate` is {learning_rate!r}; it must be a number, a "
                "LearningRateSchedule, or a function without arguments."
            ) from None
        return self.add_variable((), initializers.Constant(value), dtype=floatx(), name="learning_rate")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _then_stream(cls.__dict__["build"])  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in UNOWNED:
            self._own(value)
        super().__setattr__(name, value)

    def _own(self, value: Any) -> None:
        """Count variables that a subclass made for itself among `variables`."""
        for item in value if type(value) in (list, tuple) else (value,):
            if isinstance(item, Variable) and id(item) not in self._trainable_variables_indices:
                known = self.__dict__.get("_variables")
                if known is None:
                    raise RuntimeError(f"[{type(self).__name__}] call `super().__init__()` first in your `__init__`.")
                if not any(item is other for other in known):
                    known.append(item)

    # State

    @property
    def variables(self) -> list[Variable]:
        """The optimizer's own state: iteration, learning rate, then the slots of each variable."""
        return self._variables[:]

    @property
    def iterations(self) -> Any:
        """Number of updates so far."""
        steps = self.gradient_accumulation_steps
        return ops.floor_divide(self._iterations, steps) if steps else self._iterations

    @property
    def learning_rate(self) -> Any:
        """The rate at the present step: a variable where it was given as a number. It can be set."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        present = self._learning_rate
        if callable(learning_rate) and not isinstance(learning_rate, Variable):
            if isinstance(present, Variable):
                self._variables[:] = [variable for variable in self._variables if variable is not present]
            self._learning_rate = learning_rate
        elif isinstance(present, Variable):
            present.assign(learning_rate)
        else:
            raise TypeError(
                f"[{self.name}] the learning rate is {present!r}, which decides it at every step, so that it cannot be "
                "set to a number. Make the optimizer with a number as `learning_rate` to set it later."
            )

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state for these trainable variables; called by the first `apply`."""
        variables = list(variables)
        super().__setattr__("_trainable_variables", variables)
        self._trainable_variables_indices = {id(variable): i for i, variable in enumerate(variables)}
        if self.use_ema:
            setattr(self, AVERAGES, self.add_optimizer_variables(variables, "average"))
        if self.gradient_accumulation_steps:
            accumulators = [self.add_variable_from_reference(v, "gradient_accumulator") for v in variables]
            setattr(self, ACCUMULATORS, accumulators)
        self.built = True

    build = _then_stream(build)

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: None = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the optimizer's own. `layout`, how Keras spreads a variable over devices, must be None."""
        if layout is not None:
            raise ValueError(
                f"[{type(self).__name__}] add_variable got `layout` {layout!r}; variables are on one device, so "
                "it must be None."
            )
        variable = Variable(
            initializer=initializers.get(initializer),
            shape=tuple(shape),
            dtype=dtype or floatx(),
            trainable=False,
            aggregation=aggregation,
            name=name,
        )
        variable.path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Make a slot: a variable of the shape and dtype of `reference_variable`."""
        path = str(getattr(reference_variable, "path", reference_variable.name)).replace("/", "_").replace(":", "_")
        slot = self.add_variable(
            reference_variable.shape, initializer, dtype=reference_variable.dtype, name=f"{path}_{name or 'var'}"
        )
        self._reference_of[id(slot)] = id(reference_variable)
        return slot

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Make one slot for each variable (None where it is overwritten by its gradient) and return their list.

        With several names, and one initializer or one each, the lists of the slots of each name.
        """
        names = [name] if isinstance(name, str) else list(name)
        several = isinstance(initializer, (list, tuple))
        starts = list(initializer) if several else [initializer] * len(names)
        if len(starts) != len(names):
            raise ValueError(
                f"[{self.name}] `name` has {len(names)} items and `initializer` {len(starts)}: {name}, {initializer}."
            )
        slots: tuple[list[Any], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for found, slot_name, start in zip(slots, names, starts, strict=True):
                made = (
                    None if is_overwritten(variable) else self.add_variable_from_reference(variable, slot_name, start)
                )
                found.append(made)
        return slots[0] if isinstance(name, str) else slots

    def _get_variable_index(self, variable: Variable) -> int:
        return self._trainable_variables_indices[id(variable)]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of `variables`."""
        if not self.built:
            raise ValueError(f"[{self.name}] call `optimizer.build(variables)` before `set_weights`.")
        own = self.variables
        if len(weights) != len(own):
            raise ValueError(
                f"[{self.name}] `weights` has {len(weights)} items; the optimizer has {len(own)} variables."
            )
        for variable, weight in zip(own, weights, strict=True):
            if tuple(variable.shape) != tuple(weight.shape):
                raise ValueError(
                    f"[{self.name}] {variable.name} has shape {tuple(variable.shape)}; {tuple(weight.shape)} came."
                )
            variable.assign(weight)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Put the values of `variables` into `store`, by their number."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store: Any) -> None:
        """Take the values of `variables` from what `save_own_variables` stored."""
        own = self.variables
        if len(store.keys()) != len(own):
            warnings.warn(
                f"[{self.name}] the saved optimizer has {len(store.keys())} variables and this one {len(own)}; "
                "its state is not loaded.",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(own):
            variable.assign(store[str(i)])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make an equal optimizer; its state is not among them."""
        rate = self._learning_rate
        known = float(ops.convert_to_numpy(rate)) if isinstance(rate, Variable) else serialize_keras_object(rate)
        return super().get_config() | {"learning_rate": known}
