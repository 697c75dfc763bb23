"""Read documents that contain addresses in every possible place: no address is ever called."""

from __future__ import annotations

import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets_tests.parsers.capped_reader import CappedReader
from ingest_assets_tests.parsers.pdf.pdf_files import Line, Page, write
from ingest_assets_tests.parsers.reading import member, png, rewritten, word

pytestmark = pytest.mark.slow


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """Run a server that must not be called; yield its address and the list of calls."""
    calls: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, caller = server.accept()
            except OSError:
                return
            calls.append(str(caller))
            connection.close()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}", calls
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(timeout=10)


def call_from_pages(folder: Path, address: str) -> None:
    """Write an HTML, an XML and a Markdown file with an address in every possible place."""
    (folder / "a.html").write_text(
        f'<!DOCTYPE html SYSTEM "{address}/a.dtd"><html><head><link rel="stylesheet" href="{address}/a.css">'
        f'<base href="{address}/"><script src="{address}/a.js"></script></head><body background="{address}/b.png">'
        f'<iframe src="{address}/i.html"></iframe><p>It rained.<img src="{address}/a.png" alt="A gauge"></p>'
        f'<object data="{address}/o.svg"></object><script>fetch("{address}/x")</script></body></html>'
    )
    (folder / "a.xml").write_text(
        f'<?xml-stylesheet href="{address}/a.xsl"?><!DOCTYPE a SYSTEM "{address}/a.dtd" ['
        f'<!ENTITY x SYSTEM "{address}/x">'
        f'<!ENTITY % p SYSTEM "{address}/p">%p;]><a><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" '
        f'href="{address}/i.xml"/><b>It rained on the fourth of May. &x;</b></a>'
    )
    (folder / "a.md").write_text(f"# It rained\n\n![a gauge]({address}/a.png) [more]({address}/more)\n")


def call_from_word(folder: Path, address: str) -> None:
    """Write a Word document with a remote template and picture, and one with an external entity."""
    whole = word(folder / "whole.docx", png())
    external = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    template = (
        f"<Relationship Id='t' Type='{external}attachedTemplate' Target='{address}/t.dotm' TargetMode='External'/>"
    )
    settings = f"<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>{template}</Relationships>"
    picture = f"<Relationship Id='rId9999' Type='{external}image' Target='{address}/a.png' TargetMode='External'/>"
    relations = member(whole, "word/_rels/document.xml.rels").decode()
    body = member(whole, "word/document.xml").decode()
    entity = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{address}/x">]>'
    rewritten(
        whole,
        folder / "a.docx",
        {
            "word/_rels/settings.xml.rels": settings.encode(),
            "word/_rels/document.xml.rels": relations.replace(
                "</Relationships>", picture + "</Relationships>"
            ).encode(),
            "word/document.xml": body.replace("r:embed=", "r:link='rId9999' r:embed=").encode(),
        },
    )
    rewritten(
        whole,
        folder / "b.docx",
        {
            "word/document.xml": body.replace("<w:document", f"{entity}<w:document", 1)
            .replace("It rained", "&x; It rained")
            .encode()
        },
    )


def call_from_the_rest(folder: Path, address: str) -> None:
    """Write mails, a PDF and an archive that contain an address."""
    (folder / "a.eml").write_text(
        f"Subject: Rain\nContent-Type: text/html\n\n<p>It rained.</p><img src='{address}/pixel.gif'>\n"
    )
    (folder / "b.eml").write_text(
        "Subject: Rain\nMIME-Version: 1.0\nContent-Type: message/external-body; access-type=URL;"
        f' URL="{address}/body"\n\nContent-Type: text/plain\n\n'
    )
    action = b"/OpenAction<</S/URI/URI(%s/a)>>" % address.encode()
    write(folder / "a.pdf", [Page(lines=(Line("It rained on the fourth of May.", 72, 700),))], catalog=action)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.write(folder / "a.html", "a.html")


def test_nothing_is_fetched(tmp_path: Path, reader: CappedReader, listener: tuple[str, list[str]]) -> None:
    address, calls = listener
    for write_files in (call_from_pages, call_from_word, call_from_the_rest):
        write_files(tmp_path, address)
    for path in sorted(tmp_path.iterdir()):
        found = reader.read(path)
        assert found.finding == "", path.name
        assert found.chars or found.refused, path.name
    assert calls == []
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=10) as control:
        assert control.recv(1) == b""  # the server closes every connection at once
    assert len(calls) == 1
