"""Execute docs/tutorial.ipynb and keep its outputs: python scripts/tutorial.py, with the `test`
extra installed.
"""

import argparse
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from stn import command_line, files

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "tutorial.ipynb"


def execute(folder: Path, sizes: str | None = None) -> nbformat.NotebookNode:
    """The notebook, executed in `folder`; `sizes` takes the place of its cell that is tagged
    `parameters`.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if sizes is not None and "parameters" in cell.metadata.get("tags", ()):
            cell.source = sizes
    # Of a progress bar the last state is kept; dates are not.
    NotebookClient(
        notebook,
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
        record_timing=False,
    ).execute()
    return notebook


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = nbformat.writes(execute(Path(folder)))
    files.write_text(NOTEBOOK, text + "\n")
    print(NOTEBOOK)


if __name__ == "__main__":
    command_line.run_command(main)
