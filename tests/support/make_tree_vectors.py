#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/{proof,tile,entries}: an implementation of RFC 6962
and c2sp.org/tlog-tiles of its own, straight from the recursive definitions,
so that it shares no idea with core/tlog. Entry i of the tree is the decimal
number i as text.

usage: make_tree_vectors.py tests/vectors
"""

import functools
import hashlib
import os
import struct
import sys

BIG = 70000  # three levels of tiles


def sha256(data):
    return hashlib.sha256(data).digest()


def entry(i):
    return str(i).encode()


@functools.lru_cache(maxsize=None)
def mth(lo, hi):
    """MTH(D[lo:hi]) of RFC 6962 section 2.1."""
    if hi == lo:
        return sha256(b"")
    if hi - lo == 1:
        return sha256(b"\x00" + entry(lo))
    mid = lo + split(hi - lo)
    return sha256(b"\x01" + mth(lo, mid) + mth(mid, hi))


def split(n):
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m, lo, hi):
    """PATH(m, D[lo:hi]), m counted from lo (section 2.1.1)."""
    n = hi - lo
    if n == 1:
        return []
    k = split(n)
    if m < k:
        return path(m, lo, lo + k) + [mth(lo + k, hi)]
    return path(m - k, lo + k, hi) + [mth(lo, lo + k)]


def subproof(m, lo, hi, whole):
    """SUBPROOF(m, D[lo:hi], whole) (section 2.1.2)."""
    n = hi - lo
    if m == n:
        return [] if whole else [mth(lo, hi)]
    k = split(n)
    if m <= k:
        return subproof(m, lo, lo + k, whole) + [mth(lo + k, hi)]
    return subproof(m - k, lo + k, hi, False) + [mth(lo, lo + k)]


def write(folder, name, lines):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        for line in lines:
            out.write(" ".join(str(word) for word in line) + "\n")


def hexes(hashes):
    return [h.hex() for h in hashes]


def proofs(folder):
    sizes = list(range(0, 34)) + [63, 64, 65, 255, 256, 257, 1000, 1023, 1024,
                                  1025, 65535, 65536, 65537, BIG]
    write(folder, "roots.txt", [(n, mth(0, n).hex()) for n in sizes])
    pairs = [(i, n) for n in range(1, 10) for i in range(n)]
    pairs += [(i, n) for n in (255, 256, 257, 1025) for i in (0, n // 3, n - 1)]
    pairs += [(i, BIG) for i in (0, 65535, 65536, 69632, BIG - 1)]
    write(folder, "inclusion.txt",
          [(i, n, *hexes(path(i, 0, n))) for i, n in pairs])
    pairs = [(m, n) for n in range(1, 10) for m in range(1, n + 1)]
    pairs += [(m, n) for n in (255, 256, 257, 1025)
              for m in (1, 128, 129, n - 1, n)]
    pairs += [(m, BIG) for m in (1, 65535, 65536, 65537, 69999)]
    write(folder, "consistency.txt",
          [(m, n, *hexes(subproof(m, 0, n, True))) for m, n in pairs])


def tile_path(level, index, width):
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i:i + 3] for i in range(0, len(digits), 3)]
    text = "/".join([str(level)] + ["x" + g for g in groups[:-1]] + groups[-1:])
    return text if width == 256 else f"{text}.p/{width}"


def tiles_of(size):
    """Every tile that a log of `size` entries has, as (level, index, width)."""
    level = 0
    while size >> (8 * level):
        count = size >> (8 * level)
        for index in range(count // 256):
            yield level, index, 256
        if count % 256:
            yield level, count // 256, count % 256
        level += 1


def tile(level, index, width):
    span = 256 ** level
    return b"".join(mth(i * span, (i + 1) * span)
                    for i in range(index * 256, index * 256 + width))


def tiles(folder):
    places = [(level, index, width)
              for level in (0, 1, 7, 63, "entries")
              for index in (0, 7, 999, 1000, 1001, 19669, 999999, 1000000,
                            1234067, 2 ** 55 - 1, 2 ** 63 - 1)
              for width in (1, 9, 10, 99, 100, 255, 256)]
    write(folder, "paths.txt", [(tile_path(*p), *p) for p in places])
    lines = []
    for size in (1, 2, 255, 256, 257, 512, 1025, BIG):
        for place in tiles_of(size):
            if size == BIG and place[0] == 0 and place[1] % 91:
                continue
            lines.append((size, tile_path(*place), sha256(tile(*place)).hex()))
    write(folder, "contents.txt", lines)


def bundle(items):
    return b"".join(struct.pack(">H", len(e)) + e for e in items)


def entries(folder):
    three = [b"one", b"two", b"three"]
    many = [entry(i) for i in range(256)]
    cases = [
        ("none", "ok", b"", []),
        ("one", "ok", bundle([b"one"]), [b"one"]),
        ("empty-entry", "ok", bundle([b""]), [b""]),
        ("empty-among", "ok", bundle([b"a", b"", b"b"]), [b"a", b"", b"b"]),
        ("three", "ok", bundle(three), three),
        ("many", "ok", bundle(many), many),
        ("missing-all", "syntax", b"", [b"one"]),
        ("missing-last", "syntax", bundle(three[:2]), three),
        ("one-more", "syntax", bundle(three), three[:2]),
        ("unasked", "syntax", bundle([b"one"]), []),
        ("half-length", "syntax", bundle(three[:2]) + b"\x00", three),
        ("cut-body", "syntax", bundle(three)[:-1], three),
        ("length-too-large", "syntax", b"\xff\xff" + b"one", [b"one"]),
        ("trailing-byte", "syntax", bundle(three) + b"\x00", three),
        ("trailing-newline", "syntax", bundle(three) + b"\n", three),
        ("other-entry", "bad-signature", bundle([b"onf"]), [b"one"]),
        ("other-last", "bad-signature", bundle([b"one", b"too"]),
         [b"one", b"two"]),
        ("swapped", "bad-signature", bundle([b"two", b"one"]),
         [b"one", b"two"]),
        ("little-endian", "syntax", b"\x03\x00one", [b"one"]),
    ]
    lines = []
    for name, verdict, data, items in cases:
        with open(os.path.join(folder, name + ".bundle"), "wb") as out:
            out.write(data)
        lines.append((name, verdict,
                      *hexes(sha256(b"\x00" + e) for e in items)))
    write(folder, "cases.txt", lines)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for make in (proofs, tiles, entries):
        name = {"proofs": "proof", "tiles": "tile"}.get(make.__name__,
                                                        make.__name__)
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        make(folder)


main()
