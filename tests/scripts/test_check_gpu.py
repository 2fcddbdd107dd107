"""The script that waits for a GPU, on the CPU at a tiny size."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stn import config, errors

SCRIPT = config.CONFIG_DIR.parent / "scripts" / "check_gpu.py"


@pytest.fixture
def script() -> Any:
    spec = importlib.util.spec_from_file_location("check_gpu", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_says_what_was_measured(script, small, tmp_path: Path, monkeypatch) -> None:
    run = subprocess.run

    def in_this_process(command: list[str], **given: Any) -> subprocess.CompletedProcess[str]:
        if "--worker" not in command:
            return run(command, **given)
        with monkeypatch.context() as patch:  # what a process of its own does, in less time
            patch.setattr(sys, "argv", command[1:])
            script.main()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(script.subprocess, "run", in_this_process)
    settings = [word for word in small if not word.startswith(("optimizer", "image."))]
    typed = ["--device", "cpu", "--sizes", "24x32", "16x16", "--evaluations", "4", "--curve", "0"]
    monkeypatch.setattr(sys, "argv", ["check_gpu.py", *settings, *typed, "--out", str(tmp_path)])
    script.main()
    rows: dict[tuple[str, str], str] = {}
    for line in (tmp_path / "cpu.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3:
            rows[cells[0], cells[1]] = cells[2]
    assert rows["device", ""] == "CPU" and rows["two processes, picture", "24x32"].startswith("the")
    assert float(rows["loss, relative to the CPU's", "24x32"]) == 0
    assert float(rows["gradient, relative norm of the difference", "24x32"]) == 0
    for size in ("24x32", "16x16"):
        assert float(rows["an evaluation", size].removesuffix(" s")) > 0
        assert re.fullmatch(r"[\d.]+ s, \d+%", rows["the optimizer, on the host", size])


def test_without_a_gpu_it_says_so(script, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(sys, "argv", ["check_gpu.py"])
    with pytest.raises(errors.InputError, match="there is no GPU"):
        script.main()


def test_the_curve_is_the_last_total_of_each_program(script) -> None:
    table = """| run | evaluation | term | ours | printed | ratio |
| --- | --- | --- | --- | --- | --- |
| PyTorch notebook | 50 | loss/total | 2 | 1 | 2.000 |
| PyTorch notebook | 500 | loss/total | 1 | 1 | 1.001 |
| NeuralImageSynthesis | 500 | loss/total | 3 | 3 | 0.999 |
| NeuralImageSynthesis | 500 | loss/content | 3 | 2 | 1.500 |
"""
    assert [row[1:] for row in script.totals(table)] == [
        ["PyTorch notebook", "1.001"],
        ["NeuralImageSynthesis", "0.999"],
    ]
