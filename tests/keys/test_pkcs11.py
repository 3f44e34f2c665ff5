"""Keys in a module, on a real SoftHSM2; its tests are skipped, loudly, where it is absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pkcs11
import pytest

from keys.algorithms import verify
from keys.errors import KeysError, SignerUnavailableError, SigningRefusedError, UnknownSignerError
from keys.signer import load
from keys.signers.pkcs11 import Pkcs11Signer, Pkcs11Uri
from tests.keys import softhsm

ALGORITHMS = ("es256", "es384", "ps256", "ed25519")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of a token that holds one key of each kind, its PIN in a file; gives everything but the key's name."""
    with softhsm.token(tmp_path_factory.mktemp("hsm"), ALGORITHMS) as ref:
        if ref is None:
            pytest.skip("SOFTHSM MISSING: apt-get install softhsm2 (or set COLOPHON_TEST_PKCS11)")
        yield ref


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signatures_hold(token: str, alg: str) -> None:
    ref = token.format(alg, alg)
    with closing(Pkcs11Signer.load(ref)) as signer, closing(Pkcs11Signer.load(ref)) as second:
        assert signer.alg == alg
        for data in (b"", b"claim" * 300):
            assert verify(signer.chain[0].public_key(), alg, signer.sign(data), data)
            assert verify(signer.chain[0].public_key(), alg, second.sign(data), data)


def test_another_keys_certificate(token: str) -> None:
    with pytest.raises(KeysError):
        load(token.format("es256", "es384"), folder=Path())


def test_what_is_missing(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = token.format("es256", "es256")
    for bad in (ref.replace("object=es256", "object=none"), ref.replace("token=studio", "token=other")):
        with pytest.raises(UnknownSignerError, match="no such"):
            load(bad, folder=Path())
    pin = tmp_path / "pin"
    pin.write_text("9999")
    pin.chmod(0o600)
    with pytest.raises(SigningRefusedError, match="PIN is wrong"):
        load(ref[: ref.index("&pin-source")] + f"&pin-source=file:{pin}", folder=Path())
    monkeypatch.setenv("COLOPHON_PKCS11_PIN", "1234")
    with closing(Pkcs11Signer.load(ref[: ref.index("&pin-source")])) as signer:
        assert signer.alg == "es256"
    monkeypatch.delenv("COLOPHON_PKCS11_PIN")
    with pytest.raises(KeysError):
        load(ref[: ref.index("&pin-source")], folder=Path())
    with pytest.raises(SignerUnavailableError):
        load("pkcs11:object=x?module-path=/nowhere.so", folder=Path())


def test_a_token_that_is_not_ready(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SoftHSM never locks a token: what a module that does says is said for it, at the border of python-pkcs11."""
    for says, code in ((pkcs11.exceptions.PinLocked, "locked"), (pkcs11.exceptions.UserPinNotInitialized, "pin")):

        def answer(*_: object, error: type[Exception] = says) -> None:
            raise error

        monkeypatch.setattr("keys.signers.pkcs11._session", answer)
        with pytest.raises(SigningRefusedError) as caught:
            load(token.format("es256", "es256"), folder=Path())
        assert caught.value.code == code


def test_a_module_that_is_none(tmp_path: Path) -> None:
    for name, content in (("empty.so", b""), ("text.so", b"not a library"), ("missing.so", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(SignerUnavailableError, match=name):
            load(f"pkcs11:object=x?module-path={tmp_path / name}", folder=Path())
    with pytest.raises(UnknownSignerError, match="module-path"):
        load("pkcs11:object=x", folder=Path())


@pytest.mark.parametrize(
    "text",
    ["pkcs11:", "pkcs11:token=a", "pkcs11:object", "pkcs11:object=a;object=b", "pkcs11:colour=red;object=a", "pkcs11:id="],
)
def test_uris_that_name_no_key(text: str) -> None:
    with pytest.raises(UnknownSignerError):
        Pkcs11Uri.parse(text)


def test_no_pin_in_a_uri() -> None:
    with pytest.raises(UnknownSignerError) as caught:
        Pkcs11Uri.parse("pkcs11:object=a?pin-value=1234")
    assert "1234" not in str(caught.value)


def test_a_whole_uri() -> None:
    uri = Pkcs11Uri.parse("pkcs11:token=The%20Studio;serial=12;id=%01%ff;x-chain-path=/a?module-path=/m.so&x-alg=ps384")
    assert uri.attributes["token"] == "The Studio"
    assert uri.key_id == b"\x01\xff"
