"""Find the OCR model of a language in RapidOCR's wheel or in the operator's folder.

Nothing is downloaded. The file names are those of RapidOCR (`arabic_PP-OCRv5_rec_mobile.onnx`), so that a file that it
downloaded on another machine can be copied into the folder.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

DETECTION_MODEL = "PP-OCRv6_det_small.onnx"
RECOGNITION_MODEL = "PP-OCRv6_rec_small.onnx"

# RapidOCR's name for the model in its wheel, which reads Chinese, Japanese and all languages in Latin letters.
SHIPPED_LANGUAGE = "ch"


def recognition_model(language: str, *, folder: Path | None) -> Path:
    """Find the recognition model of a language; a model in the folder is preferred to the one in the wheel.

    Raises:
        FileNotFoundError: there is none; the message says what to do.
    """
    found = sorted(folder.glob(f"{language}_PP-OCR*_rec_*.onnx")) if folder else []
    if found:
        return found[-1]  # the newest version: PP-OCRv5 before PP-OCRv4
    if language == SHIPPED_LANGUAGE:
        return model_path(RECOGNITION_MODEL)
    where = folder or "INGEST_OCR_MODEL_DIR, which is not set"
    raise FileNotFoundError(f"no model {language}_PP-OCR*_rec_*.onnx in {where}; copy one of RapidOCR's there")


def model_path(name: str) -> Path:
    """Return the path of a model in RapidOCR's wheel.

    Raises:
        FileNotFoundError: RapidOCR is not installed, or does not have the model.
    """
    package = find_spec("rapidocr")
    if package is None or package.origin is None:
        raise FileNotFoundError("rapidocr is not installed")
    path = Path(package.origin).parent / "models" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: install rapidocr 3.10.0, whose wheel holds it")
    return path
