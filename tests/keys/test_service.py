"""The signing process: signs claims, nothing else, whoever asks and however badly."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import service
from keys.algorithms import ALGORITHMS, verify
from keys.claims import objection
from keys.errors import KeyFileError, SignerUnavailableError, SigningRefusedError
from keys.frames import MAX_BODY, Frame
from keys.keystore import Keystore, init_development
from keys.service import Keyring, answer, listening, spawn
from keys.signer import load
from keys.signers.file import write_key
from keys.signers.socket import SocketSigner
from keys.tsa_client import probe

CLAIM_V2: dict[str, Any] = {
    "instanceID": "xmp:iid:1",
    "claim_generator_info": {"name": "test"},
    "signature": "self#jumbf=/c2pa/urn:x/c2pa.signature",
    "created_assertions": [{"url": "self#jumbf=c2pa.assertions/c2pa.hash.data", "hash": bytes(32)}],
    "alg": "sha256",
}
CLAIM_V1: dict[str, Any] = {
    "instanceID": "xmp:iid:1",
    "claim_generator": "test/1",
    "signature": "self#jumbf=c2pa.signature",
    "assertions": [{"url": "self#jumbf=c2pa.assertions/c2pa.actions", "hash": bytes(32)}],
    "dc:format": "image/jpeg",
}


def structure(leaf: Any, claim: Any = CLAIM_V2, *, alg: int = -7, context: str = "Signature1", **header: Any) -> bytes:
    protected = cbor2.dumps({1: alg, 33: leaf.public_bytes(Encoding.DER)} | header.get("header", {}))
    return cbor2.dumps([context, header.get("protected", protected), header.get("external", b""), cbor2.dumps(claim)])


def without(claim: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in claim.items() if name != key}


@pytest.fixture(scope="module")
def store(lab: Any) -> Iterator[Keystore]:
    with tempfile.TemporaryDirectory(prefix="k") as place:  # short: a socket path has about a hundred bytes
        yield init_development(Path(place) / "keys", now=lab.now)


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """The server in this process, for speed; `spawn` has its own tests."""
    path = folder.parent / "run" / f"{time.monotonic_ns()}.sock"
    with listening(folder, path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()


# --- what is a claim


@pytest.mark.parametrize("claim", [CLAIM_V1, CLAIM_V2])
@pytest.mark.parametrize("label", [33, "x5chain"])
def test_claims_are_signed(store: Keystore, claim: dict[str, Any], label: Any) -> None:
    signer = store.signer()
    leaf, issuer = (item.public_bytes(Encoding.DER) for item in signer.chain)
    for chain in (leaf, [leaf], [leaf, issuer]):
        protected = cbor2.dumps({1: -7, label: chain})
        assert objection(structure(signer.chain[0], claim, protected=protected), "es256", signer.chain[0]) is None


def test_the_librarys_own_bytes_are_claims(signatures: Any) -> None:
    """Real protected headers and claims of corpus files, each for its own certificate."""
    numbers = {row.cose: name for name, row in ALGORITHMS.items()}
    for file in ("dev_signed.jpg", "adobe-C.jpg", "pixel-2026-02.jpg", "update-manifest.jpg", "chatgpt-image.png"):
        for found in signatures(file):
            if not {33, "x5chain"} & set(cbor2.loads(found.protected)):
                continue  # old files keep the chain outside of what is signed; we do not sign such
            tbs = cbor2.dumps(["Signature1", found.protected, b"", found.claim])
            alg = numbers[cbor2.loads(found.protected)[1]]
            assert objection(tbs, alg, found.certificates[0]) is None, file


def test_other_things_are_not(store: Keystore, lab: Any) -> None:
    leaf = store.signer().chain[0]
    stranger = lab.issue("stranger").certificate
    bad = {
        "empty": b"",
        "text": b"sign this",
        "not a list": cbor2.dumps({"a": 1}),
        "short": cbor2.dumps(["Signature1", b"", b""]),
        "long": cbor2.dumps(["Signature1", b"", b"", b"", b""]),
        "countersignature": structure(leaf, context="CounterSignature"),
        "signature": structure(leaf, context="Signature"),
        "external": structure(leaf, external=b"x"),
        "null external": structure(leaf, external=None),
        "text payload": cbor2.dumps(["Signature1", b"\xa0", b"", "claim"]),
        "trailing": structure(leaf) + b"\x00",
        "no header": structure(leaf, protected=b""),
        "header no map": structure(leaf, protected=cbor2.dumps([1])),
        "other algorithm": structure(leaf, alg=-35),
        "no algorithm": structure(leaf, protected=cbor2.dumps({33: leaf.public_bytes(Encoding.DER)})),
        "no chain": structure(leaf, protected=cbor2.dumps({1: -7})),
        "other certificate": structure(stranger),
        "other first": structure(leaf, header={33: [b"x", leaf.public_bytes(Encoding.DER)]}),
        "empty chain": structure(leaf, header={33: []}),
        "payload no map": structure(leaf, [1, 2]),
        "payload text": structure(leaf, "claim"),
        **{f"v2 without {key}": structure(leaf, without(CLAIM_V2, key)) for key in CLAIM_V2 if key != "alg"},
        **{f"v1 without {key}": structure(leaf, without(CLAIM_V1, key)) for key in CLAIM_V1 if key != "dc:format"},
        "no assertions": structure(leaf, CLAIM_V2 | {"created_assertions": []}),
        "bad assertion": structure(leaf, CLAIM_V2 | {"created_assertions": [{"url": 1, "hash": b""}]}),
        "signature elsewhere": structure(leaf, CLAIM_V2 | {"signature": "http://evil.example/"}),
        "deep": b"\x81" * 100_000,
        "huge length": b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
    }
    for name, tbs in bad.items():
        assert objection(tbs, "es256", leaf), name
        assert answer(Frame({"op": "sign"}, tbs), Keyring(store.folder)).header["code"] == "not_a_claim", name


@settings(deadline=None, max_examples=60)
@given(
    noise=st.binary(max_size=300),
    header=st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=5) | st.integers()),
)
def test_any_frame_gets_an_answer(store: Keystore, noise: bytes, header: dict[str, Any]) -> None:
    keys = Keyring(store.folder)
    for frame in (Frame(header, noise), Frame(header | {"op": "sign"}, noise), Frame(header | {"op": "describe"}, noise)):
        reply = answer(frame, keys)
        assert reply.header["ok"] or reply.header["code"]
        assert frame.header.get("op") != "sign" or not reply.header["ok"]
    leaf = store.signer().chain[0]
    assert objection(structure(leaf, protected=noise), "es256", leaf)
    protected = cbor2.dumps({1: -7, 33: leaf.public_bytes(Encoding.DER)})
    assert objection(cbor2.dumps(["Signature1", protected, b"", noise]), "es256", leaf)


# --- over the socket


def test_signer_by_reference(store: Keystore) -> None:
    with running(store.folder) as path:
        signer = load(f"unix:{path}", folder=Path("/nowhere"))
        assert (signer.alg, signer.chain) == ("es256", store.signer().chain)
        assert signer.certificate_pem == store.signer().certificate_pem
        tbs = structure(signer.chain[0])
        assert verify(signer.chain[0].public_key(), "es256", signer.sign(tbs), tbs)
        for other in (b"", b"x", tbs + b"\0"):
            with pytest.raises(SigningRefusedError) as caught:
                signer.sign(other)
            assert caught.value.code == "not_a_claim"
        with pytest.raises(SigningRefusedError) as caught:
            signer.sign(bytes(MAX_BODY + 1))
        assert caught.value.code == "too_large"
        with pytest.raises(SigningRefusedError, match="no such key"):
            load(f"unix:{path}?key=nobody", folder=Path())
        with pytest.raises(SigningRefusedError, match="key name"):
            load(f"unix:{path}?key=../x", folder=Path())


def test_only_the_owner_reaches_the_socket(store: Keystore) -> None:
    with running(store.folder) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


def test_a_replaced_key_is_used_at_once(store: Keystore, lab: Any, chain: Any) -> None:
    path = store.folder / "swap.pem"
    write_key(path, chain.leaf.key, (chain.leaf.certificate,))
    try:
        with running(store.folder) as address:
            assert SocketSigner.connect(address, key="swap").chain == (chain.leaf.certificate,)
            other = lab.issue("other", chain.issuer)
            write_key(path, other.key, (other.certificate,))
            assert SocketSigner.connect(address, key="swap").chain == (other.certificate,)
            path.unlink()
            with pytest.raises(SigningRefusedError, match="no such key"):
                SocketSigner.connect(address, key="swap")
    finally:
        path.unlink(missing_ok=True)


def test_many_at_once(store: Keystore) -> None:
    with running(store.folder) as path, ThreadPoolExecutor(16) as pool:
        signer = SocketSigner.connect(path)
        tbs = [structure(signer.chain[0], CLAIM_V2 | {"instanceID": f"xmp:iid:{number}"}) for number in range(100)]
        made = list(pool.map(signer.sign, tbs))
    assert all(verify(signer.chain[0].public_key(), "es256", one, data) for one, data in zip(made, tbs, strict=True))


HOSTILE = {
    "nothing": b"",
    "half a length": b"\0\0",
    "huge header": struct.pack(">II", 2**32 - 1, 0),
    "huge body": struct.pack(">II", 2, 2**32 - 1) + b"{}",
    "no JSON": struct.pack(">II", 3, 0) + b"abc",
    "a list": struct.pack(">II", 2, 0) + b"[]",
    "a number": struct.pack(">II", 1, 0) + b"1",
    "bad UTF-8": struct.pack(">II", 2, 0) + b"\xff\xfe",
    "deep": struct.pack(">II", 4096, 0) + b"[" * 4096,
    "cut off": struct.pack(">II", 4, 100) + b"{}  abc",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "wrong types": struct.pack(">II", 22, 0) + b'{"op": 1, "key": [1]} ',
    "key of a number": struct.pack(">II", 27, 0) + b'{"op":"describe","key":123}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_clients(store: Keystore, name: str) -> None:
    with running(store.folder) as path:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(HOSTILE[name])
            client.shutdown(socket.SHUT_WR)
            try:
                reply = b"".join(iter(lambda: client.recv(65_536), b""))
            except ConnectionResetError:  # it did not read all we sent before it closed
                reply = b""
        if reply:
            header_length, body_length = struct.unpack(">II", reply[:8])
            header = json.loads(reply[8 : 8 + header_length])
            assert (header["ok"], header["code"], body_length) == (False, "bad_request", 0)
        assert SocketSigner.connect(path).alg == "es256"  # and it still serves


def test_clients_that_hang_or_vanish(store: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CLIENT_TIMEOUT_S", 0.3)
    with running(store.folder) as path:
        idle = [socket.socket(socket.AF_UNIX) for _ in range(service.MAX_CLIENTS)]
        for client in idle:
            client.connect(str(path))
        for client in idle[:8]:
            client.sendall(struct.pack(">II", 4000, 4000))
            client.close()
        assert SocketSigner.connect(path, timeout_s=10).alg == "es256"  # once the idle ones have run out of time
        for client in idle[8:]:
            client.close()


def test_a_dripping_client_runs_out_of_time(store: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte in time for every read must not hold a place for ever: the limit is for the whole frame."""
    monkeypatch.setattr(service, "CLIENT_TIMEOUT_S", 0.4)
    with running(store.folder) as path, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        started = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - started < 100:
                client.sendall(b"\0")
                time.sleep(0.05)
        assert time.monotonic() - started < 60


