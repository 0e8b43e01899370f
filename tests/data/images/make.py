"""Made the files beside it (Pillow 13.0, torch 2.13): python make.py

expected.npz holds for each image file, by its name, what Pillow decodes: uint8 [H, W, C], upright, without alpha; and
as "prepared NAME" what torch makes of it: resized (antialiased bilinear), cropped, normalised.
"""
import pathlib
import struct
import zlib

import numpy as np
import torch
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
HEIGHT, WIDTH = 13, 18
y, x = np.mgrid[:HEIGHT, :WIDTH]
rgb = np.stack([x * 14, y * 20, (x * 31 + y * 17) % 256], -1).astype(np.uint8)
grey = rgb[..., 2]
alpha = (x * 13).astype(np.uint8)
expected = {}


def save(name, image, **options):
    image.save(HERE / name, **options)
    expect(name, ImageOps.exif_transpose(Image.open(HERE / name)).convert("L" if image.mode in ("1", "L", "LA") else "RGB"))


def expect(name, pixels):
    expected[name] = np.asarray(pixels).reshape(*np.asarray(pixels).shape[:2], -1)


def png(name, bit_depth, colour_type, samples, interlaced=False):
    """What Pillow cannot write: 16-bit colours, interlacing."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    rows = b"".join(b"\0" + row.tobytes() for x0, y0, dx, dy in passes for row in samples[y0::dy, x0::dx])
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], bit_depth, colour_type, 0, 0, interlaced)
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


save("rgb.png", Image.fromarray(rgb))
save("rgba.png", Image.fromarray(np.dstack([rgb, alpha])))
save("palette.png", Image.fromarray(rgb).quantize(16))
save("palette_transparent.png", Image.fromarray(rgb).quantize(16), transparency=3)
save("grey.png", Image.fromarray(grey))
save("grey_alpha.png", Image.fromarray(np.dstack([grey, alpha])))
save("bilevel.png", Image.fromarray(grey > 127))
png("interlaced.png", 8, 2, rgb, interlaced=True)
expect("interlaced.png", Image.open(HERE / "interlaced.png"))
# 16 bits, rounded to 8: 257 * v + d with |d| < 128 is v.
offsets = (x * 13 + y * 7) % 255 - 127
for name, kind, values in (("rgb16", 2, rgb), ("grey16", 0, grey[..., None])):
    wide = np.clip(values.astype(np.int64) * 257 + offsets[..., None], 0, 65535)
    png(f"{name}.png", 16, kind, wide.astype(">u2"))
    expect(f"{name}.png", values)

smooth = np.stack([128 + 100 * np.sin(x / 5 + c) * np.cos(y / 4 - c) for c in range(3)], -1).astype(np.uint8)
save("420.jpg", Image.fromarray(smooth), quality=85, subsampling="4:2:0")
save("444.jpg", Image.fromarray(smooth), quality=85, subsampling="4:4:4")
save("progressive.jpg", Image.fromarray(smooth), quality=85, progressive=True)
save("grey_scale.jpg", Image.fromarray(smooth[..., 0]), quality=85)
black = Image.fromarray((x * 10).astype(np.uint8))
save("cmyk.jpg", Image.merge("CMYK", (*Image.fromarray(smooth).split(), black)), quality=85)
for orientation in range(2, 9):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[0x0112] = orientation
    save(f"orientation{orientation}.jpg", Image.fromarray(smooth[:5, :8]), quality=85, exif=exif)


def prepared(name, resize, crop, mean, std):
    image = torch.tensor(expected[name]).permute(2, 0, 1)[None].float()
    size = [int(resize * n / min(image.shape[2:])) for n in image.shape[2:]]
    image = torch.nn.functional.interpolate(image, size=size, mode="bilinear", antialias=True)
    top, left = (round((n - crop) / 2) for n in size)
    image = image[:, :, top:top + crop, left:left + crop] / 255
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
    expected[f"prepared {name}"] = ((image - mean) / std).numpy()


prepared("rgb.png", 8, 7, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # smaller
prepared("orientation6.jpg", 16, 14, (0.5,) * 3, (0.25,) * 3)  # larger, on its side
np.savez_compressed(HERE / "expected.npz", **expected)
