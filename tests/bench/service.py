"""What verifying and finding cost: `python -m tests.bench.service [verify|find|recover]…`

Each figure stands beside its own measure of the same run, as SHA-256 of the same bytes. Under attack: `tests.bench.attack`;
unregistered pictures: `tests.bench.strangers`.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import Engine, insert

from provenance import fingerprint
from provenance.store import connect, migrate, similar
from provenance.store.tables import asset, fingerprint_chunk, manifest

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("COLOPHON_CORPUS", ROOT.parent / "shared" / "corpus"))
Rgb = NDArray[np.uint8]
REGISTERED = 1_000_000
_NEAR = 40  # as Registry.near


def photos() -> list[tuple[str, Rgb]]:
    """The photos of the corpus, at most 1,024 pixels a side."""
    found = []
    for path in sorted((CORPUS / "photos").glob("*.jpg")):
        with Image.open(path) as image:
            image.draft("RGB", (1024, 1024))
            image.thumbnail((1024, 1024))
            found.append((path.name, np.asarray(image.convert("RGB"))))
    if not found:
        raise SystemExit(f"no photos at {CORPUS} (set COLOPHON_CORPUS)")
    return found


def social(rgb: Rgb) -> Rgb:
    """As a platform gives it back: half the size, JPEG 50."""
    height, width = rgb.shape[:2]
    file = io.BytesIO()
    Image.fromarray(rgb).resize((width // 2, height // 2), Image.Resampling.LANCZOS).save(file, "JPEG", quality=50)
    return np.asarray(Image.open(file).convert("RGB"))


def verify() -> Iterator[str]:
    """Intact 12-megapixel JPEGs ÷ SHA-256 of the same bytes, one core."""
    from api.settings import Settings
    from api.wiring import open_house
    from provenance import tasks
    from provenance.capture import SignRequest, sign
    from provenance.judge import Evidence, judge
    from provenance.looking import read_mark
    from provenance.sdk import VALIDATOR
    from provenance.verdict import AssetFacts

    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder, open_house(Settings(home=Path(folder) / "home", worker_count=1)) as house:
        source = Path(folder) / "12mp.jpg"
        name, rgb = max(photos(), key=lambda pair: float(pair[1].std()))
        big = cv2.resize(rgb, (4000, 3000), interpolation=cv2.INTER_CUBIC)
        noise = np.random.default_rng(1).normal(0, 3, big.shape)
        Image.fromarray(np.clip(big + noise, 0, 255).astype(np.uint8)).save(source, quality=90)
        signed = Path(folder) / "signed.jpg"
        at = datetime.now(UTC)
        sign(SignRequest(source, signed), house.studio(), at=at)
        data = signed.read_bytes()
        base = _cpu(lambda: hashlib.sha256(data), 20)

        def credential() -> None:
            seen = tasks.probe(str(signed))
            read = tasks.read_credential(str(signed), seen.media_type, None)
            judge(Evidence(AssetFacts(seen.sha256, seen.media_type), read), lists=house.desk.lists, at=at, validator=VALIDATOR)

        def whole() -> None:
            seen = tasks.probe(str(signed))
            read = tasks.read_credential(str(signed), seen.media_type, None)
            pixels = tasks.read_pixels(str(signed), house.desk.mark_keys)
            evidence = Evidence(AssetFacts(seen.sha256, seen.media_type), read, mark=read_mark(pixels))
            judge(evidence, lists=house.desk.lists, at=at, validator=VALIDATOR)

        yield f"| verify, intact 12 MP JPEG ({name}, {len(data) / 1e6:.1f} MB) | ms of CPU | MB/s | ÷ SHA-256 |"
        yield "|---|---|---|---|"
        for what, cost in (("SHA-256", base), ("credential only", _cpu(credential, 5)), ("credential and mark", _cpu(whole, 3))):
            yield f"| {what} | {cost * 1e3:.1f} | {len(data) / cost / 1e6:.0f} | {base / cost:.3f} |"


def find() -> Iterator[str]:
    """Fingerprint search among a million assets: time and recall of social copies of real photos."""
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{folder}/million.db")
        migrate(engine)
        real = photos()
        codes = [fingerprint.image_code(rgb) for _, rgb in real]
        _fill(engine, codes, REGISTERED)
        times, hits = [], 0
        with engine.connect() as connection:
            similar.nearest(connection, codes[0], limit=5, max_distance=_NEAR)
            for number, (_, rgb) in enumerate(real, start=1):
                copy = social(rgb)
                began = time.perf_counter()
                found = similar.nearest(connection, fingerprint.image_code(copy), limit=5, max_distance=_NEAR)
                times.append((time.perf_counter() - began) * 1e3)
                hits += bool(found) and found[0][0] == number
        yield f"| search among {REGISTERED:,} fingerprints, SQLite | p50 ms | p95 ms | social copies found first |"
        yield "|---|---|---|---|"
        yield f"| code and look-up | {np.percentile(times, 50):.1f} | {np.percentile(times, 95):.1f} | {hits} of {len(real)} |"


def recover() -> Iterator[str]:
    """Social copies on the whole road, against a registry of a million: by their mark, and by fingerprint where none was made."""
    from api.settings import Settings
    from api.wiring import open_house
    from provenance.capture import SignRequest, sign
    from provenance.verify import verify

    with tempfile.TemporaryDirectory() as folder, open_house(Settings(home=Path(folder) / "home", worker_count=1)) as house:
        real, at, copies = photos(), datetime.now(UTC), dict[str, list[Path]]()
        for number, (_, rgb) in enumerate(real):
            how, mark = (("mark", "auto"), ("fingerprint", "none"))[number % 2]
            source, signed = (Path(folder) / f"{number}{end}" for end in (".png", ".signed.png"))
            Image.fromarray(rgb).save(source)
            sign(SignRequest(source, signed, mark=mark), house.studio(), at=at)
            copies.setdefault(how, []).append(_sent(signed))
        noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        _fill(house.registry._engine, [fingerprint.image_code(noise)], REGISTERED, first=1_000)
        yield f"| recovery of a social copy, {REGISTERED:,} assets, SQLite, one worker | p50 ms | p95 ms | recovered |"
        yield "|---|---|---|---|"
        for how, files in copies.items():
            times, words = [], []
            for file in files * 3:
                began = time.perf_counter()
                words.append(verify(file, house.desk, at=datetime.now(UTC)).verdict.status)
                times.append((time.perf_counter() - began) * 1e3)
            good = sum(word == "recovered" for word in words)
            p50, p95 = np.percentile(times, (50, 95))
            yield f"| whole verdict, by {how} | {p50:.0f} | {p95:.0f} | {good} of {len(words)} |"


def _sent(signed: Path) -> Path:
    """A signed picture as a platform gives it back."""
    target = signed.with_suffix(".sent.jpg")
    with Image.open(signed) as image:
        Image.fromarray(social(np.asarray(image.convert("RGB")))).save(target, quality=80)
    return target


def _fill(engine: Engine, real: list[str], count: int, first: int = 0) -> None:
    """Rows as registering leaves them, from a number on: the real codes first, then random ones."""
    at = datetime.now(UTC)
    codes = np.random.default_rng(7).integers(0, 1 << 16, (count, 16), dtype=np.int64)
    for number, code in enumerate(real):
        codes[number] = [chunk & 0xFFFF for chunk in similar.parse(code).chunks()]
    kind = similar.parse(real[0])
    with engine.begin() as connection:
        row = {
            "label": "m", "digest": "0" * 64, "signer_name": "x", "signer_fingerprint": "x", "signed_at": at,
            "time_state": "absent", "development": True,
        }  # fmt: skip
        connection.execute(insert(manifest), row)
        for start in range(0, count, 50_000):
            rows = [
                {
                    "number": first + n + 1, "id": f"a{n}", "sha256": f"{n:064x}", "manifest_label": "m",
                    "media_type": "image/jpeg", "action": "captured",
                    "created_at": at, "fingerprint": real[n] if n < len(real) else _code(kind, codes[n]),
                }
                for n in range(start, min(start + 50_000, count))
            ]  # fmt: skip
            connection.execute(insert(asset), rows)
        for place in range(16):  # in the order of the index, which is far quicker
            order = np.argsort(codes[:, place], kind="stable")
            values = (place << 16 | codes[order, place]).tolist()
            pairs = zip(values, (first + order + 1).tolist(), strict=True)
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.executemany(f"INSERT INTO {fingerprint_chunk.name} (chunk, asset_number) VALUES (?, ?)", pairs)


def _code(like: similar.Code, chunks: NDArray[np.int64]) -> str:
    import iscc_lib

    main, sub, version = like.kind
    body = chunks.astype(">u2").tobytes()
    return str(iscc_lib.encode_component(main, sub, version, len(body) * 8, body))


def _cpu(work: Callable[[], object], times: int) -> float:
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


PARTS: dict[str, Callable[[], Iterator[str]]] = {"verify": verify, "find": find, "recover": recover}


if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        print("\n".join(PARTS[part]()), end="\n\n", flush=True)
