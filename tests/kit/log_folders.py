"""A small prediction log of three days as objects, with repeated, damaged and late lines."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from log_texts import NOON, log_text, pack, report_text

DAY = NOON.date()
DAYS = (DAY, DAY + timedelta(days=1))


def log_objects(requests: int = 600) -> dict[str, bytes]:
    """Return objects by key. A fifth of the lines is delivered twice, most in another object or on another day.

    A seventh of the requests has a second, different line besides: of these two the one that arrives first counts.
    """
    random = Random(3)
    folders: dict[date, list[bytes]] = {DAY + timedelta(days=number): [] for number in range(-1, 4)}
    for number in range(requests):
        at = NOON + timedelta(hours=random.randrange(-13, 38))
        records = random.choice([1, 1, 1, 4])
        shadow = random.choice([None, None, "scored", "failed"])
        text = log_text(number, at, records=records, version=random.choice([2, 3]), shadow=shadow)
        if number % 17 == 0:
            text = report_text(number, at)
        if number % 23 == 0:
            text = log_text(number, at, model="another")
        texts = [text] * (2 if number % 5 == 0 else 1)
        if number % 7 == 0 and number % 23:
            texts.append(log_text(number, at, records=5 - records, version=4))
        for text in texts:
            folder = at.date() + timedelta(days=random.choice([0, 0, 0, 1]))
            folders.setdefault(folder, []).append(text)
    objects = {}
    for folder, texts in folders.items():
        for number in range(3):
            objects[f"log/dt={folder}/part-{number}.gz"] = pack(texts[number::3])
    broken = pack([log_text(requests + number, NOON) for number in range(40)])
    objects[f"log/dt={DAY}/broken.gz"] = broken[:-30]
    objects[f"log/dt={DAY}/damaged.gz"] = pack([b"{", b'{"kind": "prediction"}', b"x" * (1 << 21)])
    return objects
