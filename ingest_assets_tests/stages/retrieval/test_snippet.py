"""Test that the snippet of a search result shows the sentences that answer the question."""

from __future__ import annotations

import pytest

from ingest_assets.stages.retrieval.snippet import snippet_of

HANDBOOK = """Mean wind speed by month over thirty
years, in knots.

4. Power

The hut runs on a bank of twelve batteries at 24 volts, charged by two solar panels from April to September and by the \
small wind turbine for the rest of the year. The controller in the porch decides which of them charges.

Read the bank's voltage every evening at six and write it on the card. Above 25.2 volts all is well. Between 23.6 and \
25.2 switch off the water heater and the second freezer. When the reading falls below 23.6 volts start the diesel \
generator and let it run for four hours, no less, because short runs soot up the exhaust. The diagram shows what is \
wired to what.

Power plan
Solar panels 2 x 120 W

Diesel generator 3 kW

Batteries 24 V, 600 Ah

Generator: fuse F7, 40 A

Figure 3. Power at the station, and when to start
the generator.

Diesel is kept in the green shed, never in the hut. There is room for six hundred litres."""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("At what battery voltage must the diesel generator be started?", "below 23.6 volts"),
        ("How much diesel is there room for?", "room for six hundred litres"),
        ("fuse F7", "fuse F7, 40 A"),
        ("What charges the batteries?", "two solar panels from April to September"),
    ],
)
def test_the_sentence_that_answers_is_shown(question: str, answer: str) -> None:
    shown = snippet_of(HANDBOOK, question)
    assert answer in shown
    assert len(shown.replace("…", "").split()) <= 40


def test_a_snippet_begins_and_ends_with_sentences_and_says_what_is_left_out() -> None:
    shown = snippet_of(HANDBOOK, "When is the diesel generator started?", max_words=35)
    assert shown.startswith("… When the reading falls below 23.6 volts")
    assert shown.endswith("wired to what. …")


def test_a_short_text_is_shown_whole() -> None:
    assert snippet_of("The lamp is lit\nat dusk.", "lamp") == "The lamp is lit at dusk."


def test_of_a_sentence_that_is_too_long_the_stretch_with_the_words_is_shown() -> None:
    text = " ".join(f"w{number}" for number in range(200))
    assert snippet_of(text, "w150", max_words=10) == "… " + " ".join(f"w{number}" for number in range(141, 151)) + " …"


def test_a_heading_that_asks_the_question_does_not_stand_alone() -> None:
    text = "Where are the keys?\n\nThe keys hang under the clock.\n\n" + "Nothing of it is said here. " * 20
    assert "under the clock" in snippet_of(text, "Where are the keys?", max_words=10)


def test_words_that_are_written_without_spaces_are_found() -> None:
    text = (
        "\u706f\u53f0\u306f\u591c\u306b\u5149\u308b\u3002" * 20
        + "\u8239\u306f\u706b\u66dc\u65e5\u306b\u51fa\u308b\u3002"
    )
    assert "\u706b\u66dc\u65e5" in snippet_of(text, "\u8239\u306f\u3044\u3064\u51fa\u308b")


def test_a_question_of_which_no_word_stands_in_the_text_shows_its_beginning() -> None:
    assert snippet_of(HANDBOOK, "zebra").startswith("Mean wind speed")
    assert snippet_of("", "zebra") == ""
