"""Images between files and arrays; files from the network."""

import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest

from falconet import utils


def picture(channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (5, 7, channels)).astype("float32")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_round_trip(tmp_path, channels):
    pytest.importorskip("PIL", reason="Pillow is not installed (pip install 'falconet[images]')")
    x = picture(channels)
    np.testing.assert_array_equal(utils.img_to_array(utils.array_to_img(x, scale=False)), x)
    first = x.transpose(2, 0, 1)
    image = utils.array_to_img(first, data_format="channels_first", scale=False)
    np.testing.assert_array_equal(utils.img_to_array(image, data_format="channels_first"), first)
    utils.save_img(tmp_path / "x.png", x, scale=False)
    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]
    np.testing.assert_array_equal(utils.img_to_array(utils.load_img(tmp_path / "x.png", color_mode=mode)), x)
    stretched = utils.img_to_array(utils.array_to_img(x / 7 - 3))
    assert stretched.min() == 0 and stretched.max() == 255
    assert utils.img_to_array(image, dtype="uint8").dtype == np.uint8
    utils.save_img(tmp_path / "x.jpg", x, quality=95)
    assert utils.load_img(tmp_path / "x.jpg").mode == "RGB"


def test_resizing(tmp_path):
    pytest.importorskip("PIL", reason="Pillow is not installed (pip install 'falconet[images]')")
    x = np.zeros((4, 8, 1), "float32")
    x[:, 2:6] = 200
    utils.save_img(tmp_path / "x.png", x, scale=False)
    squeezed = utils.load_img(tmp_path / "x.png", "grayscale", target_size=(4, 4))
    cut = utils.load_img(tmp_path / "x.png", "grayscale", target_size=(4, 4), keep_aspect_ratio=True)
    assert utils.img_to_array(squeezed)[0, :, 0].tolist() == [0, 200, 200, 0]
    assert utils.img_to_array(cut)[0, :, 0].tolist() == [200] * 4
    assert utils.load_img(tmp_path / "x.png", target_size=(3, 2), interpolation="bilinear").size == (2, 3)


def test_png_needs_no_pillow(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "PIL", None)
    utils.save_img(tmp_path / "x.png", picture(3))
    buffer = io.BytesIO()
    utils.save_img(buffer, picture(3), file_format="png")
    assert buffer.getvalue() == (tmp_path / "x.png").read_bytes()
    with pytest.raises(ImportError, match=r"pip install 'falconet\[images\]'"):
        utils.save_img(tmp_path / "x.jpg", picture(3))


def test_bad_images(tmp_path):
    pytest.importorskip("PIL", reason="Pillow is not installed (pip install 'falconet[images]')")
    for call, message in (
        (lambda: utils.array_to_img(np.zeros((2, 2))), "must have three axes"),
        (lambda: utils.array_to_img(np.zeros((2, 2, 5))), "has 5 channels"),
        (lambda: utils.img_to_array(np.zeros(3)), "two or three axes"),
        (lambda: utils.save_img(tmp_path / "x.png", np.zeros((2, 2, 1)), data_format="last"), "`data_format` must be"),
        (lambda: utils.load_img(tmp_path / "x.png", color_mode="blue"), "`color_mode` must be"),
        (lambda: utils.load_img(tmp_path / "x.png", interpolation="guess"), "`interpolation` must be"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# --- get_file --------------------------------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"hello")
    return (tmp_path / "a.txt").as_uri(), hashlib.sha256(b"hello").hexdigest(), hashlib.md5(b"hello").hexdigest()


def test_files_are_fetched_once_and_checked(tmp_path, source):
    origin, sha, md5 = source
    cache = tmp_path / "cache"
    path = utils.get_file(origin=origin, cache_dir=cache, file_hash=sha)
    assert path == str(cache / "datasets" / "a.txt") and (cache / "datasets" / "a.txt").read_bytes() == b"hello"
    (cache / "datasets" / "a.txt").write_bytes(b"kept")
    utils.get_file("a.txt", origin, cache_dir=cache)
    assert (cache / "datasets" / "a.txt").read_bytes() == b"kept"
    utils.get_file("a.txt", origin, cache_dir=cache, md5_hash=md5)  # not what it should be: again
    assert (cache / "datasets" / "a.txt").read_bytes() == b"hello"
    (cache / "datasets" / "a.txt").write_bytes(b"kept")
    utils.get_file("a.txt", origin, cache_dir=cache, force_download=True, cache_subdir="datasets")
    assert (cache / "datasets" / "a.txt").read_bytes() == b"hello"


def test_a_wrong_hash_leaves_nothing(tmp_path, source):
    with pytest.raises(ValueError, match="does not have the hash"):
        utils.get_file("b", source[0], cache_dir=tmp_path, file_hash="0" * 64)
    assert list((tmp_path / "datasets").iterdir()) == []
    with pytest.raises(OSError, match="could not be fetched"):
        utils.get_file("b", (tmp_path / "nowhere").as_uri(), cache_dir=tmp_path)


def packed(path, kind, name="in/x.txt"):
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "x")
    else:
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    return path.as_uri()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives(tmp_path, kind):
    folder = utils.get_file("data.bin", packed(tmp_path / "p", kind), cache_dir=tmp_path / "c", extract=True)
    assert folder.endswith("data_extracted")
    assert (tmp_path / "c" / "datasets" / "data_extracted" / "in" / "x.txt").read_text() == "x"
    wrong = "tar" if kind == "zip" else "zip"
    with pytest.raises(ValueError, match="is not an archive of the format"):
        utils.get_file("data.bin", "file://x", cache_dir=tmp_path / "c", extract=True, archive_format=wrong)


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../x.txt", "a/../../x.txt", "/tmp/x.txt"])
def test_archives_that_reach_out(tmp_path, kind, name):
    with pytest.raises(ValueError, match="would be written outside its folder"):
        utils.get_file("d", packed(tmp_path / "p", kind, name), cache_dir=tmp_path / "c", extract=True)
    assert not list(tmp_path.rglob("x.txt"))


def test_links_in_archives(tmp_path):
    with tarfile.open(tmp_path / "p", "w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ValueError, match="is a link or device"):
        utils.get_file("d", (tmp_path / "p").as_uri(), cache_dir=tmp_path / "c", untar=True)


def test_bad_requests(tmp_path):
    for arguments, message in (
        ({"origin": None}, "`origin` must be a URL"),
        ({"origin": "https://host/"}, "name of a file without folders"),
        ({"origin": "https://x/y", "fname": "../z"}, "name of a file without folders"),
        ({"origin": "https://x/y", "hash_algorithm": "crc"}, "`hash_algorithm` must be"),
        ({"origin": "https://x/y", "archive_format": "rar"}, "`archive_format` must be"),
    ):
        with pytest.raises(ValueError, match=message):
            utils.get_file(cache_dir=tmp_path, **arguments)
