"""The pictures of the sample files, drawn: each holds text that stands nowhere else in its document."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

INK, PALE, BLUE, ORANGE = "#1d2b3a", "#e8eef4", "#3b78b5", "#d9822b"


def rain_gauge() -> Image.Image:
    """Where the water goes, and when each part is emptied."""
    image, draw = _sheet(900, 620, "Rain gauge: when to empty what")
    draw.polygon([(140, 130), (380, 130), (285, 230), (235, 230)], fill=PALE, outline=INK, width=4)
    draw.rectangle((180, 230, 340, 560), outline=INK, width=4)
    draw.rectangle((235, 230, 285, 470), fill=BLUE, outline=INK, width=3)
    labels = [
        (150, 150, "Funnel", "brush weekly"),
        (285, 330, "Measuring tube", "every day at 09:00 UTC"),
        (340, 520, "Overflow can", "Mondays and Thursdays"),
    ]
    for left, top, name, when in labels:
        draw.line((max(left, 350), top + 12, 430, top + 12), fill=INK, width=3)
        draw.text((445, top - 16), name, fill=INK, font=ImageFont.load_default(30))
        draw.text((445, top + 20), when, fill=ORANGE, font=ImageFont.load_default(28))
    return image


def wind_by_month() -> Image.Image:
    """A chart of bars with its figures above them."""
    image, draw = _sheet(900, 560, "Mean wind by month (knots)")
    knots = (27, 25, 22, 18, 15, 13, 12, 14, 18, 21, 24, 28)
    for number, (month, speed) in enumerate(zip("JFMAMJJASOND", knots, strict=True)):
        left = 60 + number * 66
        draw.rectangle((left, 490 - speed * 13, left + 44, 490), fill=ORANGE if speed >= 25 else BLUE)
        draw.text((left + 22, 474 - speed * 13), str(speed), fill=INK, font=ImageFont.load_default(26), anchor="mm")
        draw.text((left + 22, 515), month, fill=INK, font=ImageFont.load_default(26), anchor="mm")
    draw.line((50, 490, 860, 490), fill=INK, width=3)
    return image


def power_plan() -> Image.Image:
    """Boxes and arrows."""
    image, draw = _sheet(900, 560, "Power plan")
    boxes = {
        (50, 110, 350, 200): "Solar panels 2 x 120 W",
        (50, 230, 350, 320): "Wind turbine 400 W",
        (50, 430, 350, 520): "Diesel generator 3 kW",
        (500, 170, 850, 260): "Batteries 24 V, 600 Ah",
        (500, 340, 660, 430): "Radio",
        (690, 340, 850, 430): "Heater",
    }
    for (left, top, right, bottom), name in boxes.items():
        draw.rounded_rectangle((left, top, right, bottom), 12, fill=PALE, outline=INK, width=3)
        middle = ((left + right) / 2, (top + bottom) / 2)
        draw.text(middle, name, fill=INK, font=ImageFont.load_default(25), anchor="mm")
    for line in ((350, 155, 500, 200), (350, 275, 500, 230), (580, 260, 580, 340), (770, 260, 770, 340)):
        draw.line(line, fill=BLUE, width=4)
    draw.line((350, 475, 420, 475, 420, 300, 530, 300, 530, 260), fill=ORANGE, width=4)
    draw.text((440, 470), "Generator: fuse F7, 40 A", fill=ORANGE, font=ImageFont.load_default(27))
    return image


def boat_times() -> Image.Image:
    """A timetable on a board."""
    image, draw = _sheet(800, 420, "Supply boat Marit")
    rows = [
        ("", "Tuesday", "Friday"),
        ("Leaves Kelling", "07:40", "13:15"),
        ("Arrives Hollow Skerry", "08:30", "14:05"),
        ("Leaves Hollow Skerry", "10:00", "16:30"),
    ]
    for number, row in enumerate(rows):
        for left, text in zip((50, 430, 610), row, strict=True):
            draw.text((left, 120 + number * 62), text, fill=INK, font=ImageFont.load_default(30))
    return image


def storm_colours() -> Image.Image:
    """A scale of three colours."""
    image, draw = _sheet(800, 460, "Gusts and colours")
    scale = [("#f2d024", "Yellow: gusts over 34 knots"), ("#f0962e", "Amber: gusts over 48 knots")]
    for number, (colour, text) in enumerate([*scale, ("#d64533", "Red: gusts over 64 knots")]):
        draw.rectangle((50, 120 + number * 105, 750, 205 + number * 105), fill=colour)
        draw.text((80, 162 + number * 105), text, fill="black", font=ImageFont.load_default(34), anchor="lm")
    return image


def flags() -> Image.Image:
    """Three flags and what they mean."""
    image, draw = _sheet(560, 330, "Flags")
    meanings = [("#d64533", "Red: boat leaves now"), ("#3b78b5", "Blue: landing closed")]
    for number, (colour, text) in enumerate([*meanings, ("#f2d024", "Yellow: stay on the path")]):
        draw.rectangle((40, 95 + number * 75, 130, 150 + number * 75), fill=colour, outline=INK, width=2)
        draw.text((155, 122 + number * 75), text, fill=INK, font=ImageFont.load_default(28), anchor="lm")
    return image


def _sheet(width: int, height: int, title: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width - 1, height - 1), outline=INK, width=3)
    draw.text((40, 30), title, fill=INK, font=ImageFont.load_default(38))
    return image, draw
