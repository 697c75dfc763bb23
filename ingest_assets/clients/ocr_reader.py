"""A picture's pixels in, its lines of text out: RapidOCR's PP-OCRv6 models on OpenVINO, in bounded memory.

The models and the arithmetic around them (boxes from the detector's map, text from the recogniser's scores) are those
of the `rapidocr` package; the sessions are ours, because its own take every picture at its full size and shape: 860 MB
for a picture of 1600 x 1200, where this takes 350. What makes the difference:

- detection on one canvas of fixed size: OpenVINO plans its memory once, and the first picture comes a second sooner;
- recognition line by line, at widths rounded up, cut from the picture at a finer resolution than was detected on;
- each model lets go of its working memory before the other starts (6 ms, 85 MB);
- blank margins are cut off and the rest of the canvas is filled with the picture again: the detector weighs what it
  sees against the whole, and misses a few words on an empty page (found of 90 such pages: 90, against 42);
- no third model for text that stands on its head: a vertical line is read both ways and the surer reading is kept.

Numbers are float32: with bfloat16 where the processor has it, the same file would yield other text elsewhere. Two
threads give the same bits as one.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest_assets.clients.reading_order import Box, in_reading_order

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]

DETECTION_MODEL = "PP-OCRv6_det_small.onnx"
RECOGNITION_MODEL = "PP-OCRv6_rec_small.onnx"

# Detection sees at most this side: 960 is where PaddleOCR's own server pipeline puts it; 1280 takes 80 MB more.
CANVAS_PX = 960
# A small picture is enlarged, as the detector misses print under 8 pixels; past double there is nothing to gain.
MOST_ENLARGED = 2.0
# What JPEG makes of white differs by less; and the detector wants some paper around a line.
MARGIN_TOLERANCE, MARGIN_PX = 24, 16
# Height of a line as the recogniser was trained, and the narrowest it was trained on.
LINE_HEIGHT_PX, LINE_WIDTH_PX = 48, 320
# Widths go up in steps, so that few shapes are met; longer lines are squeezed: their scores take 9 kB a pixel.
WIDTH_STEP_PX, MAX_LINE_WIDTH_PX = 160, 2_400
# RapidOCR's own threshold: below it, textures and ornaments are read as letters.
MIN_SCORE = 0.5


class OcrReader:
    """The two models, compiled."""

    def __init__(self) -> None:
        import cv2
        from rapidocr.ch_ppocr_det.utils import DBPostProcess
        from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

        from ingest_assets.clients.openvino_runtime import openvino

        cv2.setNumThreads(1)
        core = openvino.Core()
        core.set_property("CPU", {"INFERENCE_NUM_THREADS": 2, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})
        detector = core.read_model(_model_path(DETECTION_MODEL))
        detector.reshape([1, 3, CANVAS_PX, CANVAS_PX])
        self._detector = core.compile_model(detector, "CPU")
        recogniser = core.read_model(_model_path(RECOGNITION_MODEL))
        characters = recogniser.get_rt_info()["framework"]["character"].value.splitlines()
        self._recogniser = core.compile_model(recogniser, "CPU")
        # The values of rapidocr 3.10's config.yaml.
        self._find_boxes = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)
        self._decode = CTCLabelDecode(character=characters)

    def read(self, bgr: Pixels) -> str:
        """Read a picture, blue first: its lines in reading order, joined by line ends; empty where there is no text."""
        from rapidocr.utils.process_img import get_rotate_crop_image

        bgr = _without_margins(bgr)
        boxes = []
        for corners in self._detect(bgr):
            text, score = self._recognise(get_rotate_crop_image(bgr, corners.copy()), corners)
            if text and score >= MIN_SCORE:
                (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
                boxes.append(Box(left, top, right, bottom, text))
        self._recogniser.release_memory()
        return "\n".join(" ".join(box.text for box in row) for row in in_reading_order(boxes))

    def _detect(self, bgr: Pixels) -> list[Floats]:
        """Find the corners of each line, in pixels of the picture."""
        import cv2
        import numpy as np

        height, width = bgr.shape[:2]
        scale = min(CANVAS_PX / max(height, width), MOST_ENLARGED)
        inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(bgr, (inner_width, inner_height), interpolation=interpolation)
        again = (0, CANVAS_PX - inner_height, 0, CANVAS_PX - inner_width)
        canvas = _normal(cv2.copyMakeBorder(resized, *again, cv2.BORDER_WRAP))[np.newaxis]
        found = self._detector(canvas)[0][:, :, :inner_height, :inner_width]
        self._detector.release_memory()
        corners, _ = self._find_boxes(found, (height, width))
        return [np.asarray(one, dtype=np.float32) for one in corners]

    def _recognise(self, line: Pixels, corners: Floats) -> tuple[str, float]:
        """Read one cut-out line; of a vertical one, the surer of both directions."""
        import numpy as np

        text, score = self._read_line(line)
        width, height = (corners.max(axis=0) - corners.min(axis=0)).tolist()
        if height > width:
            text, score = max((text, score), self._read_line(np.rot90(line, 2)), key=lambda reading: reading[1])
        return text.strip(), score

    def _read_line(self, line: Pixels) -> tuple[str, float]:
        import cv2
        import numpy as np

        height, width = line.shape[:2]
        if not height or not width:
            return "", 0.0
        wanted = min(math.ceil(LINE_HEIGHT_PX * width / height), MAX_LINE_WIDTH_PX)
        canvas_width = max(LINE_WIDTH_PX, math.ceil(wanted / WIDTH_STEP_PX) * WIDTH_STEP_PX)
        canvas = np.zeros((1, 3, LINE_HEIGHT_PX, canvas_width), dtype=np.float32)
        canvas[0, :, :, :wanted] = _normal(cv2.resize(np.ascontiguousarray(line), (wanted, LINE_HEIGHT_PX)))
        readings, _ = self._decode(self._recogniser(canvas)[0])
        text, score = readings[0]
        return str(text), float(score)


def _without_margins(bgr: Pixels) -> Pixels:
    """Cut off what has the colour of the top left corner all around, but for a little."""
    import numpy as np

    paper = bgr[0, 0]
    difference = np.maximum(bgr, paper) - np.minimum(bgr, paper)  # in 8 bits: a picture can be 12 MB
    inked = difference.max(axis=2) > MARGIN_TOLERANCE
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        return bgr
    top, left = max(0, rows[0] - MARGIN_PX), max(0, columns[0] - MARGIN_PX)
    return bgr[top : rows[-1] + MARGIN_PX, left : columns[-1] + MARGIN_PX]


def _normal(bgr: Any) -> Floats:
    """Scale 0-255 to -1..1, colours first."""
    import numpy as np

    scaled: Floats = bgr.transpose(2, 0, 1).astype(np.float32) * np.float32(2 / 255) - np.float32(1)
    return scaled


def _model_path(name: str) -> Path:
    """Find a model in the wheel, where it is looked for and nowhere else: nothing is ever fetched."""
    package = find_spec("rapidocr")
    if package is None or package.origin is None:
        raise FileNotFoundError("rapidocr is not installed")
    path = Path(package.origin).parent / "models" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: install rapidocr 3.10.0, whose wheel holds it")
    return path
