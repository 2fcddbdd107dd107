"""Execute docs/start/tutorial.ipynb and keep its outputs: python scripts/tutorial.py.

Needs pip install -e '.[notebook]'; `make notebook` opens it instead.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from stn import command_line, errors, files

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "start" / "tutorial.ipynb"


def execute(folder: Path, sizes: str | None = None) -> Any:
    """The notebook, executed in `folder`; `sizes` takes the place of its cell that is tagged
    `parameters`.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
    except ImportError as error:
        raise errors.InputError(
            f"{error.name} is missing; type: pip install -e '.[notebook]'"
        ) from None
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
        executed = execute(Path(folder))
    import nbformat

    text = nbformat.writes(executed)
    files.write_text(NOTEBOOK, text + "\n")
    print(NOTEBOOK)


if __name__ == "__main__":
    command_line.run_command(main)
