"""Every error has its place in the table, and no problem tells a stranger about this machine."""

from __future__ import annotations

import errno
import inspect
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import keys.errors
import provenance.errors
import watermark.errors
from api.problems import KINDS, Kind, Problem, ProblemError, of_error, of_fields, of_status, public, refuse

PATH = "/srv/colophon/home/objects/ab/abcdef.jpg"


def _classes() -> list[type[Exception]]:
    modules = (provenance.errors, keys.errors, watermark.errors)
    found = (thing for module in modules for _, thing in inspect.getmembers(module, inspect.isclass))
    return [thing for thing in found if issubclass(thing, Exception)]


def _raised(kind: type[Exception]) -> Exception:
    """An error of a class, every text of it naming a path."""
    arguments: list[Any] = []
    for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        arguments.append(7 if "int" in str(parameter.annotation) else PATH)
    return kind(*arguments)


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_every_error_is_a_problem_that_names_no_path(kind: type[Exception]) -> None:
    found = of_error(_raised(kind))
    text = json.dumps(found.as_dict("0123456789abcdef"))
    assert found.kind is KINDS[found.kind.slug]
    assert "srv" not in text
    assert "abcdef.jpg" not in text


def test_whose_fault_it_is_shows_in_the_status() -> None:
    by_name = {kind.__name__: of_error(_raised(kind)).kind.status for kind in _classes()}
    assert by_name["InputError"] == by_name["DamagedMediaError"] == by_name["MediaDecodeError"] == 422
    assert by_name["UnsupportedMediaError"] == by_name["UnsupportedError"] == 415
    assert by_name["UnavailableError"] == by_name["SignerUnavailableError"] == by_name["DatabaseUnavailableError"] == 503
    assert by_name["NotFoundError"] == 404
    assert by_name["SigningRefusedError"] == 403
    assert by_name["KeyFileError"] == by_name["DamagedObjectError"] == 500


def test_what_may_pass_says_when_to_ask_again() -> None:
    assert of_error(provenance.errors.UnavailableError("the time stamp authority", 9)).retry_after_s == 9
    assert of_error(keys.errors.SignerUnavailableError("unix:/run/keys", "gone")).retry_after_s


@pytest.mark.parametrize(
    "error", [ValueError(PATH), KeyError(PATH), AssertionError(PATH), MemoryError(), ExceptionGroup("x", [OSError()])]
)
def test_what_nobody_foresaw_is_our_fault_and_says_nothing(error: BaseException) -> None:
    found = of_error(error)
    assert found.kind.slug == "internal"
    assert found.detail is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named(number: int) -> None:
    assert of_error(OSError(number, "no room", PATH)).kind.status == 507


def test_another_system_error_is_not_explained_to_strangers() -> None:
    assert of_error(PermissionError(errno.EACCES, "denied", PATH)) == Problem(KINDS["internal"])


def test_refusing_raises_the_kind_with_its_fields() -> None:
    with pytest.raises(ProblemError) as caught:
        refuse("busy", "many", retry_after_s=5, ahead=3)
    assert of_error(caught.value).as_dict("r" * 16)["ahead"] == 3


def test_statuses_of_the_framework_find_their_kind() -> None:
    assert of_status(404).kind.slug == "not-found"
    assert of_status(413).kind.slug == "too-large"
    assert of_status(405, headers={"allow": "GET"}).headers == {"allow": "GET"}
    assert of_status(418).kind.status == 418
    assert of_status(599).kind.status == 599


def test_validation_errors_are_told_without_the_value() -> None:
    found = of_fields([{"loc": ("body", "key"), "msg": "String should match", "input": "SECRET", "ctx": {"x": "SECRET"}}])
    assert found.fields == {"errors": [{"where": "body.key", "say": "String should match"}]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("image/jpeg cannot hold a credential", "image/jpeg cannot hold a credential"),
        ("and/or, 1/2, c2pa.hash.data", "and/or, 1/2, c2pa.hash.data"),
        ("cannot open /tmp/x/upload.jpg: gone", "cannot open (a path): gone"),
        ("'/tmp/in-x/upload.jpg' is bad", "'(a path)' is bad"),
        (r"C:\Users\me\keys.pem missing", "(a path) missing"),
        ("line\r\nSet-Cookie: x\x1b[31m", "line  Set-Cookie: x [31m"),
        ("right\u202eleft", "right left"),
        ("x" * 999, "x" * 300),
    ],
)
def test_public_text(text: str, shown: str) -> None:
    assert public(text) == shown


@given(st.text())
@example("\ud800/etc/passwd")
@example(" /etc/passwd/../shadow")
def test_public_text_is_one_line_and_encodes(text: str) -> None:
    shown = public(text)
    assert "\n" not in shown
    assert "\r" not in shown
    shown.encode()


@given(st.text(alphabet="abc/. ", max_size=40))
def test_no_absolute_path_of_two_parts_stays(text: str) -> None:
    assert not re.search(r"(?:^|\s)/[abc]+/[abc]+", public(f" {text} "))


@pytest.mark.parametrize("slug", KINDS)
def test_a_type_leads_to_its_explanation(client: TestClient, slug: str) -> None:
    answer = client.get(KINDS[slug].type)
    assert answer.status_code == 200
    assert answer.json() == KINDS[slug].as_dict()


@pytest.mark.parametrize("slug", ["nothing", "..%2f..", "%00", "a" * 5000])
def test_an_unknown_type_is_not_found(client: TestClient, problem: Any, slug: str) -> None:
    problem(client.get(f"/problems/{slug}"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/api/v1/nowhere", 404, "not-found"),
        ("GET", "/static/../app.py", 404, "not-found"),
        ("GET", "/static/%2e%2e/app.py", 404, "not-found"),
        ("GET", "/api/v1/assets/unknown", 404, "not-found"),
        ("GET", "/api/v1/assets/unknown/trail", 404, "not-found"),
        ("GET", "/api/v1/assets/unknown/reference", 404, "not-found"),
        ("GET", "/api/v1/assets/%00", 404, "not-found"),
        ("GET", "/api/v1/assets/%F0%28%8C%28", 404, "not-found"),
        ("GET", "/api/v1/assets/" + "x" * 600, 422, "invalid-request"),
        ("GET", "/api/v1/assets/unknown/file", 422, "invalid-request"),
        ("GET", "/api/v1/sign", 405, "method-not-allowed"),
        ("DELETE", "/api/v1/feed/status", 405, "method-not-allowed"),
        ("POST", "/healthz", 405, "method-not-allowed"),
        ("PUT", "/", 405, "method-not-allowed"),
        ("POST", "/api/v1/verify", 422, "invalid-request"),
        ("POST", "/api/v1/sign", 422, "invalid-request"),
    ],
)
def test_every_error_of_the_service_is_a_problem(
    client: TestClient, problem: Any, method: str, path: str, status: int, slug: str
) -> None:
    answer = client.request(method, path)
    problem(answer, status, slug)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.slug)
def test_whoever_is_refused_learns_what_to_do(kind: Kind) -> None:
    assert Problem(kind).as_dict("r")["detail"] == kind.advice
    assert Problem(kind, retry_after_s=7).as_dict("r")["detail"] == "Try again in 7 s."
    assert Problem(kind, "it is empty", 7).as_dict("r")["detail"] == "it is empty"
