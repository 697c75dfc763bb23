"""A language in, the file of the model that reads it out: from RapidOCR's wheel, or from the operator's folder.

Files are looked for in those two places and nowhere else: nothing is ever fetched. The names are RapidOCR's own
(`arabic_PP-OCRv5_rec_mobile.onnx`), so that what it downloads elsewhere can be laid into the folder as it is.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

DETECTION_MODEL = "PP-OCRv6_det_small.onnx"
RECOGNITION_MODEL = "PP-OCRv6_rec_small.onnx"

# What RapidOCR calls the model of its wheel: Chinese and Japanese, and everything that is written in Latin letters.
SHIPPED_LANGUAGE = "ch"


def recognition_model(language: str, *, folder: Path | None) -> Path:
    """Find the model that reads a language; one in the folder goes before the one in the wheel.

    Raises:
        FileNotFoundError: there is none, with what to do.
    """
    found = sorted(folder.glob(f"{language}_PP-OCR*_rec_*.onnx")) if folder else []
    if found:
        return found[-1]  # of several versions the newest: PP-OCRv5 before PP-OCRv4
    if language == SHIPPED_LANGUAGE:
        return model_path(RECOGNITION_MODEL)
    where = folder or "INGEST_OCR_MODEL_DIR, which is not set"
    raise FileNotFoundError(f"no model {language}_PP-OCR*_rec_*.onnx in {where}; lay one of RapidOCR's there")


def model_path(name: str) -> Path:
    """Find a model in RapidOCR's wheel.

    Raises:
        FileNotFoundError: it is not there.
    """
    package = find_spec("rapidocr")
    if package is None or package.origin is None:
        raise FileNotFoundError("rapidocr is not installed")
    path = Path(package.origin).parent / "models" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: install rapidocr 3.10.0, whose wheel holds it")
    return path
