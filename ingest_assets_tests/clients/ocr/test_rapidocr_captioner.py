"""The captioner reads pictures in a worker process, and survives its death."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ingest_assets.clients.ocr.models import RECOGNITION_MODEL, model_path
from ingest_assets.clients.ocr.rapidocr_captioner import RapidOcrCaptioner
from ingest_assets.errors import BadInput, ConfigError, OutsideError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def captioner() -> Iterator[RapidOcrCaptioner]:
    with RapidOcrCaptioner() as captioner:
        yield captioner


def page(lines: list[str], *, width: int = 1600, height: int = 1200, size: int = 32) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((60, 40 + number * size * 1.6), line, fill="black", font=ImageFont.load_default(size))
    return image


def saved(image: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


@pytest.fixture
def children(captioner: RapidOcrCaptioner) -> Callable[[], list[psutil.Process]]:
    """Lists the workers that run beside the shared one."""
    captioner.close()
    return lambda: [one for one in psutil.Process().children() if "ocr.worker" in " ".join(one.cmdline())]


def test_printed_lines_are_read_in_order(captioner: RapidOcrCaptioner) -> None:
    lines = ["Rain gauge emptied at 09:00", "Anemometer: 14 m/s", "Next visit in 3 weeks"]
    assert captioner.caption(saved(page(lines))).text.splitlines() == lines


def test_small_print_on_a_small_picture_is_read(captioner: RapidOcrCaptioner) -> None:
    small = page(["Total: 42 seeds"], width=220, height=60, size=14).crop((40, 30, 220, 70))
    assert captioner.caption(saved(small)).text == "Total: 42 seeds"


def test_a_vertical_label_is_read_from_either_side(captioner: RapidOcrCaptioner) -> None:
    label = page(["Rainfall in millimetres"], width=560, height=120, size=40)
    for turned in (label.transpose(Image.Transpose.ROTATE_90), label.transpose(Image.Transpose.ROTATE_270)):
        assert captioner.caption(saved(turned)).text == "Rainfall in millimetres"


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_page_is_read_whichever_way_it_was_laid_on_the_scanner(captioner: RapidOcrCaptioner, turned: int) -> None:
    lines = [f"{number}. The keeper wound the clock at {number} and wrote it down" for number in range(1, 9)]
    reading = captioner.caption(saved(page(lines, width=1240, height=1754).rotate(turned, expand=True)))
    assert reading.text.split("\n\n") == lines
    assert reading.confidence is not None and reading.confidence > 0.95


def test_a_page_set_slanting_is_read_in_order(captioner: RapidOcrCaptioner) -> None:
    lines = [f"Row {number} of the ledger holds {number * 37} sacks of rye" for number in range(12, 24)]
    slanting = page(lines, width=1240, height=1754).rotate(2.5, fillcolor="white")
    assert captioner.caption(saved(slanting)).text == " ".join(lines)


def test_columns_are_read_one_after_the_other_and_their_words_are_joined(captioner: RapidOcrCaptioner) -> None:
    left = [
        *("The lighthouse was lit for the", "first time in the autumn of the", "year in which the harbour was"),
        *("dredged, and nobody remem-", "bers who lit it or why it was", "not lit before, although there"),
    ]
    right = [
        *("had been oil enough in store", "since the spring, as the old", "bills of the chandler show in"),
        *("some detail. The keeper came", "later, and stayed for thirty", "years without one day of leave."),
    ]
    sheet = page(left, size=30)
    sheet.paste(page(right, size=30).crop((0, 0, 760, 1200)), (620, 0))
    text = captioner.caption(saved(sheet)).text
    assert text == " ".join([*left, *right]).replace("remem- bers", "remembers")


def test_nothing_is_found_on_a_blank_page(captioner: RapidOcrCaptioner) -> None:
    reading = captioner.caption(saved(Image.new("L", (1240, 1754), 250)))
    assert (reading.text, reading.confidence) == ("", None)


def test_a_language_is_read_by_the_model_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "latin_PP-OCRv5_rec_mobile.onnx").write_bytes(model_path(RECOGNITION_MODEL).read_bytes())
    with RapidOcrCaptioner(["latin", "ch"], models=tmp_path) as captioner:
        assert captioner.caption(saved(page(["Two models, one text"], height=200))).text == "Two models, one text"
        assert "latin_PP-OCRv5_rec_mobile" in captioner.model
    with pytest.raises(ConfigError, match="no model greek_PP-OCR"):
        _ = RapidOcrCaptioner(["greek"], models=tmp_path).model


def test_a_see_through_picture_is_read_as_on_paper(captioner: RapidOcrCaptioner) -> None:
    ink = page(["Transparent ink"], width=700, height=160)
    glass = Image.new("RGBA", ink.size, (0, 0, 0, 0))
    glass.putalpha(ImageOps.invert(ink.convert("L")))
    assert captioner.caption(saved(glass)).text == "Transparent ink"


def test_a_photo_is_read_upright(captioner: RapidOcrCaptioner) -> None:
    turned = page(["Held sideways"], width=700, height=160).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn a quarter to the right to view
    assert captioner.caption(saved(turned, "JPEG", exif=exif)).text == "Held sideways"


def test_a_picture_without_text_has_none(captioner: RapidOcrCaptioner) -> None:
    assert captioner.caption(saved(Image.radial_gradient("L").resize((640, 480)))).text == ""


def test_a_damaged_picture_is_refused_and_the_next_is_read(captioner: RapidOcrCaptioner) -> None:
    data = saved(page(["Whole again"]))
    with pytest.raises(BadInput, match="picture: damaged"):
        captioner.caption(data[: len(data) // 2])
    assert captioner.caption(data).text == "Whole again"


def test_the_same_picture_is_read_the_same_after_others(captioner: RapidOcrCaptioner) -> None:
    data = saved(page([f"Line {number} of the log book, wind {number * 7} knots" for number in range(12)]))
    first = captioner.caption(data)
    captioner.caption(saved(page(["Something else"], width=900, height=300)))
    assert captioner.caption(data) == first


def test_a_large_picture_needs_little_more_memory_than_a_small_one() -> None:
    peaks = []
    for picture in (page(["Hello"], width=300, height=120), page(["A wall map"] * 60, width=3600, height=4800)):
        with RapidOcrCaptioner() as captioner:
            captioner.caption(saved(picture))
            peaks.append(captioner.peak_memory_mb)
    small, large = peaks  # what the libraries themselves take differs from processor to processor
    assert 100 < small < 600
    assert large < small + 150


def test_nothing_runs_before_the_first_picture_and_after_the_last(children: Callable[[], list[psutil.Process]]) -> None:
    with RapidOcrCaptioner() as captioner:
        assert children() == []
        captioner.caption(saved(page(["Hello"], width=300, height=120)))
        assert len(children()) == 1
    assert children() == []


def test_a_picture_past_the_time_limit_is_given_up(children: Callable[[], list[psutil.Process]]) -> None:
    with RapidOcrCaptioner(time_limit_s=0.05) as captioner:  # less than a Python process takes to start
        with pytest.raises(BadInput, match=r"not read within 0\.05 seconds"):
            captioner.caption(saved(page(["Hello"])))
        assert children() == []


def test_a_crash_costs_its_picture_and_a_kill_the_run(children: Callable[[], list[psutil.Process]]) -> None:
    data = saved(page(["Hello again"], width=500, height=120))
    with RapidOcrCaptioner() as captioner:
        captioner.caption(data)
        ends = ((signal.SIGSEGV, BadInput), (signal.SIGKILL, OutsideError), (signal.SIGABRT, MemoryError))
        for number, error in ends:
            (worker,) = children()
            os.kill(worker.pid, number)
            with pytest.raises(error, match=f"signal {number.value}"):
                captioner.caption(data)
            assert captioner.caption(data).text == "Hello again"


def test_the_worker_dies_with_its_parent() -> None:
    program = (
        "import io, sys, psutil\n"
        "from PIL import Image\n"
        "from ingest_assets.clients.ocr.rapidocr_captioner import RapidOcrCaptioner\n"
        "captioner = RapidOcrCaptioner()\n"
        "file = io.BytesIO(); Image.new('L', (64, 64)).save(file, 'PNG')\n"
        "captioner.caption(file.getvalue())\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdin is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    assert psutil.wait_procs([worker], timeout=10)[1] == []
