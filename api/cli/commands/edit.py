"""`colophon edit`: sign an edited file as the child of a signed one."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.options import PATH, Known, declare, edit_actions, now, require_file
from api.cli.terminal import Terminal


@declare(
    "edit",
    example="colophon edit signed.jpg cropped.jpg -o child.jpg --action c2pa.cropped\n"
    "colophon edit sky.jpg collage.jpg -o child.jpg --ingredient bird.jpg --ingredient tree.jpg",
)
@click.argument("parent", type=PATH)
@click.argument("edited", type=PATH)
@click.option("-o", "--output", required=True, type=PATH, help="Where the signed child goes.")
@click.option(
    "--action",
    "actions",
    type=Known("action", edit_actions),
    multiple=True,
    help="What was done, in the standard's word; may repeat. Needed, unless something was placed.",
)
@click.option("--ingredient", "ingredients", type=PATH, multiple=True, help="A file that was placed in it; may repeat.")
@click.option("--key", metavar="REF", help="Which key signs; default: the key of this home.")
@click.option("--mark", default="auto", show_default=True, type=click.Choice(["auto", "none"]), help="Keep or renew the mark.")
@click.option("--redact", multiple=True, type=click.Choice(["gps"]), help="Camera metadata to leave out.")
@click.option("--receipt", is_flag=True, help="Put the parent's receipt from the log into the claim.")
@click.option("--no-register", is_flag=True, help="Keep no record.")
@click.option("--offline", is_flag=True, help="Ask no time stamp authority now; the stamp is queued.")
def command(
    terminal: Terminal,
    home: Path | None,
    parent: Path,
    edited: Path,
    output: Path,
    actions: tuple[str, ...],
    ingredients: tuple[Path, ...],
    key: str | None,
    mark: str,
    redact: tuple[str, ...],
    receipt: bool,
    no_register: bool,
    offline: bool,
) -> int:
    """Sign EDITED as a child of PARENT: its history names the parent and what was done to it.

    The parent's mark is kept where it can still be read in the edited pixels, else a new one is made. A composite names with
    --ingredient what was placed in it. Where nothing was done but resizing in proportion, converting or publishing, the record
    calls it a rendition.
    """
    if not actions and not ingredients:
        raise click.UsageError("say what was done: --action, or --ingredient for what was placed")
    for path in (parent, edited, *ingredients):
        require_file(path)
    from api import receipts
    from api.cli.app import finish
    from api.cli.house import open_house
    from api.cli.signed import print_signed
    from provenance.edit import EditRequest, edit
    from provenance.trail.receipt import assertion

    with open_house(terminal, home, signing=True) as house:
        request = EditRequest(
            parent=parent,
            edited=edited,
            destination=output,
            actions=actions,
            components=ingredients,
            mark=mark,
            redact=frozenset(redact),
            register=not no_register,
            assertions=(assertion(receipts.of_file(house, parent)),) if receipt else (),
        )
        signed = edit(request, house.studio(key, offline=offline), at=now())
    if not terminal.as_json:
        print_signed(terminal, [signed])
    return finish(terminal, {"path": str(output), "signed": signed.as_dict()}, 0)
