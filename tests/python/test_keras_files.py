"""Keras 3's files: what Keras wrote loads here, what we write loads there, and a hostile file is refused."""

import importlib.util
import io
import json
import os
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import falconet as keras
from falconet import layers

GOLDEN = Path(__file__).parent.parent / "golden"
sys.path.insert(0, str(GOLDEN))
import keras_file_models as files  # noqa: E402
from make_golden_files import read, write  # noqa: E402

h5py = pytest.importorskip("h5py", reason="h5py is not installed (pip install 'falconet[keras]')")
KERAS = GOLDEN / "files" / "keras-3.15.1"
OWN = GOLDEN / "files" / "falconet-0.1.0"
# float32 on both sides, sums of at most 12 terms of order one, five layers deep: 5 * 12 * 2^-24 = 3.6e-6
TOLERANCE = dict(rtol=4e-6, atol=4e-6)


def keras_python():
    """An interpreter that has Keras 3: FALCONET_KERAS_PYTHON, or this one."""
    given = os.environ.get("FALCONET_KERAS_PYTHON")
    return given or (sys.executable if importlib.util.find_spec("keras") else None)


def check(found, expected, states=True):
    np.testing.assert_allclose(found["predict"], expected["predict"], **TOLERANCE)
    if states:
        assert found["iterations"] == expected["iterations"]
        np.testing.assert_allclose(found["slots"], expected["slots"], rtol=1e-5, atol=1e-7)


def test_files_of_keras_load_here():
    expected = json.loads((KERAS / "expected.json").read_text())
    found = read(keras, str(KERAS))
    assert set(found) == {"sequential", "functional", "custom"}
    for name, (whole, weights) in found.items():
        check(whole, expected[name])
        check(weights, expected[name])


def test_our_files_load_in_keras(tmp_path):
    python = keras_python()
    if python is None:
        pytest.skip("Keras is not installed here; FALCONET_KERAS_PYTHON may name an interpreter that has it")
    write(keras, str(tmp_path))
    done = subprocess.run([python, GOLDEN / "make_golden_files.py", "read", tmp_path], capture_output=True, text=True,
                          timeout=300, env={**os.environ, "KERAS_BACKEND": "jax"})  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    expected = json.loads((tmp_path / "expected.json").read_text())
    for name, (whole, weights) in json.loads(done.stdout).items():
        check(whole, expected[name])
        check(weights, expected[name])


def test_our_archives_come_back_exactly(tmp_path):
    write(keras, str(tmp_path))
    for name, make in files.MODELS.items():
        _, shapes, outputs = make(keras)
        x, y = files.arrays(shapes, outputs)
        one, two = (keras.models.load_model(tmp_path / f"{name}.keras") for _ in range(2))
        two.save(tmp_path / "again.keras")
        two = keras.models.load_model(tmp_path / "again.keras")
        histories = [m.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history for m in (one, two)]
        assert histories[0] == histories[1]  # seeds of dropout and noise came along
        with zipfile.ZipFile(tmp_path / "again.keras") as archive:
            assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]


@pytest.mark.parametrize("name", files.MODELS)
def test_files_of_this_release_load(name, tmp_path):
    """Files written by release 0.1.0: every later release must read them."""
    files.block_class(keras)
    expected = json.loads((OWN / "expected.json").read_text())[name]
    make = files.MODELS[name]
    fresh, shapes, outputs = make(keras)
    x, y = files.arrays(shapes, outputs)
    model = keras.models.load_model(OWN / f"{name}.falconet")
    fresh.load_weights(OWN / f"{name}.weights.falconet")
    from make_golden_files import results

    check(results(model, x), expected)
    check({"predict": files.flat(fresh.predict(x))}, expected, states=False)
    backup = tmp_path / "training.backup"
    backup.write_bytes((OWN / f"{name}.backup" / "training.backup").read_bytes())
    fresh, _, _ = make(keras)
    losses = fresh.fit(x, y, batch_size=4, epochs=3, verbose=0,
                       callbacks=[keras.callbacks.BackupAndRestore(tmp_path)]).history["loss"]  # fmt: skip
    np.testing.assert_allclose(losses, expected["loss"], **TOLERANCE)


