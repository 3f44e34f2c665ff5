"""What keys cost: `python -m tests.bench.keys [--seconds 1] [--statuses 10000] [--stores 200]`.

Rates are wall time beside the bare primitive in the same run (an ECDSA P-256 signature, a certificate signed, a manifest store
read by the library): on a busy machine only the ratios mean something.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from PIL import Image

from api.settings import Settings
from api.wiring import House, open_house
from keys.book import Book
from keys.enrolment import Enrolment, new_token
from keys.keystore import init_development
from keys.notary import Notary
from keys.service import spawn
from keys.signer import Signer, load
from keys.signers.file import load_named
from keys.signers.pkcs11 import Pkcs11Signer
from provenance import tasks
from provenance.capture import SignRequest, sign
from provenance.feed import public_status
from provenance.rejudge import rejudge_all
from tests.keys import softhsm

Row = tuple[str, str, str]


def table(seconds: float = 1.0, statuses: int = 10_000, stores: int = 200) -> str:
    """The rows as a table in Markdown."""
    lines = ["| What | Figure | Beside the bare primitive |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows(seconds, statuses, stores))])


def rows(seconds: float, statuses: int, stores: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="k") as place:
        folder = init_development(Path(place) / "keys", now=_now()).folder
        yield from _signatures(folder, seconds)
        yield from _enrolments(folder, seconds)
    with tempfile.TemporaryDirectory() as place:
        yield from _rejudging(Path(place), statuses, stores)


def _signatures(folder: Path, seconds: float) -> Iterator[Row]:
    signer = load_named(folder, "development")
    tbs, key = _claim(signer), ec.generate_private_key(ec.SECP256R1())
    bare = _rate(lambda: key.sign(tbs, ec.ECDSA(hashes.SHA256())), seconds)
    yield "ECDSA P-256, the bare primitive", f"{bare:,.0f} signatures/s", "1"
    yield _row("file", _rate(lambda: signer.sign(tbs), seconds), bare)
    notary = Notary(folder)
    journalled = _rate(lambda: notary.sign("development", signer, tbs, at=_now()), seconds)
    yield _row("file, by policy, each on disk in the journal", journalled, bare)
    with spawn(folder, folder.parent / "s" / "socket") as process:
        through = load(process.ref, folder=folder)
        yield _row("signing process, Unix socket", _rate(lambda: through.sign(tbs), seconds), bare)
    with _serving(signer) as url:
        remote = load(url, folder=folder)
        yield _row("remote, HTTP on loopback, verified here", _rate(lambda: remote.sign(tbs), seconds), bare)
    with ExitStack() as stack:
        ref = stack.enter_context(softhsm.token(folder.parent / "hsm", ("es256",)))
        if ref is None:
            yield "PKCS#11 (SoftHSM2)", "SOFTHSM MISSING", "–"
            return
        module = stack.enter_context(closing(Pkcs11Signer.load(ref.format("es256", "es256"))))
        yield _row("PKCS#11 (SoftHSM2)", _rate(lambda: module.sign(tbs), seconds), bare)


def _enrolments(folder: Path, seconds: float) -> Iterator[Row]:
    from keys.keystore import Keystore

    issuer, book = Keystore(folder).issuer(), Book(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    draft = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    draft = draft.not_valid_before(_now()).not_valid_after(_now() + timedelta(days=1))
    bare = _rate(lambda: draft.sign(issuer.key, hashes.SHA384()), seconds)
    tokens = iter([new_token(book, f"Camera {n}", at=_now()) for n in range(150)])
    counter = Enrolment(issuer, book)
    began, done = time.perf_counter(), 0
    for token in tokens:
        counter.enrol(request, token, at=_now())
        done += 1
        if time.perf_counter() - began > seconds:
            break
    rate = done / (time.perf_counter() - began)
    yield (
        "enrolment: token checked, leaf issued, book on disk",
        f"{rate:,.0f}/s",
        f"{rate / bare:.3f} of {bare:,.0f} certificates/s",
    )


def _rejudging(place: Path, statuses: int, stores: int) -> Iterator[Row]:
    with open_house(Settings(home=place / "home", trust_interim=False, worker_count=1)) as house:
        mark, read = _filled(house, place, statuses, stores)
        began = time.perf_counter()
        for start in range(0, len(read), 100):
            house.desk.workers.run(tasks.read_many, read[start : start + 100])
        bare = (time.perf_counter() - began) / len(read) * 1000
        house.registry.revoke(mark, reason="keyCompromise", at=_now() - timedelta(days=2), now=_now())
        began = time.perf_counter()
        (done,) = rejudge_all(house.desk, house.chores, targets=(), at=_now(), new_id=lambda: uuid.uuid4().hex)
        took = (time.perf_counter() - began) / done.seen * 1000
    figure = f"{took:.2f} ms each ({took * done.seen / 1000:.1f} s; {done.changed:,} changed)"
    yield (
        f"{done.seen:,} statuses on {stores} manifest stores judged anew",
        figure,
        f"{took / bare:.2f} of reading a store, {bare:.2f} ms",
    )


def _filled(house: House, place: Path, statuses: int, stores: int) -> tuple[str, list[bytes]]:
    """Many statuses of one signer; returns its fingerprint and the stores."""
    studio, found, mark = house.studio(offline=True), [], ""
    for number in range(stores):
        source = place / f"{number}.jpg"
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(source)
        done = sign(SignRequest(source, place / f"{number}.signed.jpg", mark="none", register=False), studio, at=_now())
        assert done.registration is not None
        found.append(done.registration.manifest_store)
        mark = done.registration.signer_fingerprint
        for _ in range(statuses // stores):
            copy = replace(done.registration, asset_id=uuid.uuid4().hex, sha256=uuid.uuid4().hex * 2)
            house.registry.register(copy, at=_now())
            house.registry.set_status(copy.asset_id, copy.sha256, public_status(done.verdict), at=_now())
    return mark, found


def _claim(signer: Signer) -> bytes:
    """To-be-signed bytes as the library makes them."""
    assertion = {"url": "self#jumbf=c2pa.assertions/c2pa.hash.data", "hash": bytes(32)}
    claim = {
        "instanceID": "xmp:iid:1", "claim_generator_info": {"name": "bench"}, "signature": "self#jumbf=/c2pa/u/c2pa.signature",
        "created_assertions": [assertion] * 4, "alg": "sha256",
    }  # fmt: skip
    chain = [one.public_bytes(Encoding.DER) for one in signer.chain]
    return cbor2.dumps(["Signature1", cbor2.dumps({1: -7, 33: chain}), b"", cbor2.dumps(claim)])


@contextmanager
def _serving(signer: Signer) -> Iterator[str]:
    import json

    described = json.dumps({"key": "k", "alg": signer.alg, "chain": signer.certificate_pem}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(described)

        def do_POST(self) -> None:
            self._answer(signer.sign(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _rate(work: Callable[[], object], seconds: float) -> float:
    """How often a second, after a warm-up."""
    work()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - began)


def _row(what: str, rate: float, bare: float) -> Row:
    return what, f"{rate:,.0f} signatures/s", f"{rate / bare:.3f}"


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=1.0)
    asked.add_argument("--statuses", type=int, default=10_000)
    asked.add_argument("--stores", type=int, default=200)
    options = asked.parse_args()
    print(table(options.seconds, options.statuses, options.stores))


if __name__ == "__main__":
    main()
