"""A key that may not or cannot sign, at the command line: one line that says what is wrong, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from PIL import Image

from api.cli.app import run
from keys.authority import Issued
from keys.keystore import init_development
from keys.signers.file import key_path, write_key
from provenance.store import Objects, Registry, connect
from tests.keys import softhsm
from tests.keys.conftest import Lab

pytestmark = pytest.mark.slow
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def now_lab() -> tuple[Lab, Issued]:
    lab = Lab(datetime.now(UTC))
    return lab, lab.ca("issuer", lab.ca("root"), path_length=0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, now_lab: tuple[Lab, Issued]) -> Path:
    """A home with keys that are each wrong in one way."""
    folder = tmp_path_factory.mktemp("home")
    keys = init_development(folder / "keys", now=datetime.now(UTC)).folder
    lab, issuer = now_lab

    def put(name: str, leaf: Issued) -> Path:
        path = key_path(keys, name)
        write_key(path, leaf.key, (leaf.certificate, issuer.certificate))
        return path

    put("expired", lab.issue("ended", issuer, start=-90 * DAY, end=-DAY))
    put("early", lab.issue("to come", issuer, start=DAY, end=80 * DAY))  # as when a clock was set back
    mixed, other = lab.issue("one", issuer), lab.issue("another", issuer)
    path = put("mixed", mixed)
    mine, theirs = (one.certificate.public_bytes(Encoding.PEM) for one in (mixed, other))
    assert mine in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(mine, theirs))
    put("locked", lab.issue("secret lost", issuer)).with_suffix(".secret").write_text("not the secret at all, but as long as one")
    return folder


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with softhsm.token(tmp_path_factory.mktemp("hsm"), ("es256",)) as ref:
        if ref is None:
            pytest.skip("SOFTHSM MISSING: apt-get install softhsm2 (or set COLOPHON_TEST_PKCS11)")
        yield ref.format("es256", "es256")


@pytest.fixture
def refused(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Try to sign with a key; gives the one line that was said."""
    (tmp_path / "out").mkdir()
    Image.new("RGB", (320, 240), (90, 120, 60)).save(tmp_path / "photo.jpg")

    def attempt(ref: str) -> str:
        out = str(tmp_path / "out" / "signed.jpg")
        asked = [str(tmp_path / "photo.jpg"), "-o", out, "--key", ref, "--mark", "none", "--offline", "--home", str(home)]
        capfd.readouterr()
        assert run(["sign", *asked]) == 1
        told = capfd.readouterr()
        assert told.out == ""
        (line,) = told.err.splitlines()
        assert list((tmp_path / "out").iterdir()) == []
        if (home / "colophon.db").exists():
            engine = connect(f"sqlite:///{home / 'colophon.db'}")
            assert Registry(engine, Objects(home / "objects")).manifest_labels() == ()
            engine.dispose()
        return line.removeprefix("colophon: ")

    return attempt


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("expired", "expired on"),
        ("early", "is valid only from"),
        ("mixed", "does not belong to the private key"),
        ("locked", "secret"),
        ("nobody", "no such key"),
        ("pkcs11:object=x?module-path=/nowhere.so", "/nowhere.so"),
    ],
)
def test_a_key_that_does_not_serve(refused: Callable[[str], str], key: str, why: str) -> None:
    assert why in refused(key)


def test_a_wrong_pin(home: Path, token: str, tmp_path: Path) -> None:
    """In a process of its own: the module reads where its tokens lie when the first worker starts."""
    pin, out = tmp_path / "pin", tmp_path / "out.jpg"
    pin.write_text("9999")
    pin.chmod(0o600)
    Image.new("RGB", (320, 240), (90, 120, 60)).save(tmp_path / "photo.jpg")
    ref = f"{token[: token.index('&pin-source')]}&pin-source=file:{pin}"
    asked = [
        "sign",
        str(tmp_path / "photo.jpg"),
        "-o",
        str(out),
        "--key",
        ref,
        "--mark",
        "none",
        "--offline",
        "--home",
        str(home),
    ]
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "api.cli", *asked], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, out.exists()) == (1, "", False)
    (line,) = done.stderr.splitlines()
    assert "PIN is wrong" in line
    assert "9999" not in line
