from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from flowengine.call.ports import AudioStore
from flowengine.store.prompts import PromptFiles


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def put(store: AudioStore, text: str, audio: bytes) -> None:
    asyncio.run(store.put(key(text), audio))


def get(store: AudioStore, text: str) -> bytes | None:
    return asyncio.run(store.get(key(text)))


def test_audio_outlives_the_process(tmp_path: Path) -> None:
    put(PromptFiles(tmp_path / "cache"), "hello", b"\xff" * 800)
    store = PromptFiles(tmp_path / "cache")
    assert get(store, "hello") == b"\xff" * 800
    assert get(store, "other") is None
    assert store.failures == 0
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [key("hello")]


@pytest.mark.parametrize("damage", [b"", b"x", b"\xff" * 31, b"\xff" * 32, b"\xff" * 500])
def test_what_is_not_whole_is_not_played(tmp_path: Path, damage: bytes) -> None:
    store = PromptFiles(tmp_path)
    put(store, "hello", b"\x01" * 800)
    (tmp_path / key("hello")).write_bytes(damage)
    assert get(store, "hello") is None
    put(store, "hello", b"\x02" * 800)
    assert get(store, "hello") == b"\x02" * 800


def test_empty_and_huge_audio_is_not_kept(tmp_path: Path) -> None:
    store = PromptFiles(tmp_path, limit_bytes=1000)
    put(store, "empty", b"")
    put(store, "huge", b"x" * 1000)
    assert list(tmp_path.iterdir()) == []
    assert store.failures == 0


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    store = PromptFiles(tmp_path, limit_bytes=5 * 132)
    for n in range(5):
        put(store, str(n), b"x" * 100)
        os.utime(tmp_path / key(str(n)), (n, n))
    assert get(store, "0") == b"x" * 100
    put(store, "5", b"x" * 100)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {key(text) for text in "0345"}


def test_what_other_servers_write_counts(tmp_path: Path) -> None:
    one, two = PromptFiles(tmp_path, limit_bytes=1320), PromptFiles(tmp_path, limit_bytes=1320)
    for n in range(40):
        put((one, two)[n % 2], str(n), b"x" * 100)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * 1320


def test_many_at_once(tmp_path: Path) -> None:
    store = PromptFiles(tmp_path, limit_bytes=2000)

    async def scene() -> None:
        await asyncio.gather(*(store.put(key(str(n % 30)), b"x" * 100) for n in range(120)))

    asyncio.run(scene())
    assert store.failures == 0
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2000


def test_a_broken_disk_is_counted_not_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = PromptFiles(tmp_path / "file")
    put(store, "hello", b"x")
    assert get(store, "hello") is None
    assert store.failures == 2


@pytest.mark.parametrize("name", ["", "../x", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_a_key_is_a_digest(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        asyncio.run(PromptFiles(tmp_path).get(name))
