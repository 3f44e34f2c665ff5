"""The import rule: `keys` and `watermark` import nothing of ours; `provenance` joins them; `api` is the rim; no circles."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"keys", "watermark", "provenance", "api", "migrations", "tests"}
MAY_IMPORT = {
    "keys": set(),
    "watermark": set(),
    "migrations": {"provenance"},
    "provenance": {"keys", "watermark", "migrations"},
    "api": {"provenance", "keys", "watermark"},
}
# The one module that may speak to each of these; everybody else speaks to that module.
ONLY_IN = {"c2pa": {"provenance/sdk.py"}, "pebble": {"provenance/isolation.py"}, "imwatermark": {"watermark/imwatermark.py"}}


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_run_one_way(package: str) -> None:
    assert _modules(package)
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _modules(package)
        for name in (_imports(path) & OURS) - {package} - MAY_IMPORT[package]
    }
    assert not wrong


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_one_module_speaks_to_it(library: str) -> None:
    users = {str(p.relative_to(ROOT)) for package in MAY_IMPORT for p in _modules(package) if library in _imports(p)}
    assert users <= ONLY_IN[library]


def test_no_cycle_between_modules_of_the_core() -> None:
    """Modules of one package may lean on each other, but not in a circle."""
    graph = {}
    for package in ("keys", "watermark", "provenance"):
        for path in _modules(package):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            graph[name] = _direct(path, package)
    graph = {name: {d for d in targets if d in graph and d != name} for name, targets in graph.items()}
    while leaves := {n for n, targets in graph.items() if not targets}:
        graph = {n: targets - leaves for n, targets in graph.items() if n not in leaves}
    assert not graph, f"imports go round in circles: {sorted(graph)}"


def _direct(path: Path, package: str) -> set[str]:
    """Modules imported when the file is loaded; imports inside functions and for type checking come later."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    names = set()
    for name in found:
        file = ROOT.joinpath(*name.split("."))
        if file.with_suffix(".py").is_file() or ((file / "__init__.py").is_file() and path.parent != file):
            names.add(name)
    return names


def test_top_level_is_what_the_readme_promises() -> None:
    for name in ("pyproject.toml", "README.md", "provenance", "watermark", "api", "keys", "tests", "migrations"):
        assert (ROOT / name).exists(), name


def test_torch_is_in_no_lock() -> None:
    for lock in ("uv.lock", "requirements.lock"):
        text = (ROOT / lock).read_text("utf-8")
        assert 'name = "torch"' not in text
        assert "\ntorch==" not in text
        assert "nvidia" not in text


def test_nothing_names_this_machine() -> None:
    """No file of ours names a path that only one machine has."""
    needles = ("/wo" + "rk/main", "/wo" + "rk/shared")
    wrong = []
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), *(p for d in OURS for p in (ROOT / d).rglob("*"))]:
        if path.suffix in {".py", ".md", ".toml", ".html", ".js", ".css", ".csv"} and path.is_file():
            text = path.read_text("utf-8")
            wrong += [f"{path.relative_to(ROOT)}: {n}" for n in needles if n in text]
    assert not wrong


def test_the_pip_lock_is_the_uv_lock() -> None:
    """Whoever sets up with pip gets what uv would give."""
    theirs = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    locked = {p["name"]: p["version"] for p in theirs if p["name"] != "colophon"}
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    assert pinned == locked