def small():
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2), layers.BatchNormalization()])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    return model


def test_names_decide_what_is_written(tmp_path):
    model = small()
    begins = {}
    for name in ("m.keras", "m.falconet", "m"):
        model.save(tmp_path / name)
        begins[name] = (tmp_path / name).read_bytes()[:2] == b"PK"
        keras.models.load_model(tmp_path / name)
    assert begins == {"m.keras": True, "m.falconet": False, "m": False}
    model.save(tmp_path / "z", zipped=True)
    model.save(tmp_path / "n.keras", zipped=False)
    assert zipfile.is_zipfile(tmp_path / "z") and not zipfile.is_zipfile(tmp_path / "n.keras")
    with pytest.raises(ValueError, match="use a name that ends in .keras"):
        model.save(tmp_path / "m.h5")
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match="an HDF5 file holds weights here"):
        keras.models.load_model(tmp_path / "m.weights.h5")


def test_without_h5py(tmp_path, monkeypatch):
    model = small()
    model.save(tmp_path / "k.keras")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'falconet\[keras\]'"):
        keras.models.load_model(tmp_path / "k.keras")
    with pytest.raises(ImportError, match=r"pip install 'falconet\[keras\]'"):
        model.save(tmp_path / "z", zipped=True)


def test_weights_that_do_not_fit(tmp_path):
    small().save_weights(tmp_path / "m.weights.h5")
    other = keras.Sequential([layers.Input((3,)), layers.Dense(4), layers.BatchNormalization()])
    before = other.get_weights()
    with pytest.raises(ValueError, match=r'" has shape \(3, 4\) and \(3, 2\) in the file, at layers/dense/vars/0'):
        other.load_weights(tmp_path / "m.weights.h5")
    with pytest.warns(UserWarning, match="It keeps its values"):
        other.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    more = keras.Sequential([layers.Input((3,)), layers.Dense(2), layers.BatchNormalization(), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"layers/dense_1\) has 2 variables and the file 0"):
        more.load_weights(tmp_path / "m.weights.h5")


# --- hostile files ---------------------------------------------------------------------------------------------------


def parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of a name that comes twice
        for name, data in members:
            target.writestr(name, data)
    return path


@pytest.fixture
def good(tmp_path):
    small().save(tmp_path / "good.keras")
    return parts(tmp_path / "good.keras")


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "assets/a/b.txt", "config.json/", "C:\\x", "model.py"])
def test_other_members_are_refused(good, tmp_path, name):
    path = archive(tmp_path / "m.keras", [*good.items(), (name, b"x")])
    with pytest.raises(ValueError, match="the archive has a member|not a .keras archive"):
        keras.models.load_model(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["good.keras", "m.keras"]


def test_bombs_doubles_and_gaps(good, tmp_path):
    bomb = {**good, "config.json": b" " * (1 << 24)}
    with pytest.raises(ValueError, match="would expand from"):
        keras.models.load_model(archive(tmp_path / "b", bomb.items(), zipfile.ZIP_DEFLATED))
    with pytest.raises(ValueError, match="occurs twice"):
        keras.models.load_model(archive(tmp_path / "d", [*good.items(), ("config.json", good["config.json"])]))
    for name in ("config.json", "model.weights.h5"):
        with pytest.raises(ValueError, match=f"the archive lacks {name}"):
            keras.models.load_model(archive(tmp_path / "l", [(k, v) for k, v in good.items() if k != name]))


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff\xfe", b'{"class_name": 3}', b"[" * 100_000])
def test_bad_configurations(good, tmp_path, text):
    path = archive(tmp_path / "m.keras", {**good, "config.json": text}.items())
    with pytest.raises((ValueError, TypeError)):
        keras.models.load_model(path)


def test_code_in_a_configuration_is_refused(good, tmp_path):
    config = json.loads(good["config.json"])
    code = {"class_name": "__lambda__", "config": {"value": "gIAA", "defaults": None, "closure": None}}
    config["config"]["layers"].append({
        "module": "keras.layers", "class_name": "Lambda", "registered_name": None,
        "config": {"name": "lambda", "function": code, "arguments": {}},
    })  # fmt: skip
    path = archive(tmp_path / "m.keras", {**good, "config.json": json.dumps(config)}.items())
    for safe_mode in (True, False):
        with pytest.raises((ValueError, TypeError), match="never runs code from a file"):
            keras.models.load_model(path, safe_mode=safe_mode)
    config["config"]["layers"][-1] = {"module": "os", "class_name": "system", "config": {}, "registered_name": None}
    path = archive(tmp_path / "m.keras", {**good, "config.json": json.dumps(config)}.items())
    with pytest.raises((ValueError, TypeError), match="there is no class 'system'"):
        keras.models.load_model(path)


def test_a_small_file_makes_no_large_model(good, tmp_path):
    config = json.loads(good["config.json"])
    config["config"]["layers"][1]["config"]["units"] = 1 << 40
    path = archive(tmp_path / "m.keras", {**good, "config.json": json.dumps(config)}.items())
    with pytest.raises((ValueError, TypeError), match="is larger than what the file holds"):
        keras.models.load_model(path)


def changed(good, change):
    buffer = io.BytesIO(good["model.weights.h5"])
    with h5py.File(buffer, "a") as file:
        change(file)
    return {**good, "model.weights.h5": buffer.getvalue()}


def replace(make):
    def change(file):
        del file["layers/dense/vars/0"]
        make(file["layers/dense/vars"])

    return change


HOSTILE = {
    "external link": (replace(lambda g: g.__setitem__("0", h5py.ExternalLink("/etc/passwd", "/"))), "is a link"),
    "soft link": (replace(lambda g: g.__setitem__("0", h5py.SoftLink("/layers/dense/vars/1"))), "is a link"),
    "external data": (
        replace(lambda g: g.create_dataset("0", (3, 2), "f4", external=[("/etc/passwd", 0, 24)])),
        "not an ordinary data set",
    ),
    "huge shape": (
        replace(lambda g: g.create_dataset("0", (1 << 40, 2), "f4", chunks=(1024, 2))), r"and \(1099511627776, 2\)"
    ),
    "text": (replace(lambda g: g.create_dataset("0", data=np.full((3, 2), b"x"))), "it must hold numbers"),
    "a group": (replace(lambda g: g.create_group("0")), "not an ordinary data set"),
    "one too many": (
        lambda file: file["layers/dense/vars"].create_dataset("2", data=1.0), "2 variables and the file 3"
    ),
    "no group": (lambda file: file.__delitem__("layers/dense"), "2 variables and the file 0"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_weights(good, tmp_path, kind):
    change, message = HOSTILE[kind]
    members = changed(good, change)
    with pytest.raises(ValueError, match=message):
        keras.models.load_model(archive(tmp_path / "m.keras", members.items()))
    weights = tmp_path / "m.weights.h5"
    weights.write_bytes(members["model.weights.h5"])
    with pytest.raises(ValueError, match=message):
        small().load_weights(weights)


def test_truncated_and_changed_archives(good, tmp_path):
    small().save(tmp_path / "whole.keras")
    data = (tmp_path / "whole.keras").read_bytes()
    path = tmp_path / "cut.keras"
    for length in [*range(0, len(data), 997), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ValueError):
            keras.models.load_model(path)
    weights = tmp_path / "cut.weights.h5"
    whole = good["model.weights.h5"]
    model = small()
    for length in range(0, len(whole), 1499):
        weights.write_bytes(whole[:length])
        with pytest.raises(ValueError):
            model.load_weights(weights)
    wrong = bytearray(data)
    at = data.index(b'"units"')
    wrong[at + 9] ^= 1
    path.write_bytes(wrong)
    with pytest.raises(ValueError, match="is broken"):
        keras.models.load_model(path)
