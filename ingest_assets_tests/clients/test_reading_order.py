from __future__ import annotations

from ingest_assets.clients.reading_order import Box, in_reading_order


def line(text: str, *, left: float, top: float, width: float = 200) -> Box:
    return Box(left, top, left + width, top + 16, text)


def read(boxes: list[Box]) -> list[str]:
    return [" ".join(box.text for box in row) for row in in_reading_order(boxes)]


def test_nothing_is_read_from_nothing() -> None:
    assert read([]) == []


def test_columns_of_prose_are_read_one_after_the_other() -> None:
    left = [line(f"left {number}", left=0, top=number * 20) for number in range(6)]
    right = [line(f"right {number}", left=240, top=number * 20 + 3) for number in range(6)]
    assert read([*right, *left]) == [box.text for box in (*left, *right)]


def test_a_heading_over_both_columns_divides_the_page() -> None:
    upper, lower = 0, 200
    boxes = [line("heading", left=0, top=160, width=440)]
    for column, left in (("left", 0), ("right", 240)):
        for top in (upper, lower):
            boxes += [line(f"{column} {top + number}", left=left, top=top + number * 25) for number in range(6)]
    order = read(boxes)
    assert order.index("heading") == 12
    assert order[:12] == [f"{column} {number}" for column in ("left", "right") for number in range(6)]
    assert order[13:] == [f"{column} {200 + number}" for column in ("left", "right") for number in range(6)]


def test_cells_of_a_table_are_read_row_by_row() -> None:
    boxes = [
        line(f"{name}{number}", left=left, top=number * 20 + shift, width=40)
        for number in range(6)
        for name, left, shift in (("a", 0, 0), ("b", 100, 2), ("c", 200, 1))
    ]
    assert read(boxes[::-1]) == [f"a{number} b{number} c{number}" for number in range(6)]


def test_the_order_does_not_depend_on_the_order_of_detection() -> None:
    boxes = [line(f"{number}", left=number * 37 % 500, top=number * 53 % 400) for number in range(30)]
    assert read(boxes) == read(boxes[::-1]) == read(sorted(boxes, key=lambda box: box.text))
