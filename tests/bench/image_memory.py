"""Peak memory of the image mark: `python -m tests.bench.image_memory [--write]`. Each line runs in a process of its own.

A photo of the corpus is tiled to 12, 50 and 100 megapixels and saved as a JPEG. What the process holds before (Python and its
libraries) is taken off; the rest is told in megabytes, and in times the decoded picture of three bytes a pixel.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bench.__main__ import CORPUS, ROOT, put

SIZES = {"12": (4000, 3000), "50": (8160, 6120), "100": (11_600, 8_660)}
KINDS = ("decode", "mark", "look", "look, unmarked", "sign: decode, mark, encode, read back")

_WORK = """
import json, resource, sys
import cv2
from watermark import image, media
from watermark.payload import PUBLIC_KEY
from provenance.tasks import MarkJob, prepare
from pathlib import Path

kind, source, scratch = sys.argv[1:]
cv2.setNumThreads(1)


def peak():
    status = Path("/proc/self/status")  # getrusage tells a child of its parent's peak, too
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


before = peak()
if kind.startswith("sign"):
    prepare(MarkJob(source, scratch, image.ALGORITHM, 77, PUBLIC_KEY, None, frozenset()))
else:
    rgb = media.load_rgb8(Path(source))
    if kind == "mark":
        image.embed(rgb, 77, key=PUBLIC_KEY)
    elif kind != "decode":
        found = image.detect(rgb, keys=[PUBLIC_KEY])
        assert found.found == (kind == "look")
print(json.dumps(peak() - before))
"""


def enlarged(folder: Path, name: str, size: tuple[int, int]) -> tuple[Path, Path]:
    """A photo of that size as a JPEG, and the same marked."""
    from watermark import image
    from watermark.payload import PUBLIC_KEY

    with Image.open(CORPUS / "photos" / "ripley_9mp.jpg") as opened:
        small = opened.convert("RGB")
    plain, marked = folder / f"{name}.jpg", folder / f"{name}-marked.jpg"
    large = small.resize(size, Image.Resampling.BILINEAR)
    large.save(plain, quality=92)
    Image.fromarray(np.asarray(image.embed(np.asarray(large), 77, key=PUBLIC_KEY))).save(marked, quality=92)
    return plain, marked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="Put the table into watermark/README.md.")
    parser.add_argument("--sizes", default=",".join(SIZES), help="Megapixels, of 12, 50 and 100.")
    options = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    names = options.sizes.split(",")
    lines = ["| peak memory, MB (× the decoded picture) | " + " | ".join(f"{n} megapixels" for n in names) + " |"]
    lines.append("|---|" + "---|" * len(names))
    cells: dict[str, list[str]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            plain, marked = enlarged(Path(folder), name, SIZES[name])
            decoded = 3 * SIZES[name][0] * SIZES[name][1]
            for kind in KINDS:
                source = marked if kind == "look" else plain
                arguments = [sys.executable, "-c", _WORK, kind, str(source), str(Path(folder) / "out.jpg")]
                done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
                used = json.loads(done.stdout)
                cells[kind].append(f"{used / 1e6:.0f} ({used / decoded:.1f})")
                print(name, kind, cells[kind][-1], flush=True)
    lines += [f"| {kind} | " + " | ".join(row) + " |" for kind, row in cells.items()]
    print(text := "\n".join(lines))
    if options.write:
        put(ROOT / "watermark" / "README.md", "image-memory", text)


if __name__ == "__main__":
    main()
