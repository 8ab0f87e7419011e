import numpy as np
import pytest
from keras_golden import load

from falconet import activations, constraints, dtypes, initializers, losses, metrics, optimizers, regularizers, tree
from falconet.saving import registration, serialization
from falconet.saving.configurable import Configurable

read, write = serialization.deserialize_keras_object, serialization.serialize_keras_object


def covers(found, wanted):
    """Whether `found` says all that `wanted` says; it may hold more arguments."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and covers(found[key], wanted[key]) for key in wanted)
    return found == pytest.approx(wanted) if isinstance(wanted, float) else found == wanted


@pytest.mark.parametrize("config", load("configs"), ids=lambda c: str(c["class_name"] if isinstance(c, dict) else c))
def test_configs_of_keras_are_read_and_written_back(config):
    found = write(read(config))
    assert covers(found, config), f"{found} lacks something of {config}"


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.5, "text", [1, [2, "a"]], {"a": {"b": 1}}, np.arange(3.0), b"bytes", slice(1, None, 2), Ellipsis],
    ids=str,
)
def test_plain_values(value):
    again = read(write(value))
    if isinstance(value, np.ndarray):
        np.testing.assert_array_equal(again, value)
        assert again.dtype == value.dtype
    else:
        assert again == value


class Scaled(Configurable):
    def __init__(self, factor, *, shift=0.0, inner=None, **kwargs):
        self.factor = factor
        self.inner = inner
        self.kept = kwargs


def test_config_is_read_off_the_constructor():
    made = Scaled(2.0, inner=initializers.Ones(), extra=5)
    made.factor = 3.0
    config = made.get_config()
    assert config == {"factor": 3.0, "shift": 0.0, "inner": made.inner, "extra": 5}
    registration.register_keras_serializable(package="test")(Scaled)
    again = read(write(made))
    assert (again.factor, again.kept) == (3.0, {"extra": 5})
    assert isinstance(again.inner, initializers.Ones)
    assert write(made)["registered_name"] == "test>Scaled"


def test_own_objects_must_be_made_known():
    class Unknown(Configurable):
        def __init__(self, x=1):
            self.x = x

    config = write(Unknown(4))
    with pytest.raises(TypeError, match="no class 'Unknown'.*register_keras_serializable"):
        read(config)
    assert read(config, custom_objects={"Unknown": Unknown}).x == 4
    with registration.CustomObjectScope({"Unknown": Unknown}):
        assert read(config).x == 4
    with pytest.raises(TypeError):
        read(config)


def test_registered_function():
    @registration.register_keras_serializable(package="test", name="twice")
    def double(x):
        return 2 * x

    assert registration.get_registered_name(double) == "test>twice"
    assert registration.get_registered_object("test>twice") is double
    assert read(write(double)) is double
    assert activations.get("test>twice") is double
    assert read(activations.serialize(double)) is double


@pytest.mark.parametrize(
    "config",
    [
        {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None},
        {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
        {"module": "keras.losses", "class_name": "Popen", "config": {}, "registered_name": None},
        {"module": "falconet.saving.serialization", "class_name": "CustomObjectScope", "config": {}},
        {"module": "numpy", "class_name": "MeanSquaredError", "config": {}, "registered_name": None},
    ],
    ids=lambda c: f"{c['module']}.{c['class_name']}",
)
def test_nothing_is_looked_up_in_modules(config):
    with pytest.raises(TypeError, match="there is no"):
        read(config)


def test_lambdas_are_neither_written_nor_read():
    with pytest.raises(ValueError, match="lambda cannot be saved"):
        write(lambda x: x)
    for safe_mode in (True, False):
        with pytest.raises(ValueError, match="never runs code"):
            read({"class_name": "__lambda__", "config": {"value": ["", None, None]}}, safe_mode=safe_mode)


def test_shared_objects_stay_shared():
    one = regularizers.L2(0.5)
    with serialization.ObjectSharingScope():
        config = write([one, one, regularizers.L2(0.5)])
    with serialization.ObjectSharingScope():
        a, b, c = read(config)
    assert a is b
    assert a is not c


def test_every_object_is_found_again():
    for space in (activations, constraints, initializers, losses, metrics, optimizers, regularizers):
        for name in space.__all__:
            found = getattr(space, name)
            if isinstance(found, type):
                assert registration.builtin_place(found) is not None, name


def test_errors_of_objects_without_config():
    with pytest.raises(TypeError, match="no `get_config`"):
        write(object())
    with pytest.raises(TypeError, match="could not be rebuilt.*no_such"):
        read({"module": "keras.regularizers", "class_name": "L2", "config": {"no_such": 1}, "registered_name": None})


def test_tree():
    structure = {"b": [1, (2, None)], "a": 3}
    assert tree.flatten(structure) == [3, 1, 2, None]
    assert tree.pack_sequence_as(structure, "wxyz") == {"b": ["x", ("y", "z")], "a": "w"}
    assert tree.map_structure(lambda x, y: (x, y), [1, (2,)], [3, (4,)]) == [(1, 3), ((2, 4),)]
    assert tree.map_structure(lambda x: x, None, none_is_leaf=False) is None
    assert tree.flatten_with_path({"a": [5]}) == [(("a", 0), 5)]
    assert tree.lists_to_tuples([1, [2]]) == (1, (2,))
    assert tree.map_shape_structure(sum, {"x": (1, 2), "y": [(3, 4)]}) == {"x": 3, "y": [7]}
    assert tree.traverse(lambda s: tree.MAP_TO_NONE if s == 2 else None, [1, [2]]) == [1, [None]]
    assert tree.map_structure_up_to([None, [None]], len, [[1, 1], [[2]]]) == [2, [1]]
    tree.assert_same_paths([0, 1], (2, 3))
    for other in ([1], (1, 2), {"a": 1}, [1, [2]]):
        with pytest.raises(ValueError):
            tree.assert_same_structure([1, 2], other)
    with pytest.raises(ValueError, match="3 items; `structure` has 2"):
        tree.pack_sequence_as([0, 0], [1, 2, 3])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (("int32", "float32"), "float32"),
        (("int8", "uint8"), "int16"),
        (("bfloat16", "float16"), "float32"),
        (("float16", float), "float16"),
        (("bool", int), "int32"),
        (("uint8", int), "uint8"),
        (("int64", float), "float32"),
        (("float32", "float64"), "float64"),
        (("uint32", "int32"), "int64"),
        ((np.dtype("int16"), np.float32), "float32"),
        ((None,), "float32"),
        (("bool", "bool"), "bool"),
        ((), "float32"),
    ],
)
def test_promotion(given, wanted):
    assert dtypes.result_type(*given) == wanted


def test_dtype_names():
    assert [dtypes.standardize_dtype(d) for d in (int, bool, np.float64, np.dtype("uint8"), "int")] == [
        "int32",
        "bool",
        "float64",
        "uint8",
        "int32",
    ]
    with pytest.raises(ValueError, match="'float31'"):
        dtypes.standardize_dtype("float31")
