"""The table of settings in api/README.md says what the settings class says: `python -m tests.api.test_settings_page --write`."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import MISSING, fields
from pathlib import Path

from api.settings import Settings

README = Path(__file__).resolve().parents[2] / "api" / "README.md"
_PLACE = re.compile(r"(?<=<!-- settings -->\n).*?(?=\n<!-- /settings -->)", re.DOTALL)


def table() -> str:
    """All settings, as the docstring explains them."""
    told = inspect.getdoc(Settings) or ""
    about = dict(re.findall(r"^    (\w+): ((?:.+\n?)(?:      .+\n?)*)", told.partition("Attributes:\n")[2], re.MULTILINE))
    lines = ["| setting | default | |", "|---|---|---|"]
    for field in fields(Settings):
        default = "the platform's data folder" if field.default is MISSING else _shown(field.default)
        lines.append(f"| `{field.name}` | {default} | {' '.join(about[field.name].split()).replace('|', '&#124;')} |")
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_page_shows_every_setting_as_the_class_explains_it() -> None:
    (shown,) = _PLACE.findall(README.read_text("utf-8"))
    assert shown == table()
    assert len(shown.splitlines()) == len(fields(Settings)) + 2


if __name__ == "__main__":
    if "--write" in sys.argv:
        README.write_text(_PLACE.sub(lambda _: table(), README.read_text("utf-8")), "utf-8")
    else:
        print(table())
