"""What signing and verifying cost, beside the bare library and a bare SHA-256 of the same bytes."""

from __future__ import annotations

import hashlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import c2pa
import cv2
from PIL import Image

from keys.keystore import init_development
from provenance import sdk, tasks
from provenance.claim import THUMBNAIL, captured
from provenance.credential import Credential
from provenance.judge import Evidence, judge
from provenance.soft_binding import binding
from provenance.verdict import AssetFacts, Status
from watermark import engines
from watermark.payload import PUBLIC_KEY

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5


def table() -> str:
    """A Markdown table of ratios."""
    cv2.setNumThreads(1)
    photo = _photo()
    with tempfile.TemporaryDirectory() as folder:
        rows = _measure(photo, Path(folder))
    lines = ["| What | Figure | Compared with |", "|---|---|---|"]
    return "\n".join(lines + [f"| {what} | {figure} | {peer} |" for what, figure, peer in rows])


def _photo() -> Path:
    corpus = Path(os.environ.get("COLOPHON_CORPUS", ROOT.parent / "shared" / "corpus"))
    photo = corpus / "photos" / "dog_12mp.jpg"
    if not photo.is_file():
        raise SystemExit(f"CORPUS MISSING: {photo}; set COLOPHON_CORPUS")
    return photo


def _measure(photo: Path, folder: Path) -> list[tuple[str, str, str]]:
    at = datetime.now(UTC)
    keystore = init_development(folder / "keys", now=at)
    signer = keystore.signer()
    definition = captured(title=photo.name, source_type="digitalCapture", at=at, binding=None, thumbnail=False)

    # the reference's settings: the library reads its own result back, as we do
    checked = c2pa.Context.from_dict(
        {**sdk._SETTINGS, "verify": {**sdk._SETTINGS["verify"], "verify_after_sign": True, "verify_after_sign_hash": True}}
    )

    def bare() -> None:
        native = c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, signer.certificate_pem, None)
        builder = c2pa.Builder(definition, context=checked)
        with photo.open("rb") as source, (folder / f"bare{time.monotonic_ns()}.jpg").open("x+b") as out:
            builder.sign(native, "image/jpeg", source, out)

    unmarked: dict[str, list[float]] = {}  # our steps, ms CPU, of each round

    def ours() -> Path:
        out = folder / f"ours{time.monotonic_ns()}.jpg"
        assert tasks.kind(str(photo)) == "image/jpeg"
        assert not tasks.carries_credential(str(photo), "image/jpeg")
        job = tasks.SignJob(str(photo), str(out), "image/jpeg", definition, "development", str(keystore.folder), None)
        result = tasks.sign_file(job)
        assert isinstance(result.credential, Credential)
        for name, value in result.steps_ms.items():
            unmarked.setdefault(name, []).append(value)
        return out

    steps, marked = _marked(photo, folder, keystore.folder, at)
    total = sum(steps.values())

    def hashed() -> None:
        hashlib.sha256(marked.read_bytes()).digest()

    def credential() -> None:
        seen = tasks.probe(str(marked))
        found = tasks.read_credential(str(marked), seen.media_type, None)
        verdict = judge(
            Evidence(AssetFacts(seen.sha256, seen.media_type), found),
            lists=keystore.development_lists(),
            at=at,
            validator="bench",
        )
        assert verdict.status is Status.TRUSTED

    stripped = _stripped(marked, folder)
    pixels = _megapixels(stripped)
    social = _social(marked, folder)

    def detect() -> None:
        assert tasks.read_pixels(str(stripped), (PUBLIC_KEY,)).detection.found

    def detect_social() -> None:
        assert tasks.read_pixels(str(social), (PUBLIC_KEY,)).detection.found

    bare_s, ours_s, hash_s, verify_s = (_cpu(f) for f in (bare, ours, hashed, credential))
    detect_s, social_s = _cpu(detect, 3), _cpu(detect_social, 3)
    return [
        (
            "sign a 12-megapixel JPEG, no mark",
            f"{ours_s / bare_s:.2f} ×; {_shares({name: statistics.median(row) for name, row in unmarked.items()})}",
            "the bare library, same settings (goal ≤ 1.15)",
        ),
        ("sign it with mark", f"{total / 1000 / bare_s:.1f} ×; {_shares(steps)}", "the bare library"),
        ("verify it intact: credential and signer", f"{verify_s / hash_s:.2f} ×", "SHA-256 of its bytes"),
        ("verify it intact: marks as well", f"{(verify_s + detect_s) / hash_s:.1f} ×", "SHA-256 of its bytes"),
        (
            "read the mark of a stripped copy",
            f"{detect_s * 1000 / pixels:.0f} ms CPU/megapixel",
            f"{pixels:.1f} megapixels, decoding included",
        ),
        (
            "read the mark of its social copy",
            f"{social_s * 1000 / _megapixels(social):.0f} ms CPU/megapixel",
            f"{_megapixels(social):.2f} megapixels, decoding included",
        ),
    ]


def _marked(photo: Path, folder: Path, keys: Path, at: datetime) -> tuple[dict[str, float], Path]:
    """The steps of signing with a mark, ms CPU, median of the rounds; and one result."""
    alg = engines.default("image").alg
    bound = binding(alg, 0x0123456789ABCDEF)
    definition = captured(title=photo.name, source_type="digitalCapture", at=at, binding=bound, thumbnail=True)
    laps: dict[str, list[float]] = {}
    out = folder / "marked.jpg"
    for _ in range(ROUNDS):
        out.unlink(missing_ok=True)
        carrier = folder / "carrier.jpg"
        mark = tasks.MarkJob(str(photo), str(carrier), alg, int(bound.value, 16), PUBLIC_KEY, None, frozenset())
        prepared = tasks.prepare(mark)
        job = tasks.SignJob(
            str(carrier),
            str(out),
            "image/jpeg",
            definition,
            "development",
            str(keys),
            None,
            resources={THUMBNAIL: prepared.thumbnail},
        )
        for name, value in {**prepared.steps_ms, **tasks.sign_file(job).steps_ms}.items():
            laps.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in laps.items()}, out


def _shares(steps: dict[str, float]) -> str:
    total = sum(steps.values())
    return ", ".join(f"{name} {value / total:.0%}" for name, value in steps.items())


def _stripped(path: Path, folder: Path) -> Path:
    out = folder / "stripped.jpg"
    with Image.open(path) as image:
        image.save(out, quality=90)
    return out


def _social(path: Path, folder: Path) -> Path:
    out = folder / "social.jpg"
    with Image.open(path) as image:
        image.thumbnail((1080, 1080), Image.Resampling.LANCZOS)
        image.save(out, quality=75)
    return out


def _megapixels(path: Path) -> float:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return image.width * image.height / 1e6


def _cpu(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median CPU seconds of this process, after one round to warm up."""
    work()
    spans = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        spans.append(time.process_time() - start)
    return statistics.median(spans)
