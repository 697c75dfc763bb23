"""Read the text in a picture with RapidOCR's PP-OCRv6 models on OpenVINO, in bounded memory.

The models, and the computation of boxes and text from their output, are those of the `rapidocr` package. The sessions
are our own, because those of RapidOCR take every picture at its full size and shape, and need 860 MB for a picture of
1600 x 1200. This module needs 350 MB, for these reasons:

- Detection uses one canvas of fixed size. OpenVINO plans its memory once, and the first picture is read a second
  sooner. A page is read in two such tiles at twice the resolution, which are joined before lines are found.
- Recognition reads line by line, at widths that are rounded up, at a finer resolution than detection.
- Each model frees its working memory before the other starts (6 ms, 85 MB).
- Blank margins are cut off, and the rest of the canvas is filled with copies of the picture. The detector compares
  regions with the whole canvas and misses a few words on an empty one (words found on 90 such pages: 90 against 42).
- There is no third model for upside-down text. If a page lies on its side, or its longest lines are read without
  confidence, a few lines are read in both directions, and the page is turned. A vertical line is also read both ways.

Numbers are float32: with bfloat16, which only some processors have, the same file would give different text. Two
threads give the same bits as one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest_assets.clients.ocr.layout import Line, confidence_of, text_of
from ingest_assets.clients.ocr.models import DETECTION_MODEL, SHIPPED_LANGUAGE, model_path, recognition_model

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
# Side of a tile: 960 as in PaddleOCR's server pipeline; 1280 needs 80 MB more.
CANVAS_PX = 960
# Longest side for detection (a page of A4 has 1,358), and the overlap of tiles, which is two lines of a heading.
MOST_TILED_PX, TILE_OVERLAP_PX = 2_000, 96
# A small picture is enlarged, because the detector misses print under 8 pixels; more than double does not help.
MOST_ENLARGED = 2.0
# JPEG changes white by less than this; and the detector needs some paper around a line.
MARGIN_TOLERANCE, MARGIN_PX = 24, 16
# Height of a line, and least width, with which the recogniser was trained.
LINE_HEIGHT_PX, LINE_WIDTH_PX = 48, 320
# Widths have steps, so that there are few shapes; longer lines are squeezed, because scores need 9 kB per pixel.
WIDTH_STEP_PX, MAX_LINE_WIDTH_PX = 160, 2_400
# RapidOCR's threshold: below it, textures and ornaments are read as letters.
MIN_SCORE = 0.5
# Height over width from which RapidOCR's own cutting turns a box to the left.
LYING = 1.5
# Number of lines that decide how a page is turned, and the mean score from which it counts as upright.
TRIED_LINES, SURE_SCORE = 5, 0.9


class Page(NamedTuple):
    """The text of a picture."""

    text: str
    confidence: float | None
    """Mean over the characters of all lines, also of those too uncertain to keep; None if there are none."""


class PlacedLine(NamedTuple):
    """A line of text and the upright box around it, in pixels of the picture from the top left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


