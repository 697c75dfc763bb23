"""Test that a transaction is whole or nothing, that two writers wait for each other, and that errors are sentences."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import Column, Integer, Table, func, select, text

from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.index.database import ABOUT, BYTEWISE, METADATA, Database

NOTES = Table("ingest_test_notes", METADATA, Column("name", BYTEWISE, primary_key=True), Column("count", Integer))


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.begin() as connection:
        connection.execute(NOTES.insert().values(name="a", count=1))
        raise RuntimeError
    with database.begin(writes=False) as connection:
        assert connection.execute(select(func.count()).select_from(NOTES)).scalar_one() == 0


def test_texts_sort_by_their_bytes(database: Database) -> None:
    names = ["b", "B", "ä", "a/b", "a-b", "a", "🜁", "\uffee"]
    with database.begin() as connection:
        connection.execute(NOTES.insert(), [{"name": name, "count": 0} for name in names])
    with database.begin(writes=False) as connection:
        found = connection.execute(select(NOTES.c.name).order_by(NOTES.c.name)).scalars().all()
    assert found == sorted(names, key=str.encode)


def test_writers_that_read_first_lose_no_update(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(NOTES.insert().values(name="a", count=0))
    together = Barrier(4)

    def count_up() -> None:
        together.wait(timeout=30)
        for _ in range(5):
            with database.begin() as connection:
                row = connection.execute(select(NOTES).where(NOTES.c.name == "a").with_for_update()).one()
                connection.execute(NOTES.update().values(count=row._mapping["count"] + 1))

    threads = [Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with database.begin(writes=False) as connection:
        assert connection.execute(select(NOTES.c.count)).scalar_one() == 20


def test_a_forked_process_opens_connections_of_its_own(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(NOTES.insert().values(name="parent", count=1))
    child = os.fork()
    if not child:
        failed = True
        try:
            with database.begin() as connection:
                connection.execute(NOTES.insert().values(name="child", count=1))
            failed = False
        finally:
            os._exit(failed)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with database.begin(writes=False) as connection:
        assert connection.execute(select(func.count()).select_from(NOTES)).scalar_one() == 2


def test_a_database_of_a_later_release_is_refused_by_name(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE ingest_about SET value = '99'"))
    database.close()
    later = Database(database._url.render_as_string(hide_password=False))
    with pytest.raises(ConfigError, match="layout 99"), later.begin():
        pass
    later.close()


def test_a_table_declared_after_the_opening_is_made_too(database: Database) -> None:
    with database.begin():
        pass
    late = Table(f"ingest_test_late_{database.name[-1]}", METADATA, Column("name", BYTEWISE, primary_key=True))
    try:
        with database.begin() as connection:
            connection.execute(late.insert().values(name="a"))
    finally:
        METADATA.remove(late)


@pytest.mark.slow
def test_a_server_that_is_away_is_named_without_its_password() -> None:
    away = Database("postgresql://ann:s3cret@127.0.0.1:1/index")
    with pytest.raises(OutsideError, match=r"127\.0\.0\.1/index") as raised, away.begin():
        pass
    assert "s3cret" not in str(raised.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.db").write_text("no database, but long enough to be taken for one" * 100)
    with pytest.raises(OutsideError, match="not a database"), Database(f"sqlite:///{tmp_path}/index.db").begin():
        pass


def test_while_it_is_held_open_sqlite_does_not_put_its_log_away_after_each_write(tmp_path: Path) -> None:
    database, log = Database(f"sqlite:///{tmp_path / 'index.db'}"), tmp_path / "index.db-wal"
    with database.held_open():
        with database.begin() as connection:
            connection.execute(ABOUT.insert().values(name="a", value="b"))
        assert log.stat().st_size > 0
        with database.begin(writes=False) as connection:
            assert connection.execute(ABOUT.select().where(ABOUT.c.name == "a")).one().value == "b"
    assert not log.exists()
