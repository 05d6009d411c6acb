"""Images that are not chest CT, drawn or cut from scikit-learn's pictures: 30 of each kind."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from sklearn.datasets import load_sample_images

COUNT = 30
SIDE = 320


def photographs(random):
    """Cuts of two photographs, in colour and in grey."""
    pictures = [Image.fromarray(picture) for picture in load_sample_images().images]
    for number in range(COUNT):
        picture = pictures[number % 2]
        side = int(random.integers(160, 400))
        left = int(random.integers(0, picture.width - side))
        top = int(random.integers(0, picture.height - side))
        cut = picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
        yield cut if number % 4 < 2 else cut.convert("L")


def x_rays(random):
    """Projections: soft shadows of lungs, ribs, heart and spine, without the sharp edges of a slice."""
    for _ in range(COUNT):
        picture = Image.new("L", (SIDE, SIDE), 190)
        draw = ImageDraw.Draw(picture)
        for left in (50, 180):
            shift = int(random.integers(-12, 12))
            draw.ellipse((left + shift, 50, left + 95 + shift, 270), fill=70)
        for row in range(60, 270, 24):
            draw.arc((30, row, 290, row + 60), 200, 340, fill=150, width=6)
        draw.ellipse((130, 150, 230, 270), fill=200)
        draw.rectangle((148, 20, 172, 310), fill=215)
        soft = picture.filter(ImageFilter.GaussianBlur(float(random.uniform(4, 8))))
        noise = random.normal(0, 6, (SIDE, SIDE))
        yield Image.fromarray(np.clip(np.asarray(soft) + noise, 0, 255).astype(np.uint8))


def noise(random):
    """Noise: even and normal, in grey and in colour."""
    for number in range(COUNT):
        shape = (SIDE, SIDE) if number % 2 else (SIDE, SIDE, 3)
        values = random.normal(128, 50, shape) if number % 4 < 2 else random.uniform(0, 256, shape)
        yield Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def text_pages(random):
    """Black words on white."""
    font = ImageFont.load_default(size=14)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz    "))
    for _ in range(COUNT):
        picture = Image.new("L", (SIDE, SIDE), 255)
        draw = ImageDraw.Draw(picture)
        for row in range(12, SIDE - 20, 18):
            draw.text((14, row), "".join(random.choice(letters, 36)), fill=0, font=font)
        yield picture


def heads(random):
    """Slices of another region: a bright skull around a brain with two ventricles."""
    for _ in range(COUNT):
        picture = Image.new("L", (SIDE, SIDE), 0)
        draw = ImageDraw.Draw(picture)
        wide, high = random.integers(90, 130, 2)
        box = (160 - wide, 160 - high, 160 + wide, 160 + high)
        draw.ellipse(box, fill=235)
        draw.ellipse((box[0] + 12, box[1] + 12, box[2] - 12, box[3] - 12), fill=110)
        for side in (-1, 1):
            x = 160 + side * 18
            draw.ellipse((x - 10, 120, x + 10, 190), fill=70)
        soft = picture.filter(ImageFilter.GaussianBlur(1.2))
        grain = random.normal(0, 7, (SIDE, SIDE))
        yield Image.fromarray(np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8))


KINDS = {
    "photographs": photographs,
    "x-rays": x_rays,
    "noise": noise,
    "text pages": text_pages,
    "heads": heads,
}


def write(folder, seed=17):
    """Writes every kind to its own folder; returns the folders by kind."""
    folders = {}
    for kind, draw in KINDS.items():
        folders[kind] = folder / kind
        folders[kind].mkdir(parents=True)
        for number, picture in enumerate(draw(np.random.default_rng([seed, len(folders)]))):
            picture.save(folders[kind] / f"{number:02}.png")
    return folders