class OcrReader:
    """The compiled models: one that finds lines, and one per language that reads them."""

    def __init__(self, languages: Sequence[str] = (SHIPPED_LANGUAGE,), *, folder: Path | None = None) -> None:
        import cv2
        from rapidocr.ch_ppocr_det.utils import DBPostProcess

        from ingest_assets.clients.embedding.openvino_runtime import openvino

        cv2.setNumThreads(1)
        core = openvino.Core()
        core.set_property("CPU", {"INFERENCE_NUM_THREADS": 2, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})
        detector = core.read_model(model_path(DETECTION_MODEL))
        detector.reshape([1, 3, CANVAS_PX, CANVAS_PX])
        self._detector = core.compile_model(detector, "CPU")
        self._recognisers = [_Recogniser(core, recognition_model(language, folder=folder)) for language in languages]
        # The values of rapidocr 3.10's config.yaml.
        self._find_boxes = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)

    def read(self, bgr: Pixels) -> Page:
        """Read a picture in BGR, also if it is turned by quarters."""
        lines = [line for line, _ in self._lines(bgr)]
        return Page(text_of([line for line in lines if line.score >= MIN_SCORE]), confidence_of(lines))

    def find(self, bgr: Pixels) -> list[PlacedLine]:
        """Read a picture in BGR, and return each line with its box."""
        return [PlacedLine(line.text, *box) for line, box in self._lines(bgr) if line.score >= MIN_SCORE and line.text]

    def _lines(self, bgr: Pixels) -> list[tuple[Line, Box]]:
        """Return the lines in the upright picture, and the box of each in the picture as it is."""
        left, top, right, bottom = _without_margins(bgr)
        upright, found, quarters = self._upright(bgr[top:bottom, left:right])
        placed = (_turned_back(corners, quarters, width=right - left, height=bottom - top) for corners in found)
        boxes = [(x0 + left, y0 + top, x1 + left, y1 + top) for x0, y0, x1, y1 in placed]
        lines = [self._line(upright, corners) for corners in found]
        for recogniser in self._recognisers:
            recogniser.free_memory()
        return list(zip(lines, boxes, strict=True))

    def _upright(self, bgr: Pixels) -> tuple[Pixels, list[Floats], int]:
        """Turn a picture upright, and find the corners of its lines; also return the quarter turns to the left."""
        import numpy as np

        found = self._detect(bgr)
        quarters = self._quarter_turns(bgr, found)
        if not quarters:
            return bgr, found, 0
        turned = np.ascontiguousarray(np.rot90(bgr, quarters))
        return turned, self._detect(turned), quarters

    def _quarter_turns(self, bgr: Pixels, found: Sequence[Floats]) -> int:
        """Return the quarter turns to the left that make a picture upright, by a few of its longest lines."""
        import numpy as np
        from rapidocr.utils.process_img import get_rotate_crop_image

        lengths = [max(_size(corners)) for corners in found]
        lying = [height >= LYING * width for width, height in map(_size, found)]
        is_lying = 2 * sum(length for length, lies in zip(lengths, lying, strict=True) if lies) > sum(lengths)
        alike = [index for index, lies in enumerate(lying) if lies is is_lying]
        longest = sorted(alike, key=lambda index: -lengths[index])[:TRIED_LINES]
        lines = [get_rotate_crop_image(bgr, found[index].copy()) for index in longest]  # turned to the left if they lie
        score = sum(self._read_line(line)[1] for line in lines)
        if not lines or (not is_lying and score >= SURE_SCORE * len(lines)):
            return 0
        other = sum(self._read_line(np.rot90(line, 2))[1] for line in lines)
        return is_lying + 2 * (other > score)

    def _line(self, bgr: Pixels, corners: Floats) -> Line:
        """Read one line; a vertical line is read in both directions, and the more certain text is kept."""
        import numpy as np
        from rapidocr.utils.process_img import get_rotate_crop_image

        line = get_rotate_crop_image(bgr, corners.copy())
        width, height = _size(corners)
        text, score = self._read_line(line)
        if height > width:
            text, score = max((text, score), self._read_line(np.rot90(line, 2)), key=lambda scored: scored[1])
        x, y = corners.mean(axis=0).tolist()
        along, down = (corners[1] - corners[0]).tolist()
        return Line(text.strip(), x, y, width, height, math.atan2(down, along), score)

    def _read_line(self, line: Pixels) -> tuple[str, float]:
        """Read one cut-out line with the model of each language, and return the most certain text and its score."""
        return max((one.read(line) for one in self._recognisers), key=lambda scored: scored[1])

    def _detect(self, bgr: Pixels) -> list[Floats]:
        """Return the four corners of each line, in pixels of the picture."""
        import cv2
        import numpy as np

        height, width = bgr.shape[:2]
        scale = _detection_scale(height, width)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        resized: Pixels = cv2.resize(bgr, size, interpolation=interpolation)  # type: ignore[assignment]  # of bytes, as its input
        found = self._map(resized)
        self._detector.release_memory()
        corners, _ = self._find_boxes(found[np.newaxis, np.newaxis], (height, width))
        return [np.asarray(one, dtype=np.float32) for one in corners]

    def _map(self, bgr: Pixels) -> Floats:
        """Return the probability of text for each pixel, tile by tile; of each tile the inner part is used."""
        import cv2
        import numpy as np

        height, width = bgr.shape[:2]
        found = np.zeros((height, width), dtype=np.float32)
        for top, upper, lower in _tiles(height):
            for left, first, last in _tiles(width):
                tile = bgr[top : top + CANVAS_PX, left : left + CANVAS_PX]
                again = (0, CANVAS_PX - tile.shape[0], 0, CANVAS_PX - tile.shape[1])
                canvas = _normal(cv2.copyMakeBorder(tile, *again, cv2.BORDER_WRAP))[np.newaxis]
                inner = self._detector(canvas)[0][0, 0, upper - top : lower - top, first - left : last - left]
                found[upper:lower, first:last] = inner
        return found