@contextmanager
def fake_service(reply: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="f") as place, socket.socket(socket.AF_UNIX) as server:
        path = Path(place) / "s"
        server.bind(str(path))
        server.listen(4)

        def run() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(reply)
                    client.shutdown(socket.SHUT_WR)
                    client.recv(100_000)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield path
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def frame(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">II", len(header), len(body)) + header + body


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\0" * 8,
        frame(b"[]"),
        frame(b"{}x"),
        struct.pack(">II", 2**31, 0),
        frame(b'{"ok":true}'),
        frame(b'{"ok":true,"key":"a","alg":"es256"}', b"junk"),
        frame(b'{"ok":true,"key":1,"alg":"es256"}'),
        frame(b'{"ok":true,"key":"a","alg":"none"}'),
        frame(b'{"ok":true,"key":"a","alg":"es256"}', b"-----BEGIN CERTIFICATE-----\nAA"),
    ],
)
def test_a_service_that_talks_nonsense(reply: bytes) -> None:
    with fake_service(reply) as path, pytest.raises((SignerUnavailableError, SigningRefusedError)):
        SocketSigner.connect(path, timeout_s=5)


def test_a_service_that_signs_nothing(store: Keystore) -> None:
    signer = store.signer()
    with fake_service(frame(b'{"ok":true}')) as path:
        proxy = SocketSigner(path, "development", "es256", signer.chain)
        with pytest.raises(SignerUnavailableError, match="without a signature"):
            proxy.sign(structure(signer.chain[0]))


