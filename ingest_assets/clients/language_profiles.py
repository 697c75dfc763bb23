"""Read langdetect's profiles: how often each triple of letters occurs in texts of 55 languages.

Import this module late: the profiles take 0.36 s of processor time and 40 MB (`learn_modules` of dagster.yaml).
"""

from __future__ import annotations

from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

_SEED = 0


def _detectors() -> DetectorFactory:
    factory = DetectorFactory()
    factory.seed = _SEED
    factory.load_profile(PROFILES_DIRECTORY)
    return factory


DETECTORS = _detectors()
"""Makes detectors; seeded, because they draw samples at random, and the same text must always get the same language."""
