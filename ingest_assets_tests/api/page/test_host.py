"""Test what the service says of its host and of what is wrong."""

from __future__ import annotations

import pytest

from ingest_assets_tests.api.conftest import Served


def test_the_host_shows_memory_and_the_queue(served: Served) -> None:
    served.put("ann/p/waits.md", "# It waits\n")
    served.service.project.noticing.look(within_s=30)
    host = served.client.get("/host").json()
    assert 0 < host["memory_available_mb"] <= host["memory_total_mb"]
    assert host["queued"] == 1 and host["files_by_state"] == {"pending": 1}


@pytest.mark.slow
def test_a_problem_says_what_and_what_to_do_and_whose_file_it_is(served: Served) -> None:
    assert not served.ingest(served.put("ann/p/broken.pdf", b"%PDF-1.7\nbroken"))
    (problem,) = [each for each in served.client.get("/host").json()["problems"] if each["filename"]]
    assert (problem["user_id"], problem["filename"], problem["state"]) == ("ann", "broken.pdf", "failed")
    assert "damaged" in problem["what"] and problem["todo"]


@pytest.mark.slow
def test_the_problems_of_other_users_files_are_not_told(served: Served) -> None:
    assert not served.ingest(served.put("ann/p/broken.pdf", b"%PDF-1.7\nbroken"))
    told = served.with_key("bob").get("/host").json()["problems"]
    assert not [each for each in told if each["filename"]]


def test_the_cap_of_runs_is_that_of_the_launcher(served: Served) -> None:
    config = "run_launcher: {module: m, class: MemoryCappedRunLauncher, config: {memory_limit_mb: 300}}"
    (served.settings.home / "dagster.yaml").write_text(config)
    assert served.client.get("/host").json()["cap_mb"] == 300
