"""Test that languages are detected by script or by letter triples, with the same result each time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ingest_assets.clients.language_detector import language_of

SENTENCES = {
    "en": "The rain gauge is emptied every morning before the boat lands.",
    "de": "Der Regenmesser wird jeden Morgen geleert, bevor das Boot anlegt; dann wird der Stand notiert.",
    "fr": "Le pluviomètre est vidé chaque matin avant que le bateau accoste.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "ru": "Однажды, в студеную зимнюю пору, я из лесу вышел; был сильный мороз.",
    "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق",
    "ja": "わたくしといふ現象は假定された有機交流電燈のひとつの青い照明です",
    "zh": "人人生而自由，在尊严和权利上一律平等。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_tells_its_language(language: str) -> None:
    assert language_of(SENTENCES[language]) == language


@pytest.mark.parametrize("text", ["", "12 34 56", "→ ▦ •", "\ud800"])
def test_what_has_no_letters_has_no_language(text: str) -> None:
    assert language_of(text) == ""


def test_the_same_text_has_the_same_language_every_time() -> None:
    mixed = "Bonjour the house maison is casa verde and Haus"
    assert len({language_of(mixed) for _ in range(20)}) == 1


def test_scripts_are_told_without_reading_any_profile() -> None:
    code = (
        "import sys; from ingest_assets.clients.language_detector import language_of;"
        f"assert language_of({SENTENCES['ko']!r}) == 'ko'; assert 'langdetect' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
