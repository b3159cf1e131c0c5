"""Pictures that people bring although they show no digit."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def sheet(colour: tuple[int, int, int] = WHITE) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (600, 600), colour)
    return image, ImageDraw.Draw(image)


def star() -> Image.Image:
    image, pen = sheet()
    reach = [240 if corner % 2 == 0 else 96 for corner in range(10)]
    angles = [-math.pi / 2 + corner * math.pi / 5 for corner in range(10)]
    points = [(300 + r * math.cos(a), 300 + r * math.sin(a)) for r, a in zip(reach, angles, strict=True)]
    pen.polygon(points, fill=(240, 180, 20))
    return image


def smiley() -> Image.Image:
    image, pen = sheet()
    pen.ellipse((100, 100, 500, 500), outline=BLACK, width=14)
    pen.ellipse((210, 220, 250, 260), fill=BLACK)
    pen.ellipse((350, 220, 390, 260), fill=BLACK)
    pen.arc((200, 230, 400, 420), 20, 160, fill=BLACK, width=14)
    return image


def house() -> Image.Image:
    image, pen = sheet()
    pen.rectangle((150, 280, 450, 520), outline=BLACK, width=10)
    pen.line((120, 290, 300, 120, 480, 290), fill=BLACK, width=10)
    pen.rectangle((270, 400, 330, 520), outline=BLACK, width=8)
    pen.rectangle((180, 320, 240, 380), outline=BLACK, width=8)
    return image


def squares() -> Image.Image:
    cells = np.random.default_rng(1).integers(0, 2, (25, 25)) * 255
    return Image.fromarray(cells.astype(np.uint8)).resize((500, 500), Image.Resampling.NEAREST)


def words() -> Image.Image:
    image, pen = sheet((250, 248, 240))
    pen.text((60, 250), "Hello world", fill=(20, 20, 60), font=ImageFont.load_default(90))
    return image


def cat() -> Image.Image:
    image, pen = sheet((90, 160, 230))
    pen.ellipse((180, 120, 420, 380), fill=(200, 140, 80))
    pen.polygon([(200, 180), (190, 60), (280, 140)], fill=(200, 140, 80))
    pen.polygon([(400, 180), (410, 60), (320, 140)], fill=(200, 140, 80))
    pen.ellipse((240, 210, 270, 240), fill=(20, 60, 20))
    pen.ellipse((330, 210, 360, 240), fill=(20, 60, 20))
    pen.ellipse((140, 370, 460, 720), fill=(190, 130, 70))
    return image.filter(ImageFilter.GaussianBlur(2))


def tree() -> Image.Image:
    image, pen = sheet()
    pen.ellipse((100, 60, 500, 460), outline=(0, 80, 0), width=20)
    pen.rectangle((270, 440, 330, 580), fill=(90, 50, 20))
    pen.ellipse((140, 100, 460, 420), fill=(30, 140, 50))
    return image


def heart() -> Image.Image:
    image, pen = sheet()
    outline = [(300, 520), (90, 270), (120, 140), (230, 120), (300, 200), (370, 120), (480, 140), (510, 270)]
    pen.polygon(outline, fill=(210, 30, 60))
    return image


def car() -> Image.Image:
    image, pen = sheet()
    pen.rounded_rectangle((80, 300, 520, 430), 30, fill=(180, 20, 20))
    pen.polygon([(170, 300), (220, 200), (380, 200), (430, 300)], fill=(180, 20, 20))
    pen.ellipse((140, 390, 220, 470), fill=(20, 20, 20))
    pen.ellipse((380, 390, 460, 470), fill=(20, 20, 20))
    return image


def four_digits() -> Image.Image:
    image, pen = sheet()
    for digit, place in zip("1234", ((120, 100), (380, 100), (120, 350), (380, 350)), strict=True):
        pen.text(place, digit, fill=BLACK, font=ImageFont.load_default(150))
    return image


def two_digits() -> Image.Image:
    image, pen = sheet()
    pen.text((180, 180), "42", fill=BLACK, font=ImageFont.load_default(220))
    return image


def chart() -> Image.Image:
    image, pen = sheet((235, 235, 235))
    for bar in range(6):
        pen.rectangle((60 + 90 * bar, 500 - 70 * (bar % 4 + 1), 110 + 90 * bar, 540), fill=(40, 90, 180))
    pen.line((30, 20, 30, 565, 590, 565), fill=BLACK, width=5)
    return image


KINDS = (star, smiley, house, squares, words, cat, tree, heart, car, four_digits, two_digits, chart)
