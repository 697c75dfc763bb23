"""Test that one process at a time has the lease of a work, also when several ask at one moment."""

from __future__ import annotations

from threading import Barrier, Thread

from ingest_assets.index.database import Database
from ingest_assets.messaging.heartbeat import ALIVE_S
from ingest_assets.messaging.lease import hold, let_go


def test_the_lease_is_its_holders_until_it_is_too_old_or_given_back(database: Database) -> None:
    assert hold(database, "runs", holder="one", now=100)
    assert not hold(database, "runs", holder="two", now=100 + ALIVE_S - 1)
    assert hold(database, "runs", holder="one", now=120)
    assert hold(database, "runs", holder="two", now=120 + ALIVE_S)
    assert not hold(database, "runs", holder="one", now=120 + ALIVE_S)
    assert hold(database, "other work", holder="one", now=100)
    let_go(database, "runs", holder="one")
    assert not hold(database, "runs", holder="one", now=150)
    let_go(database, "runs", holder="two")
    assert hold(database, "runs", holder="one", now=150)


def test_hosts_whose_clocks_differ_agree_after_one_change(database: Database) -> None:
    assert hold(database, "runs", holder="slow", now=100)
    assert hold(database, "runs", holder="ahead by a minute", now=161)
    for second in range(30):
        assert not hold(database, "runs", holder="slow", now=101 + second)
        assert hold(database, "runs", holder="ahead by a minute", now=162 + second)


def test_of_processes_that_ask_at_one_moment_one_gets_it(database: Database) -> None:
    together, got = Barrier(5), list[str]()

    def ask(name: str) -> None:
        together.wait(timeout=30)
        if hold(database, "runs", holder=name):
            got.append(name)

    threads = [Thread(target=ask, args=(f"host {number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(got) == 1
