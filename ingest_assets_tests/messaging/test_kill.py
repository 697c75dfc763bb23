"""Test that a deliverer killed at any moment loses nothing and lets nothing overtake."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from itertools import count as numbers_from
from pathlib import Path

import pytest

from ingest_assets.index.database import Database
from ingest_assets.messaging.outbox import LEASE_S
from ingest_assets.messaging.outbox_upkeep import count
from ingest_assets_tests.conftest import ROOT
from ingest_assets_tests.messaging.outbox_parts import WEBHOOK, SetClock, message, outbox_of
from testing.receiver import receiving

FILES, MESSAGES = "ab", 2


@pytest.mark.slow
def test_a_deliverer_killed_before_any_statement_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    """Repeats are allowed: what was answered and not yet noted is sent again."""
    url, clock = f"sqlite:///{tmp_path / 'index.db'}", SetClock()
    database = Database(url)
    outbox, heard, kills = outbox_of(database, clock), defaultdict(list), 0
    with receiving() as receiver:
        command = [sys.executable, "-m", "ingest_assets_tests.messaging.killed_deliverer", url, receiver.url]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as parent:
            assert parent.stdin is not None and parent.stdout is not None
            for moment in numbers_from(1):
                with database.begin() as connection:
                    for number in range(MESSAGES):
                        for letter in FILES:
                            told = message(f"ann:p:{letter}", f"{letter}{moment:02}{number}")
                            outbox.put(connection, told, targets=(WEBHOOK,))
                parent.stdin.write(f"{moment} {clock.seconds}\n")
                killed = parent.stdout.readline() == "-9\n"
                kills += killed
                clock.seconds += LEASE_S
                if not killed:
                    break
                parent.stdin.write(f"0 {clock.seconds}\n")  # another deliverer ends what the killed one began
                assert parent.stdout.readline() == "0\n"
                assert count(outbox).pending == 0
                clock.seconds += LEASE_S
            parent.stdin.close()
    database.close()
    for text in receiver.texts():
        heard[text[0]].append(text)
    wanted = [f"{moment:02}{number}" for moment in range(1, kills + 2) for number in range(MESSAGES)]
    assert kills >= 2 * len(FILES) * MESSAGES, "each message has a moment before and after it was noted"
    for letter in FILES:
        assert heard[letter] == sorted(heard[letter])
        assert list(dict.fromkeys(heard[letter])) == [letter + number for number in wanted]