def test_nobody_listens(tmp_path: Path, store: Keystore) -> None:
    for path in (tmp_path / "none", tmp_path, Path("/" + "x" * 200), store.folder / "development.pem"):
        with pytest.raises(SignerUnavailableError):
            load(f"unix:{path}", folder=tmp_path)


def test_a_service_that_does_not_answer(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="h") as place, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{place}/s")
        server.listen(1)
        with pytest.raises(SignerUnavailableError, match=r"no answer in 0\.2 s"):
            SocketSigner.connect(Path(place) / "s", timeout_s=0.2)


# --- taking the place


def test_socket_files(store: Keystore) -> None:
    with running(store.folder) as path:
        with pytest.raises(SignerUnavailableError, match="another signing process"), listening(store.folder, path):
            pass
        assert SocketSigner.connect(path).alg == "es256"
    with socket.socket(socket.AF_UNIX) as gone:  # left behind by a killed process
        gone.bind(str(path))
    with listening(store.folder, path):
        pass
    path.write_text("precious")
    with pytest.raises(SignerUnavailableError, match="no socket"), listening(store.folder, path):
        pass
    assert path.read_text() == "precious"
    with pytest.raises(SignerUnavailableError), listening(store.folder, path.parent / ("x" * 120)):
        pass
    with pytest.raises(KeyFileError), listening(store.folder / "none", path.parent / "s"):
        pass


