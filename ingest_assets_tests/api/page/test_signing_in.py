"""Test sessions of the page: who gets one, what it may do, and that other pages cannot use it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from ingest_assets.access.callers import KeyRole, KeyScope
from ingest_assets.access.key_entries import split_key
from ingest_assets.api.admission.keys import Keys
from ingest_assets.api.admission.sessions import SESSION_S, Sessions
from ingest_assets.index.database import Database
from ingest_assets_tests.api.conftest import Served

OURS = {"Sec-Fetch-Site": "same-origin"}


def signed_in(served: Served, key: str) -> tuple[httpx.Client, str]:
    """Return a client that holds the cookie of a session, and the session's token."""
    client = served.client_with(OURS)
    answer = client.post("/session", json={"key": key})
    assert answer.status_code == 201, answer.text
    return client, answer.json()["csrf_token"]


def test_a_key_is_exchanged_for_a_cookie_that_no_script_and_no_other_site_can_use(served: Served) -> None:
    client = served.client_with(OURS)
    answer = client.post("/session", json={"key": served.key("ann/research")})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "secure" not in cookie
    state = client.get("/session").json()
    assert (state["role"], state["scopes"]) == ("write", ["ann/research"])
    assert state["projects"] == [{"user_id": "ann", "project_id": "research"}]


def test_the_cookie_is_for_https_alone_where_the_browser_came_by_it(served: Served) -> None:
    key = served.key("ann")
    answer = served.client_with({**OURS, "X-Forwarded-Proto": "https"}).post("/session", json={"key": key})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_wrong_key_is_refused_without_a_cookie(served: Served) -> None:
    served.key("ann")
    answer = served.client.post("/session", json={"key": "ia_0000_wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "no_key")
    assert "set-cookie" not in answer.headers


def test_what_changes_something_needs_the_token_of_the_session(served: Served) -> None:
    client, token = signed_in(served, served.key("ann"))
    refused = client.delete("/session")
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_page")
    assert client.get("/session").status_code == 200, "the refused request ended nothing"
    assert client.delete("/session", headers={"X-CSRF-Token": token}).status_code == 204
    assert client.get("/session").status_code == 401


@pytest.mark.parametrize("foreign", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_another_site_cannot_use_the_cookie(served: Served, foreign: dict[str, str]) -> None:
    client, token = signed_in(served, served.key("ann"))
    answer = client.delete("/session", headers={"X-CSRF-Token": token, **foreign})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_page")


def test_a_session_ends_with_its_key(served: Served) -> None:
    key = served.key("ann")
    client, _ = signed_in(served, key)
    key_id, _ = split_key(key)
    served.service.keys.revoke(key_id)
    assert client.get("/session").status_code == 401


def test_a_key_that_is_sent_wins_over_the_cookie(served: Served) -> None:
    client, _ = signed_in(served, served.key("ann"))
    other = served.key("bob")
    assert client.get("/session", headers={"Authorization": f"Bearer {other}"}).json()["scopes"] == ["bob"]


def test_without_any_key_this_machine_needs_no_session(served: Served) -> None:
    state = served.client.get("/session").json()
    assert (state["role"], state["key_id"], state["csrf_token"]) == ("admin", "", "")


def test_a_session_lasts_for_a_working_day(tmp_path: Path) -> None:
    now = [1_000.0]
    database = Database(f"sqlite:///{tmp_path / 'index.sqlite'}")
    keys = Keys(database, clock=lambda: now[0])
    caller = keys.caller(keys.add(role=KeyRole.READ, scopes=(KeyScope("ann"),)))
    assert caller is not None
    sessions = Sessions(database, keys=keys, clock=lambda: now[0])
    cookie = sessions.begin(caller)
    now[0] += SESSION_S - 1
    assert sessions.caller(cookie) == caller
    now[0] += 2
    assert sessions.caller(cookie) is None
