from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

import pytest
from PIL import Image

from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.records import Caption, Picture
from ingest_assets.stages.caption import DECORATION, PAGE_UNREAD, REPEATED, SURE, PictureText, caption, model_of


def picture(width: int = 90, height: int = 60, *, page_number: int = 1, colours: int = 2) -> Picture:
    """A picture of its own for each size."""
    image = Image.new("RGB", (width, height), "white")
    if colours > 1:
        image.paste("black", (5, 5, 20, 20))
    file = io.BytesIO()
    image.save(file, "PNG")
    data = file.getvalue()
    return Picture(sha256(data).hexdigest(), "image/png", width, height, page_number, data)


class Sizer:
    """A captioner that reads a picture's width off its header, and refuses one width."""

    model = "sizer"

    def __init__(self, *, refuses: int = 0, away_at: int = 0, confidence: float | None = 1.0, text: str = "") -> None:
        self.refuses, self.away_at, self.confidence = refuses, away_at, confidence
        self.text = text
        self.asked: list[int] = []

    def caption(self, data: bytes) -> PictureText:
        with Image.open(io.BytesIO(data)) as image:
            width = image.width
        self.asked.append(width)
        if width == self.refuses:
            raise BadInput("picture: too wide for me")
        if width == self.away_at:
            raise OutsideError("gone")
        text = self.text or f"  wide \n\n \n {width}\r\n"
        return PictureText(text=text.strip("-"), confidence=self.confidence)


def captions(pictures: Iterable[Picture], captioner: Sizer) -> list[Caption]:
    return list(caption(pictures, load=no_load, captioner=captioner))


def no_load(key: str) -> bytes:
    raise AssertionError(f"{key} came with its data")


def test_each_distinct_picture_has_one_caption_in_order() -> None:
    first, second = picture(90), picture(80, page_number=4)
    found = captions([first, second, first, second], Sizer())
    assert [(one.picture, one.text, one.page_number, one.model) for one in found] == [
        (first.sha256, "wide\n\n90", 1, "sizer"),
        (second.sha256, "wide\n\n80", 4, "sizer"),
    ]


def test_text_is_tidied() -> None:
    assert captions([picture(90)], Sizer())[0].text == "wide\n\n90"


def test_a_picture_that_cannot_be_read_costs_itself_only() -> None:
    found = captions([picture(90), picture(80), picture(70)], Sizer(refuses=80))
    assert [one.problem for one in found] == ["", "picture: too wide for me", ""]
    assert [one.text for one in found] == ["wide\n\n90", "", "wide\n\n70"]


def test_a_text_below_the_threshold_is_kept_and_called_doubtful() -> None:
    sure, doubtful = (captions([picture()], Sizer(confidence=SURE + step))[0] for step in (0.01, -0.01))
    assert (sure.is_doubtful, doubtful.is_doubtful) == (False, True)
    assert doubtful.text == sure.text
    assert doubtful.confidence == SURE - 0.01


def test_a_page_with_lines_of_which_none_can_be_read_is_doubtful_and_a_photo_is_not() -> None:
    photo, page = picture(90), replace(picture(80), is_page=True)
    found = captions([photo, page], Sizer(confidence=0.3, text="-"))
    assert [(one.text, one.is_doubtful) for one in found] == [("", False), ("", True)]


def test_a_page_on_which_nothing_was_found_is_doubtful_and_a_photo_is_not() -> None:
    photo, page = picture(90), replace(picture(80), is_page=True)
    found = captions([photo, page], Sizer(confidence=None, text="-"))
    assert [one.is_doubtful for one in found] == [False, True]


def test_a_page_that_is_left_unread_by_choice_says_so() -> None:
    found = list(caption([picture(90), replace(picture(80), is_page=True)], load=no_load, captioner=None))
    assert [(one.problem, one.is_doubtful) for one in found] == [("", False), (PAGE_UNREAD, False)]