# --- as a process


@pytest.mark.slow
def test_spawned(store: Keystore) -> None:
    path = store.folder.parent / "run" / "spawn.sock"
    with spawn(store.folder, path, timeout_s=60) as process:
        assert process.tsa_url is None
        signer = load(process.ref, folder=Path())
        tbs = structure(signer.chain[0])
        assert verify(signer.chain[0].public_key(), "es256", signer.sign(tbs), tbs)
        with pytest.raises(SignerUnavailableError, match="another signing process"), spawn(store.folder, path, timeout_s=60):
            pass
        assert signer.sign(tbs)
    assert not path.exists()
    with pytest.raises(SignerUnavailableError):
        signer.sign(tbs)


@pytest.mark.slow
def test_it_makes_the_authority_and_stamps_time() -> None:
    """With `init` and `tsa` no other process ever opens a private key."""
    with tempfile.TemporaryDirectory(prefix="k") as place:
        folder = Path(place) / "keys"
        with spawn(folder, Path(place) / "run" / "s", init=True, tsa=True, timeout_s=60) as process:
            assert process.tsa_url is not None
            assert probe(process.tsa_url, 10)
            leaf = load(process.ref, folder=Path()).chain[0]
            assert leaf == Keystore.open(folder).chain("development")[0]
        assert not probe(process.tsa_url, 1)


@pytest.mark.slow
def test_it_ends_with_its_parent(store: Keystore) -> None:
    """The parent is killed outright, so it cannot say goodbye; the service notices that its standard input ended."""
    path = store.folder.parent / "run" / "orphan.sock"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "\n".join(
                (
                    "import sys, time",
                    "from pathlib import Path",
                    "from keys.service import spawn",
                    "with spawn(Path(sys.argv[1]), Path(sys.argv[2]), timeout_s=60): print('up', flush=True); time.sleep(600)",
                )
            ),
            str(store.folder),
            str(path),
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(service.__file__).parents[1])},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    assert SocketSigner.connect(path).alg == "es256"
    parent.send_signal(signal.SIGKILL)
    parent.wait(60)
    parent.stdout.close()
    deadline = time.monotonic() + 120
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not path.exists()


@pytest.mark.slow
def test_sigterm_and_bad_starts(store: Keystore) -> None:
    def start(*arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(Path(service.__file__).parents[1])}
        return subprocess.Popen([sys.executable, "-m", "keys.service", *arguments], stdout=subprocess.PIPE, env=environment)

    path = store.folder.parent / "run" / "term.sock"
    with start("--folder", str(store.folder), "--socket", str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    assert not path.exists()
    with start("--folder", "/nowhere", "--socket", str(path)) as process:
        words = process.communicate(timeout=120)[0]
        assert process.returncode == 1
        assert b"no keys folder" in words
