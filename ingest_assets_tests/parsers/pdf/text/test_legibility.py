from __future__ import annotations

import random
import string

import pytest

from ingest_assets.parsers.pdf.text.legibility import is_language, looks_like_words

LANGUAGES = {
    "English": "The station keeps its own weather diary, and every morning somebody reads the instruments and writes"
    " down what they say before the first boat leaves the harbour.",
    "German": "Die Wetterwarte führt ein eigenes Tagebuch, und jeden Morgen liest jemand die Geräte ab und schreibt"
    " auf, was sie anzeigen, bevor das erste Schiff den Hafen verlässt.",
    "Polish": "Stacja prowadzi własny dziennik pogody, a każdego ranka ktoś odczytuje przyrządy i zapisuje, co"
    " pokazują, zanim pierwszy statek opuści port i wypłynie na morze.",
    "Turkish": "İstasyon kendi hava günlüğünü tutar ve her sabah birisi aletleri okuyup ilk tekne limandan ayrılmadan"
    " önce ne gösterdiklerini deftere yazar.",
    "Vietnamese": "Trạm giữ nhật ký thời tiết riêng, và mỗi sáng có người đọc các dụng cụ rồi ghi lại những gì chúng"
    " cho thấy trước khi chiếc thuyền đầu tiên rời bến cảng.",
    "Finnish": "Asema pitää omaa sääpäiväkirjaa, ja joka aamu joku lukee mittarit ja kirjoittaa muistiin, mitä ne"
    " näyttävät, ennen kuin ensimmäinen vene lähtee satamasta.",
    "Russian": "Станция ведёт собственный дневник погоды, и каждое утро кто-нибудь снимает показания приборов и"
    " записывает их прежде, чем первый катер выйдет из гавани.",
    "Chinese": "气象站有自己的天气日记，每天早晨，在第一艘船离开港口之前，总有人读取仪器并记下读数。" * 4,
    "Arabic": "تحتفظ المحطة بدفتر يوميات للطقس وفي كل صباح يقرأ أحدهم الأجهزة ويكتب ما تقوله قبل مغادرة أول قارب" * 2,
}


def shifted(text: str) -> str:
    """Number glyphs as TrueType subsets do: 29 below their letters."""
    return "".join(chr(ord(letter) - 29) if letter.isascii() and letter.isalpha() else letter for letter in text)


@pytest.mark.parametrize("text", LANGUAGES.values(), ids=LANGUAGES)
def test_languages_are_legible(text: str) -> None:
    assert is_language(text)
    assert looks_like_words(text)


@pytest.mark.parametrize("language", ["English", "German", "Finnish"])
def test_numbers_of_glyphs_are_not(language: str) -> None:
    assert not is_language(shifted(LANGUAGES[language]))
    assert not looks_like_words(shifted(LANGUAGES[language]))


def test_letters_in_another_order_are_not() -> None:
    alphabet = list(string.ascii_lowercase)
    random.Random(7).shuffle(alphabet)
    text = LANGUAGES["English"].lower().translate(str.maketrans(string.ascii_lowercase, "".join(alphabet)))
    assert not is_language(text)


def test_cyrillic_taken_for_latin_is_not() -> None:
    assert not is_language(LANGUAGES["Russian"].encode("cp1251").decode("latin-1"))


def test_a_few_words_are_given_the_benefit_of_the_doubt() -> None:
    assert is_language("Zwerg Xylophon Nr. 7")