def test_decoration_is_answered_for_but_never_read() -> None:
    captioner = Sizer()
    found = captions([picture(400, 12), picture(200, 100, colours=1), picture(90)], captioner)
    assert captioner.asked == [90]
    assert [one.problem.startswith(DECORATION) for one in found] == [True, True, False]


def test_what_stands_on_most_pages_is_decoration() -> None:
    logo, captioner = picture(90), Sizer()
    found = list(caption([logo, picture(80)], load=no_load, captioner=captioner, repeated=frozenset({logo.sha256})))
    assert captioner.asked == [80]
    assert [one.problem for one in found] == [REPEATED, ""]


class Namer:
    """A describer that calls a picture by its size, and refuses one width."""

    model = "namer"

    def __init__(self, *, refuses: int = 0) -> None:
        self.refuses = refuses

    def describe(self, data: bytes) -> str:
        with Image.open(io.BytesIO(data)) as image:
            if image.width == self.refuses:
                raise BadInput("picture: words fail me")
            return f" a picture of {image.width} by {image.height}\n"


def test_a_picture_is_described_and_read_and_says_by_whom() -> None:
    (found,) = caption([picture(90)], load=no_load, captioner=Sizer(), describer=Namer())
    assert (found.caption, found.text, found.model) == ("a picture of 90 by 60", "wide\n\n90", "namer + sizer")
    assert model_of(Sizer(), Namer()) == "namer + sizer"


def test_a_page_is_read_and_never_described() -> None:
    page = replace(picture(90), is_page=True)
    (found,) = caption([page], load=no_load, captioner=Sizer(), describer=Namer())
    assert (found.text, found.model) == ("wide\n\n90", "sizer")
    assert found.caption == ""


def test_a_picture_says_why_the_describer_that_was_meant_for_it_does_not_run() -> None:
    pictures = [picture(90), replace(picture(80), is_page=True)]
    told, page = caption(pictures, load=no_load, captioner=Sizer(), undescribed="raise the cap")
    assert (told.text, told.model, told.problem) == ("wide\n\n90", "sizer", "no caption: raise the cap")
    assert page.problem == ""


def test_a_drawing_whose_words_are_text_is_described_and_never_read() -> None:
    drawing, captioner = replace(picture(90), has_text_layer=True), Sizer()
    (found,) = caption([drawing], load=no_load, captioner=captioner, describer=Namer())
    assert (found.caption, found.text, found.model) == ("a picture of 90 by 60", "", "namer")
    (alone,) = captions([drawing], captioner)
    assert (alone.caption, alone.text, alone.problem, captioner.asked) == ("", "", "", [])


def test_what_was_read_stays_where_nothing_can_be_said_and_the_other_way_round() -> None:
    unsaid, unread, neither = (
        next(caption([picture(90)], load=no_load, captioner=Sizer(refuses=reads), describer=Namer(refuses=says)))
        for reads, says in ((0, 90), (90, 0), (90, 90))
    )
    assert (unsaid.text, unsaid.model) == ("wide\n\n90", "sizer")
    assert unsaid.problem == "no caption: picture: words fail me"
    assert (unread.caption, unread.text) == ("a picture of 90 by 60", "")
    assert unread.problem == "picture: too wide for me"
    assert neither.problem == "picture: too wide for me; no caption: picture: words fail me"


def test_bytes_are_loaded_where_a_picture_carries_none() -> None:
    whole = picture(90)
    kept = Picture(whole.sha256, whole.media_type, whole.width, whole.height, whole.page_number)
    found = list(caption([kept], load={whole.sha256: whole.data}.__getitem__, captioner=Sizer()))
    assert found[0].text == "wide\n\n90"


def test_captions_come_as_the_pictures_do() -> None:
    captioner = Sizer()
    one_by_one = caption(iter([picture(90), picture(80)]), load=no_load, captioner=captioner)
    next(one_by_one)
    assert captioner.asked == [90]


def test_a_captioner_that_is_away_ends_the_stage() -> None:
    with pytest.raises(OutsideError):
        captions([picture(90), picture(80)], Sizer(away_at=80))
