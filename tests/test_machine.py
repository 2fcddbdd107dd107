"""The processor's name, from a file as Linux writes it."""

from pathlib import Path

import pytest

from stn import machine

SAID = "processor\t: {}\nmodel name\t: Some CPU\nflags\t\t: fpu sse2 {}\n\n"


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ("avx avx2 avx512f", "Some CPU, AVX-512"),
        ("avx avx2", "Some CPU, AVX2"),
        ("avx", "Some CPU"),
    ],
)
def test_the_processor_has_its_name_and_its_best_instructions(
    flags: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text("".join(SAID.format(each, flags) for each in (0, 1)))
    monkeypatch.setattr(machine, "ABOUT", tmp_path / "cpuinfo")
    assert machine.processor() == name


def test_without_the_file_the_processor_is_of_a_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "ABOUT", tmp_path / "none")
    assert machine.about() == {} and machine.processor()
