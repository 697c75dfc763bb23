"""Test that keys open what they are for until they are revoked or expire, and that their secrets are kept nowhere."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ingest_assets.access.callers import KeyRole, KeyScope
from ingest_assets.access.key_entries import new_key, read_entries
from ingest_assets.api.admission.keys import Keys
from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.index.database import Database

ANN = (KeyScope("ann", "p"),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def kept(folder: Path, *, now: float = 1000.0) -> Keys:
    return Keys(Database(f"sqlite:///{folder / 'index.db'}"), clock=lambda: now)


def test_a_key_opens_its_scope_in_another_process_too(folder: Path) -> None:
    key = kept(folder).add(role=KeyRole.READ, scopes=(*ANN, KeyScope("bea")))
    caller = kept(folder).caller(key)
    assert caller is not None
    assert (caller.role, caller.scopes) == (KeyRole.READ, (KeyScope("ann", "p"), KeyScope("bea", "*")))


def test_the_secret_is_nowhere_in_the_database(folder: Path) -> None:
    key = kept(folder).add(role=KeyRole.READ, scopes=ANN)
    secret = key.split("_", 2)[2]
    with sqlite3.connect(folder / "index.db") as database:
        assert all(secret not in line for line in database.iterdump())


@pytest.mark.parametrize("wrong", ["", "ia_", "ia_0123456789ab_", "nonsense", "ia_0123456789ab_" + "x" * 43])
def test_what_is_no_key_opens_nothing(folder: Path, wrong: str) -> None:
    kept(folder).add(role=KeyRole.READ, scopes=ANN)
    assert kept(folder).caller(wrong) is None


def test_another_secret_or_another_id_opens_nothing(folder: Path) -> None:
    one, other = (kept(folder).add(role=KeyRole.READ, scopes=ANN) for _ in range(2))
    _, key_id, _ = one.split("_", 2)
    assert kept(folder).caller(f"ia_{key_id}_{other.split('_', 2)[2]}") is None


def test_a_revoked_key_opens_nothing_and_still_counts(folder: Path) -> None:
    keys = kept(folder)
    assert keys.is_empty()
    key = keys.add(role=KeyRole.READ, scopes=ANN)
    key_id = key.split("_", 2)[1]
    assert keys.revoke(key_id)
    assert not keys.revoke(key_id)
    assert keys.caller(key) is None
    assert not keys.is_empty()


def test_a_key_expires(folder: Path) -> None:
    key = kept(folder).add(role=KeyRole.READ, scopes=ANN, days=1)
    assert kept(folder, now=1000 + 86_399).caller(key) is not None
    assert kept(folder, now=1000 + 86_400).caller(key) is None


def test_a_key_of_the_settings_opens_what_it_says_and_is_revoked_there(folder: Path) -> None:
    key, key_id, sha256 = new_key()
    keys = Keys(Database(f"sqlite:///{folder / 'index.db'}"), fixed=read_entries(f"{key_id}:{sha256}:admin:ann/p"))
    caller = keys.caller(key)
    assert caller is not None
    assert (caller.role, caller.scopes) == (KeyRole.ADMIN, ANN)
    assert not keys.is_empty()
    with pytest.raises(ConfigError, match="INGEST_API_KEYS"):
        keys.revoke(key_id)


@pytest.mark.parametrize("entry", ["abc", "0123456789ab:nohash:read:*", "0123456789ab:" + "0" * 64 + ":boss:*"])
def test_a_wrong_entry_of_the_settings_is_refused(entry: str) -> None:
    with pytest.raises(BadInput, match="INGEST_API_KEYS: entry 1"):
        read_entries(entry)
