"""Cuts a byte stream of any chunking into frames of one size."""

from __future__ import annotations

from collections.abc import Iterator

from flowengine.errors import Bug


class Reframer:
    """Collects bytes and gives whole frames of ``size`` bytes; what is left waits for more."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise Bug(f"a frame of {size} bytes")
        self._size = size
        self._rest = b""

    def push(self, data: bytes) -> Iterator[bytes]:
        """Take bytes in and yield the frames that are now whole, in order.

        The bytes are taken at once, also when the iterator is never read to its end.
        """
        rest = self._rest + data
        whole = len(rest) - len(rest) % self._size
        self._rest = rest[whole:]
        return (rest[at : at + self._size] for at in range(0, whole, self._size))

    def flush(self, pad: int) -> bytes:
        """The rest as one frame, filled up with the byte ``pad`` (0..255); empty when nothing is left."""
        rest, self._rest = self._rest, b""
        return rest + bytes([pad]) * (self._size - len(rest)) if rest else b""
