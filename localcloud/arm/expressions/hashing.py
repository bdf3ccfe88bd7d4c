"""The hashes behind `uniqueString`, `guid` and a deployment's `templateHash`."""

from __future__ import annotations

import uuid

from localcloud.arm.expressions.values import compact, utf8

_MASK = 0xFFFFFFFF
_GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_C1, _C2, _C3, _C4 = 0x239B961B, 0xAB0E9789, 0x561CCD1B, 0x0BCAA747


def _rotate(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & _MASK


def _mix_1(block: int) -> int:
    return _rotate(block * _C1 & _MASK, 15) * _C2 & _MASK


def _mix_2(block: int) -> int:
    return _rotate(block * _C2 & _MASK, 17) * _C1 & _MASK


def _finish(lane: int) -> int:
    lane = (lane ^ (lane >> 16)) * 0x85EBCA6B & _MASK
    lane = (lane ^ (lane >> 13)) * 0xC2B2AE35 & _MASK
    return lane ^ (lane >> 16)


def murmur(data: bytes) -> int:
    """ARM's 64-bit hash: Murmur3 with two lanes of 32 bits."""
    one = two = 0
    whole = len(data) - len(data) % 8
    for at in range(0, whole, 8):
        one = _rotate(one ^ _mix_1(int.from_bytes(data[at : at + 4], "little")), 19)
        one = ((one + two) * 5 + _C3) & _MASK
        two = _rotate(two ^ _mix_2(int.from_bytes(data[at + 4 : at + 8], "little")), 13)
        two = ((two + one) * 5 + _C4) & _MASK
    # A short last block: what is missing counts as zeros, and zeros change nothing.
    two ^= _mix_2(int.from_bytes(data[whole + 4 :], "little"))
    one ^= _mix_1(int.from_bytes(data[whole : whole + 4], "little"))
    one, two = one ^ len(data), two ^ len(data)
    one = (one + two) & _MASK
    two = (two + one) & _MASK
    one, two = _finish(one), _finish(two)
    one = (one + two) & _MASK
    two = (two + one) & _MASK
    return two << 32 | one


def unique_string(*parts: str) -> str:
    """13 characters of a-z and 2-7."""
    value = murmur(utf8("-".join(parts)))
    return "".join(_ALPHABET[(value << 5 * at & 0xFFFFFFFFFFFFFFFF) >> 59] for at in range(13))


def guid(*parts: str) -> str:
    return str(uuid.uuid5(_GUIDS, utf8("-".join(parts)).decode()))


def template_hash(template: object) -> str:
    """The decimal `templateHash` of a template as it was sent inline."""
    return str(murmur(utf8(compact(template).upper())))
