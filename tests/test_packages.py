"""The packages of stn: each imports only from those before it."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "stn"
# From what knows nothing of the others to what knows all; names on one line do not know each other.
ORDER = """
errors files machine signals layers quantities
backend command_line images
devices loss
config
assets optimize
network
objective metrics runs
transfer sweeps analysis
report experiment study api
classify commands
__main__
"""


def test_each_package_imports_only_from_those_before_it() -> None:
    lines = [line.split() for line in ORDER.split("\n")]
    place = {name: number for number, names in enumerate(lines) for name in names}
    found = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert place.keys() == found | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    for path in PACKAGE.rglob("*.py"):
        package = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())) if package != "__init__" else ():
            names = []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: imports by a dot"
                names = (
                    [f"stn.{alias.name}" for alias in node.names]
                    if node.module == "stn"
                    else [node.module or ""]
                )
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                other = name.split(".")[1] if name.startswith("stn.") else package
                known = other == package or place[other] < place[package]
                assert known, f"{path.relative_to(PACKAGE)} imports {other}"
