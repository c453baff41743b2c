from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

import pytest

from flowengine.store.traces import TraceFiles


def test_lines_are_seen_at_once_and_follow_each_other(tmp_path: Path) -> None:
    traces = TraceFiles(tmp_path)
    traces.append("C1", ["a", "b"])
    assert traces.path("C1").read_text() == "a\nb\n"
    traces.append("C1", ["ü"])
    traces.release("C1")
    traces.append("C1", ["d"])
    traces.close()
    assert (tmp_path / "C1.jsonl").read_text() == "a\nb\nü\nd\n"


def test_files_stay_open_up_to_a_bound(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    traces = TraceFiles(tmp_path, open_files=3)
    for round_ in range(2):
        for n in range(10):
            traces.append(f"C{n}", [str(round_)])
    assert len(os.listdir("/proc/self/fd")) == before + 3
    traces.close()
    traces.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert {path.read_text() for path in tmp_path.iterdir()} == {"0\n1\n"}


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/etc/x", "a\0", "a.b", "-x", "x" * 65, "a\n"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        TraceFiles(tmp_path).append(name, ["x"])


def test_half_a_line_of_a_crash_is_ended_first(tmp_path: Path) -> None:
    (tmp_path / "C1.jsonl").write_text('{"n":1}\n{"n"')
    traces = TraceFiles(tmp_path)
    traces.append("C1", ['{"n":3}'])
    traces.close()
    assert (tmp_path / "C1.jsonl").read_text() == '{"n":1}\n{"n"\n{"n":3}\n'


def test_half_a_character_is_still_json(tmp_path: Path) -> None:
    traces = TraceFiles(tmp_path)
    traces.append("C1", ['"\ud83d"'])
    traces.close()
    assert json.loads((tmp_path / "C1.jsonl").read_bytes()) == "\ud83d"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "C1.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        TraceFiles(tmp_path).append("C1", ["x"])


def test_a_full_disk_is_told_and_leaves_no_file_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    traces = TraceFiles(tmp_path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        with pytest.raises(OSError, match="too large"):
            traces.append("C1", ["0123456789abc"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert len(os.listdir("/proc/self/fd")) == before
    traces.append("C1", ["next"])
    traces.close()
    assert (tmp_path / "C1.jsonl").read_text() == "0123456789\nnext\n"
