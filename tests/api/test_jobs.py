"""Work that is promised: it is done once, seen by whoever asked, and outlives whoever does it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from api import chores
from api import runner as running
from api.runner import Runner
from api.wiring import House
from provenance.errors import InputError
from provenance.store import connect, migrate
from provenance.store.jobs import ATTEMPTS, LEASE, Jobs

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
LATER = {"prefer": "respond-async"}


@pytest.fixture
def jobs(database_url: str) -> Iterator[Jobs]:
    engine = connect(database_url)
    migrate(engine)
    yield Jobs(engine)
    engine.dispose()


def add(jobs: Jobs, name: str, same: str | None = None, caller: str = "key:a") -> str:
    return jobs.add(name, "verify", {"n": 1}, same=same or name, sha256=None, caller=caller, at=AT).id


class TestRows:
    def test_the_same_work_is_one_job_until_it_is_over(self, jobs: Jobs) -> None:
        assert [add(jobs, "a", "same"), add(jobs, "b", "same")] == ["a", "a"]
        assert jobs.take("r", now=AT) is not None
        assert jobs.end("a", "r", {"ok": 1}, failed=False, now=AT)
        assert add(jobs, "c", "same") == "c"

    def test_a_job_is_taken_by_one(self, jobs: Jobs) -> None:
        add(jobs, "a")
        first = jobs.take("one", now=AT)
        assert first is not None
        assert (first.state, first.attempts) == ("running", 1)
        assert jobs.take("two", now=AT) is None

    def test_a_dead_runners_job_is_taken_again_and_its_answer_no_longer_counts(self, jobs: Jobs) -> None:
        add(jobs, "a")
        jobs.take("dead", now=AT)
        assert jobs.take("next", now=AT + LEASE - timedelta(seconds=1)) is None
        again = jobs.take("next", now=AT + LEASE)
        assert again is not None
        assert again.attempts == 2
        assert not jobs.renew("a", "dead", now=AT)
        assert not jobs.end("a", "dead", {}, failed=False, now=AT)
        assert jobs.end("a", "next", {"ok": 1}, failed=False, now=AT)

    def test_a_lease_that_is_renewed_does_not_end(self, jobs: Jobs) -> None:
        add(jobs, "a")
        jobs.take("one", now=AT)
        assert jobs.renew("a", "one", now=AT + LEASE, stage="looking")
        assert jobs.take("two", now=AT + LEASE) is None
        found = jobs.get("a")
        assert found is not None
        assert found.stage == "looking"

    def test_giving_back_in_order_is_no_attempt(self, jobs: Jobs) -> None:
        add(jobs, "a")
        jobs.take("one", now=AT)
        assert jobs.give_back("one", now=AT) == 1
        again = jobs.take("two", now=AT)
        assert again is not None
        assert again.attempts == 1

    def test_only_what_is_over_is_forgotten(self, jobs: Jobs) -> None:
        add(jobs, "a")
        add(jobs, "b")
        taken = jobs.take("r", now=AT)
        assert taken is not None
        jobs.end(taken.id, "r", {}, failed=True, now=AT)
        assert jobs.forget(AT) == ()
        assert jobs.forget(AT + timedelta(seconds=1)) == (taken.id,)
        assert jobs.waiting() == 1

    def test_a_callers_many_jobs_are_in_nobody_elses_way(self, jobs: Jobs) -> None:
        for name in ("a1", "a2", "a3"):
            add(jobs, name)
        add(jobs, "b1", caller="key:b")
        order = []
        for second in range(4):
            taken = jobs.take("r", now=AT + timedelta(seconds=second))
            assert taken is not None
            order.append(taken.id)
            assert jobs.end(taken.id, "r", {}, failed=False, now=AT + timedelta(seconds=second))
        assert order == ["a1", "b1", "a2", "a3"]
        assert jobs.take("r", now=AT + timedelta(seconds=9)) is None

    def test_what_waits_is_counted_by_caller(self, jobs: Jobs) -> None:
        assert [add(jobs, name, caller=caller) for name, caller in (("a", "key:a"), ("b", "key:b"), ("c", "key:a"))]
        assert (jobs.waiting(), jobs.waiting("key:a"), jobs.waiting("key:c")) == (3, 2, 0)
        assert jobs.take("r", now=AT) is not None
        assert jobs.waiting() == 3  # what is under way is not over
        assert jobs.end("a", "r", {}, failed=True, now=AT)
        assert (jobs.waiting(), jobs.waiting("key:a")) == (2, 1)

    @pytest.mark.parametrize("name", ["", "never", "\0", "x" * 600])
    def test_an_unknown_id_is_no_job(self, jobs: Jobs, name: str) -> None:
        assert jobs.get(name) is None


def ended(client: TestClient, address: str) -> dict[str, Any]:
    for _ in range(2400):
        found: dict[str, Any] = client.get(address).json()
        if found["state"] in {"done", "failed"}:
            return found
        time.sleep(0.1)
    raise AssertionError(f"never ended: {found}")


class TestService:
    def test_a_job_ends_with_the_verdict(self, client: TestClient, small: bytes) -> None:
        image = small + b"a tail that no decoder reads"
        promised = client.post("/api/v1/verify", files={"file": ("l.jpg", image)}, headers=LATER)
        assert promised.status_code == 202, promised.text
        job = promised.json()
        assert promised.headers["location"] == f"/api/v1/jobs/{job['id']}"
        item = client.get(f"/api/v1/feed/status?ids={job['sha256']}").json()["items"][0]
        assert item["status"] in {"pending", "none"}
        found = ended(client, job["links"]["self"])
        assert found["state"] == "done", found
        assert found["result"]["status"] == "none"
        assert found["result"]["asset"]["sha256"] == job["sha256"]
        item = client.get(f"/api/v1/feed/status?ids={job['sha256']}").json()["items"][0]
        assert item["status"] == "none"

    def test_its_progress_is_told_to_the_end(self, client: TestClient, small: bytes) -> None:
        job = client.post("/api/v1/verify", files={"file": ("l.jpg", small + b"another tail")}, headers=LATER).json()
        told = client.get(job["links"]["events"]).text.strip().split("\n\n")
        names = [event.split("\n")[0] for event in told if not event.startswith(":")]
        assert names[-1] == "event: done"
        assert set(names[:-1]) <= {"event: stage"}
        last = json.loads(told[-1].split("data: ")[1])
        assert last["result"]["status"] == "none"

    def test_what_cannot_be_read_fails_with_a_problem(
        self, client: TestClient, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any, **__: Any) -> Any:
            raise InputError("/secret/path.jpg", "is a folder")

        monkeypatch.setattr("api.verifying.verify", broken)
        job = client.post("/api/v1/verify", files={"file": ("l.jpg", b"unreadable")}, headers=LATER).json()
        found = ended(client, job["links"]["self"])
        assert (found["state"], found["problem"]["type"]) == ("failed", "/problems/unusable-file")
        assert "secret" not in json.dumps(found)
        item = client.get(f"/api/v1/feed/status?ids={job['sha256']}").json()["items"][0]
        assert item["status"] == "unknown"

    def test_what_kills_its_runner_again_and_again_is_given_up(self, house: House) -> None:
        name = uuid.uuid4().hex
        house.jobs.add(name, "verify", {}, same=name, sha256=None, caller="local", at=AT)
        for attempt in range(ATTEMPTS):  # long ago, and again and again
            taken = house.jobs.take(f"dead {attempt}", now=AT + attempt * LEASE)
            assert taken is not None
            assert taken.id == name
        with Runner(house, {}, threads=1):
            for _ in range(2400):
                found = house.jobs.get(name)
                assert found is not None
                if found.over:
                    break
                time.sleep(0.1)
        assert found.result is not None
        assert found.result["type"] == "/problems/over-budget"

    def test_no_caller_fills_the_disk(
        self, client: TestClient, house: House, small: bytes, problem: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Jobs, "waiting", lambda _, caller=None: 10_000 if caller == "local" else 0)
        before = sorted((house.settings.home / "jobs").glob("*"))
        found = problem(client.post("/api/v1/verify", files={"file": small + b"9"}, headers=LATER), 503, "busy")
        assert "yours" in found["detail"]
        assert sorted((house.settings.home / "jobs").glob("*")) == before

    def test_no_such_job(self, client: TestClient, problem: Any) -> None:
        problem(client.get("/api/v1/jobs/never"), 404, "not-found")
        problem(client.get("/api/v1/jobs/never/events"), 404, "not-found")

    def test_sweeping_forgets_row_and_folder(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        name = uuid.uuid4().hex
        house.jobs.add(name, "nothing", {}, same=name, sha256=None, caller="local", at=AT - timedelta(days=9))
        for _ in range(50):  # its kind is unknown: the service's runner ends it as a fault of ours
            found = house.jobs.get(name)
            if found is not None and found.over:
                break
            house.jobs.take("me", now=AT)
            house.jobs.end(name, "me", {}, failed=True, now=AT)
        running.folder_of(house, name).mkdir(parents=True)
        monkeypatch.setattr(running, "_now", lambda: datetime.now(UTC) + timedelta(days=2))
        assert running.sweep(house) >= 1
        assert not running.folder_of(house, name).exists()


@pytest.fixture(scope="module")
def small() -> bytes:
    """A picture that takes a moment to look at."""
    return picture(1)


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class TestAgain:
    @pytest.fixture(autouse=True)
    def nothing_waits(self, house: House) -> None:
        """What other tests revoked is judged anew: until then, no verdict is given again."""
        chores.rejudge(house)

    def test_the_same_file_twice_costs_one_look(self, client: TestClient, small: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        from api import verifying

        looks = []
        real = verifying.verify
        monkeypatch.setattr(verifying, "verify", lambda *a, **k: looks.append(1) or real(*a, **k))
        image = small + b"seen twice"
        first = client.post("/api/v1/verify", files={"file": ("one.jpg", image)})
        second = client.post("/api/v1/verify", files={"file": ("two.jpg", image)})
        assert (first.status_code, second.status_code, len(looks)) == (200, 200, 1)
        assert second.json() == first.json()
        assert "age" not in first.headers
        assert int(second.headers["age"]) >= 0

    def test_not_after_what_it_rests_on_changed(
        self, client: TestClient, house: House, small: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from api import verifying

        image = small + b"seen again after a change"
        files = {"file": ("l.jpg", image)}
        client.post("/api/v1/verify", files=files)
        assert "age" in client.post("/api/v1/verify", files=files).headers
        with monkeypatch.context() as patch:
            patch.setattr(verifying, "POLICY", "another policy")
            assert "age" not in client.post("/api/v1/verify", files=files).headers
        made = client.post(
            "/api/v1/sign", files={"file": ("n.png", picture(2))}, data={"mark": "none"}, headers={"accept": "application/json"}
        )
        assert made.status_code == 201
        assert "age" not in client.post("/api/v1/verify", files=files).headers  # it might come from what was registered since

    def test_an_idempotency_key_gives_the_first_answer(self, client: TestClient, small: bytes, problem: Any) -> None:
        given = {"idempotency-key": uuid.uuid4().hex}
        first = client.post("/api/v1/verify", files={"file": ("l.jpg", small)}, headers=given)
        again = client.post("/api/v1/verify", files={"file": ("l.jpg", small)}, headers=given)
        assert again.json() == first.json()
        assert again.headers["idempotent-replayed"] == "?1"
        problem(client.post("/api/v1/verify", files={"file": ("l.jpg", small + b"!")}, headers=given), 422, "key-reused")


@contextmanager
def served(home: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A service of its own process."""
    environment = {**os.environ, "COLOPHON_INLINE_LIMIT_MB": "1"}
    command = [sys.executable, "-m", "api.cli", "--home", str(home), "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[2].rstrip("/")  # Serving on …
            for _ in range(2000):  # a busy machine takes its time to begin
                try:
                    urllib.request.urlopen(f"{address}/healthz", timeout=60).close()
                    break
                except OSError:
                    assert process.poll() is None
                    time.sleep(0.1)
            yield address, process
        finally:
            process.kill()


@pytest.mark.slow
def test_a_job_outlives_kill_9(tmp_path: Path, corpus: Path) -> None:
    """Killed with the job under way, the next service finishes it."""
    large = max((corpus / "photos").glob("*.jpg"), key=lambda path: path.stat().st_size)
    boundary = "colophon"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="p.jpg"\r\n\r\n'.encode()
        + large.read_bytes()
        + f"\r\n--{boundary}--\r\n".encode()
    )
    with served(tmp_path / "home") as (address, process):
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Prefer": "respond-async"}
        with urllib.request.urlopen(urllib.request.Request(f"{address}/api/v1/verify", body, headers)) as answer:
            assert answer.status == 202
            job = json.load(answer)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with served(tmp_path / "home") as (address, _):
        for _ in range(2400):
            with urllib.request.urlopen(f"{address}{job['links']['self']}") as answer:
                found = json.load(answer)
            if found["state"] in {"done", "failed"}:
                break
            time.sleep(0.1)
    assert found["state"] == "done", found
    assert found["result"]["asset"]["sha256"] == job["sha256"]
    assert not list((tmp_path / "home" / "jobs").iterdir())
