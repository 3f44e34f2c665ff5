"""`colophon bundle`: an asset's whole story in one file that stands without us."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.commands.trail import NOTHING, resolve
from api.cli.options import PATH, declare, now
from api.cli.terminal import Terminal


@declare("bundle", example="colophon bundle signed.jpg -o story.zip\ncolophon bundle 3f0c1d… -o story.zip --checkpoint held.txt")
@click.argument("asset", metavar="ASSET|FILE")
@click.option("-o", "--output", type=PATH, required=True, help="The bundle to write, a ZIP file; replaced if it exists.")
@click.option("--no-media", is_flag=True, help="Leave the file itself out, with its digest alone in the bundle.")
@click.option("--checkpoint", "held", type=PATH, multiple=True, help="One that the reader holds: growth from it is proven.")
def command(terminal: Terminal, home: Path | None, asset: str, output: Path, no_media: bool, held: tuple[Path, ...]) -> int:
    """Write media, manifests, entries with their proofs, certificates, trust lists and the verdict into one file.

    `colophon audit` checks it without a server and without a network. Given a FILE that is the asset byte for byte, the
    file goes in; given an id, or a copy, its digest alone.
    """
    from api.cli.app import finish
    from api.cli.files import write_new
    from api.cli.house import open_house
    from api.wiring import number
    from provenance.bundle.make import make

    given = Path(asset)
    with open_house(terminal, home) as house:
        record = resolve(house, asset)
        if record is not None:
            number(house)  # what this machine signed a moment ago may still wait
            media = given if not no_media and _is_the_file(given, record.sha256) else None
            checkpoints = [path.read_bytes() for path in held]
            data = make(
                record.asset_id, house.desk, house.log, at=now(), media=media, held=checkpoints, witnesses=house.witnesses
            )
            write_new(output, data)
    if record is None:
        if not terminal.as_json:
            terminal.line(f"Nothing is recorded here of {asset}.")
        return finish(terminal, {"asset": None, "path": None}, NOTHING)
    if not terminal.as_json:
        inside = "with the file" if media else "without the file, its digest alone"
        terminal.line(f"{output}: the story of {record.asset_id}, {inside}. Check it: colophon audit {output}")
    document = {"asset": record.asset_id, "path": str(output), "bytes": len(data), "media": media is not None}
    return finish(terminal, document, 0)


def _is_the_file(path: Path, sha256: str) -> bool:
    import hashlib

    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