class _Recogniser:
    """A model that reads one line."""

    def __init__(self, core: Any, path: Path) -> None:
        from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

        model = core.read_model(path)
        self._decode = CTCLabelDecode(character=model.get_rt_info()["framework"]["character"].value.splitlines())
        self._model = core.compile_model(model, "CPU")

    def free_memory(self) -> None:
        """Free the working memory."""
        self._model.release_memory()

    def read(self, line: Pixels) -> tuple[str, float]:
        """Return the text of a line and the mean score of its characters."""
        import cv2
        import numpy as np

        height, width = line.shape[:2]
        if not height or not width:
            return "", 0.0
        wanted = min(math.ceil(LINE_HEIGHT_PX * width / height), MAX_LINE_WIDTH_PX)
        canvas_width = max(LINE_WIDTH_PX, math.ceil(wanted / WIDTH_STEP_PX) * WIDTH_STEP_PX)
        canvas = np.zeros((1, 3, LINE_HEIGHT_PX, canvas_width), dtype=np.float32)
        canvas[0, :, :, :wanted] = _normal(cv2.resize(np.ascontiguousarray(line), (wanted, LINE_HEIGHT_PX)))
        readings, _ = self._decode(self._model(canvas)[0])
        text, score = readings[0]
        return str(text), float(score)


def _detection_scale(height: int, width: int) -> float:
    """Return the scale of a picture for detection: its shorter side fills one tile, its longer side a few."""
    longest, shortest = max(height, width), min(height, width)
    if longest <= CANVAS_PX:
        return min(CANVAS_PX / longest, MOST_ENLARGED)
    return min(max(CANVAS_PX / shortest, CANVAS_PX / longest), MOST_TILED_PX / longest, 1.0)


def _tiles(length: int) -> list[tuple[int, int, int]]:
    """Divide a side into overlapping tiles: the start of each, and the start and end of the part that is used."""
    if length <= CANVAS_PX:
        return [(0, 0, length)]
    count = math.ceil((length - TILE_OVERLAP_PX) / (CANVAS_PX - TILE_OVERLAP_PX))
    starts = [round(index * (length - CANVAS_PX) / (count - 1)) for index in range(count)]
    seams = [0, *((after + before + CANVAS_PX) // 2 for before, after in pairwise(starts)), length]
    return [(start, first, last) for start, (first, last) in zip(starts, pairwise(seams), strict=True)]


def _size(corners: Floats) -> tuple[float, float]:
    """Return width and height of a box, which may be tilted, by its corners."""
    (a, b, c, d) = corners.tolist()
    return max(math.dist(a, b), math.dist(d, c)), max(math.dist(a, d), math.dist(b, c))


def _turned_back(corners: Floats, quarters: int, *, width: int, height: int) -> Box:
    """Return the box around some corners as it was before `quarters` turns to the left; sizes are those before."""
    points = [(float(x), float(y)) for x, y in corners.tolist()]
    match quarters % 4:
        case 1:
            points = [(width - y, x) for x, y in points]
        case 2:
            points = [(width - x, height - y) for x, y in points]
        case 3:
            points = [(y, height - x) for x, y in points]
    across, down = [x for x, _ in points], [y for _, y in points]
    return min(across), min(down), max(across), max(down)


def _without_margins(bgr: Pixels) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is left without margins in the colour of the top left corner."""
    import numpy as np

    paper = bgr[0, 0]
    difference = np.maximum(bgr, paper) - np.minimum(bgr, paper)  # in 8 bits: a picture can be 12 MB
    inked = difference.max(axis=2) > MARGIN_TOLERANCE
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    height, width = bgr.shape[:2]
    if not len(rows):
        return 0, 0, width, height
    top, left = max(0, int(rows[0]) - MARGIN_PX), max(0, int(columns[0]) - MARGIN_PX)
    return left, top, min(width, int(columns[-1]) + MARGIN_PX), min(height, int(rows[-1]) + MARGIN_PX)


def _normal(bgr: Any) -> Floats:
    """Scale 0-255 to -1..1, with the colour channels as first dimension."""
    import numpy as np

    scaled: Floats = bgr.transpose(2, 0, 1).astype(np.float32) * np.float32(2 / 255) - np.float32(1)
    return scaled
