"""The run directory: metrics, pictures, checkpoint, provenance, summary; each file whole or not
there.
"""

import contextlib
import csv
import io
import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from stn import backend, config, devices, files, images
from stn.assets import inputs
from stn.assets.pictures import Pictures
from stn.errors import InputError, InUse
from stn.network.network import Network
from stn.optimize import Evaluation, Outcome, State
from stn.quantities import TERMS, Terms
from stn.runs import previews, provenance, record
from stn.runs.record import Run

Plain = dict[str, Any]  # as JSON holds it
CHECKPOINT = "checkpoint.npz"
MADE = (
    *record.FILES,
    previews.VIEW,
    CHECKPOINT,
    "comparison.png",
    "losses.png",
    "progress/[0-9][0-9][0-9][0-9][0-9][0-9]*.png",
    "wandb/run-*",
    "wandb/offline-run-*",
    "wandb/latest-run",
    "wandb/debug*.log",
    "wandb/wandb-resume.json",
)
REMEDY = "give another hydra.run.dir, or force=true to start it anew"


class RunDirectory:
    """One run's directory, held by one process at a time: to the end of a `with` block.

    Raises InputError if the directory cannot be written, holds something else, is in use, or was
    made with other settings, unless their `force` starts it anew. `inputs` are checksums of what
    feeds the run, and `input_paths` the files among it, by their keys: `force` removes none.
    """

    def __init__(
        self,
        path: Path,
        settings: Plain,
        inputs: dict[str, str],
        input_paths: Mapping[str, Path] = {},
    ) -> None:
        self.path = path
        self._input_paths = input_paths
        # The evaluation that the same command would make next, were this process to end now.
        self.resumes_at = 0
        self.rows: list[dict[str, float]] = []
        self._settings, self._inputs = settings, inputs
        self._written = 0.0
        try:
            self._lock = filelock.FileLock(path / record.LOCK, timeout=0)
            path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout:
            raise InUse(
                f"{path}: another process is running in it; wait for it or give another"
                " hydra.run.dir"
            ) from None
        except OSError as error:
            if not self.finished or settings.get("force"):  # a finished one need not be written
                raise InputError(
                    f"{path}: cannot be written ({error.strerror}); give another hydra.run.dir"
                ) from error
        try:
            self._check_contents()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let go of the directory."""
        if self._lock.is_locked:
            (self.path / record.LOCK).unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def finished(self) -> bool:
        """Whether an earlier run came to its end here, and not because it had a smaller budget."""
        return record.Run(self.path).suffices(self._settings)

    def begin(self, computed: Mapping[str, Any] = {}, axes: Mapping[str, str] = {}) -> State | None:
        """Write provenance.json and give the State to resume from, None for the beginning.

        `computed` is what the settings left to the machine, and how it was decided. `axes` is what
        a sweep varies, with this run's values."""
        provenance.forget_peak_memory()
        earlier = record.Run(self.path)
        described = provenance.describe(self._settings, self._inputs, computed, axes)
        state = self._read_checkpoint()
        if state is not None:
            columns = {
                name: column.tolist()
                for name, column in self._read(record.read_metrics, record.METRICS).items()
            }
            rows = [
                dict(zip(columns, values, strict=True))
                for values in zip(*columns.values(), strict=True)
            ]
            if len(rows) < state.index:
                raise InputError(
                    f"{self.path / record.METRICS}: has {len(rows)} rows, but {CHECKPOINT} was"
                    f" written after {state.index} evaluations; {REMEDY}"
                )
            self.rows = rows[: state.index]
            self.resumes_at = len(self.rows)
            described = provenance.continued(earlier.provenance, described, state.index)
        if earlier.state == "finished":
            made = earlier.summary.get("evaluations")
            start = (
                f"resumes at evaluation {state.index}"
                if state
                else "starts over, since it kept no checkpoint (tracking.keep_checkpoint=true)"
            )
            print(
                f"{self.path}: {made} evaluations were made; with a larger {config.BUDGET} it"
                f" {start}",
                file=sys.stderr,
            )
        # First: a summary under the new budget would end the run.
        (self.path / record.SUMMARY).unlink(missing_ok=True)
        files.write_json(self.path / record.PROVENANCE, described)
        return state

    def record(self, evaluation: Evaluation, in_pyramid: bool = False) -> dict[str, float]:
        """Add an evaluation to metrics.csv, with its level if the run is a pyramid's, and return
        its row.
        """
        self.rows.append(row(evaluation) | ({"level": evaluation.level} if in_pyramid else {}))
        # The file is written anew each time, so at most once a second; the last second is computed
        # again on resuming.
        if time.monotonic() - self._written > 1:
            self.write_metrics()
        return self.rows[-1]

    def write_metrics(self) -> None:
        """Bring metrics.csv up to the last evaluation."""
        text = io.StringIO()
        if self.rows:
            # A level with a statistic of its own has other losses than the next: no numbers there.
            names = dict.fromkeys(name for values in self.rows for name in values)
            writer = csv.DictWriter(text, names, restval=math.nan, lineterminator="\n")
            writer.writeheader()
            for values in self.rows:
                whole = {
                    key: int(values[key])
                    for key in ("evaluation", "iteration", "level")
                    if key in values
                }
                writer.writerow(values | whole | {"seconds": f"{values['seconds']:.3f}"})
        files.write_text(self.path / record.METRICS, text.getvalue())
        self._written = time.monotonic()

    def write_image(self, name: str, rgb: np.ndarray) -> Path:
        """Write a picture, `rgb` [h, w, 3 or 4], 0-255, with the settings in its metadata; `name`
        may have a folder.
        """
        return write_picture(self.path / name, rgb, self._settings)

    def checkpoint(self, state: State) -> None:
        """Save the State, after the metrics that lead to it."""
        self.write_metrics()
        run = json.dumps({"config": self._settings, "inputs_sha256": self._inputs})
        with files.atomic_write(self.path / CHECKPOINT) as partial:
            np.savez(partial, run=np.array(run), **state.to_arrays())  # type: ignore[arg-type]  # mypy: one could be allow_pickle
        self.resumes_at = state.index

    def result(self) -> tuple[np.ndarray, Terms]:
        """A finished run's picture, `rgb` [h, w, 3], 0-255, or with its opacity [h, w, 4], and loss
        terms; InputError if unreadable.
        """
        finished = record.Run(self.path)
        kept = {
            key.removeprefix("picture/"): value
            for key, value in finished.summary.items()
            if "picture/" in key
        }
        kept.pop("clipped_share", None)
        try:
            kept = {key: math.nan if value is None else float(value) for key, value in kept.items()}
            terms = {name: kept.pop(f"loss/{name}") for name in TERMS}
        except (KeyError, TypeError, ValueError):  # damaged
            raise InputError(
                f"{self.path / record.SUMMARY}: lacks the picture's own losses; {REMEDY}"
            ) from None
        rgb, opacity = images.read_with_opacity(self.path / record.PICTURE)
        return rgb if opacity is None else np.dstack([rgb, 255 * opacity]), Terms(
            **terms, per_layer=kept
        )

    def summarize(
        self, outcome: Outcome, rgb: np.ndarray, written: Terms, measured: dict[str, float]
    ) -> Plain:
        """Write the result, `rgb` [h, w, 3 or 4], 0-255, and give the summary of the run.

        `written` are the loss terms of that picture, 8 bits and nothing outside 0-255, kept as
        `picture/…` next to the optimizer's."""
        self.write_metrics()
        self.write_image(record.PICTURE, rgb)
        summary = {
            **row(outcome.best),
            "evaluations": outcome.evaluations,
            "iterations": outcome.iterations,
            "stop_reason": outcome.stop_reason,
            "seconds": outcome.seconds,
            "peak_memory_mb": provenance.peak_memory_mb(),
            **{f"picture/{key}": value for key, value in terms_of(written).items()},
            **measured,
        }
        return {
            "best_evaluation": summary.pop("evaluation"),
            "best_iteration": summary.pop("iteration"),
            **summary,
        }

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json, which comes last, also after W&B's end, and says that the run is
        over.
        """
        files.write_json(self.path / record.SUMMARY, summary)
        if not self._settings["tracking"]["keep_checkpoint"]:
            (self.path / CHECKPOINT).unlink(missing_ok=True)

    def _check_contents(self) -> None:
        present = {entry.name for entry in self.path.iterdir()} - {
            record.LOCK,
            ".hydra",
            record.TRIALS,
        }
        present = {name for name in present if not name.startswith(".partial-")}
        if present and record.PROVENANCE not in present:
            raise InputError(
                f"{self.path}: holds files that are not a run's ({min(present)}); give an empty"
                " hydra.run.dir"
            )
        for entry in self.path.rglob(".partial-*") if self._lock.is_locked else ():
            entry.unlink()  # what a killed process left half-written
        if not present:
            return
        if self._settings.get("force") and not self._goes_on():
            made = list(_made_by_a_run(self.path))
            self._refuse_inputs_among(made)
            _remove(self.path, made)
            return
        self._read(record.read_json, record.PROVENANCE)
        self._compare(record.Run(self.path))

    def _refuse_inputs_among(self, made: list[Path]) -> None:
        """Raise InputError if starting anew would remove a picture or weights that feed the run."""
        removed = [path.resolve() for path in made]
        for key, path in self._input_paths.items():
            if any(path.resolve().is_relative_to(each) for each in removed):
                raise InputError(
                    f"{key}={path}: force=true would remove it with the run in {self.path}; give"
                    " another hydra.run.dir, or copy the file elsewhere first"
                )

    def _goes_on(self) -> bool:
        """Whether a forced run was interrupted here: the same command resumes, since a requeued job
        cannot leave force=true out and would never come to its end."""
        earlier = record.Run(self.path)
        if earlier.state == "finished" or not earlier.settings.get("force"):
            return False
        try:
            self._compare(earlier)
            if not (self.path / record.METRICS).is_file():
                return (self.path / record.MIXED).is_dir()  # its style was being mixed
            return self._read_checkpoint() is not None and bool(
                record.read_metrics(self.path / record.METRICS)
            )
        except InputError:
            return False

    def _compare(self, earlier: Run) -> None:
        """Raise InputError if the run that is here has other settings or other pictures."""
        asked, began = self._settings.get("threads"), earlier.threads
        if not config.same_threads(asked, began):
            raise InputError(
                f"{self.path}: holds a run with other threads, which round otherwise (threads:"
                f" {began} → {asked}); leave threads out, {REMEDY}"
            )
        self._compare_settings(earlier.provenance)

    def _compare_settings(self, earlier: Mapping[str, Any], path: Path | None = None) -> None:
        """Raise InputError if what is at `path`, the directory if it is None, is of a run with
        other settings or pictures.
        """
        for key, now in (("config", self._settings), ("inputs_sha256", self._inputs)):
            found = earlier.get(key)
            difference = config.difference(found if isinstance(found, dict) else {}, now)
            if difference:
                raise InputError(
                    f"{path or self.path}: {'is of' if path else 'holds'} a run with other settings"
                    f" ({difference}); {REMEDY}"
                )

    def _read(self, read: Callable[[Path], dict[str, Any]], name: str) -> dict[str, Any]:
        try:
            return read(self.path / name)
        except InputError as error:
            raise InputError(f"{error}; {REMEDY}") from None

    def _read_checkpoint(self) -> State | None:
        path = self.path / CHECKPOINT
        if not path.is_file() or not (self.path / record.METRICS).is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as saved:
                arrays = dict(saved)
            made_by = json.loads(str(arrays.pop("run")))
            state = State.from_arrays(arrays)
        except Exception as error:  # a damaged archive raises whatever its bytes lead to
            raise InputError(
                f"{path}: is damaged or of another version of stn; {REMEDY}"
            ) from error
        self._compare_settings(made_by, path)
        return state


def _made_by_a_run(path: Path) -> Iterator[Path]:
    """What stn writes into a run directory, of what is there; W&B's runs as folders."""
    for pattern in MADE:
        yield from path.glob(pattern)
    if (path / record.MIXED).is_dir():
        yield from _made_by_a_run(path / record.MIXED)
        yield from (path / record.MIXED / name for name in (record.PROVENANCE, record.FAILED))


def _remove(path: Path, made: list[Path]) -> None:
    """Remove what a run made, and its folders where nothing else is in them."""
    for each in made:
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)
    mixed = path / record.MIXED
    for folder in (mixed / "progress", mixed / "wandb", mixed, path / "progress", path / "wandb"):
        with contextlib.suppress(OSError):  # not there, or not empty
            folder.rmdir()


def opened(
    path: Path, settings: config.Config, network: Network, pictures: Pictures
) -> RunDirectory:
    """The directory of a run with these settings, network and pictures."""
    checksums = {"weights": network.sha256} | pictures.checksums()
    fed = {"network.weights": network.path}
    fed |= {key: found for key, found in pictures.paths.items() if key not in pictures.arrays}
    if means := inputs.means(settings):
        checksums["rescale"], fed["network.rescale"] = files.sha256(means), means
    return RunDirectory(path, config.to_dict(settings), checksums, fed)


def left_to_machine(network: Network) -> dict[str, Any]:
    """What the settings may leave to the machine, and how it was decided, for provenance."""
    return {
        "convolution": network.convolution,
        "direct_convolution": network.operation,
        "gradient_checkpointing": network.gradient_checkpointing,
        "threads": backend.threads(),
        **devices.describe(),
    }


def continue_from(other: Path, path: Path) -> None:
    """Let the run that comes to `path` resume where that of the same settings in `other` ended,
    which gives up its checkpoint. Nothing happens where it kept none, or a run is at `path`.
    """
    if not (other / CHECKPOINT).is_file() or (path / record.PROVENANCE).exists():
        return
    # The checkpoint last: without it a run begins anew, whatever of the rest is there.
    with files.atomic_write(path / record.PROVENANCE) as partial:
        shutil.copyfile(other / record.PROVENANCE, partial)
    left = {CHECKPOINT, record.PROVENANCE, record.SUMMARY}
    shutil.copytree(
        other,
        path,
        ignore=lambda folder, _: left if Path(folder) == other else (),
        dirs_exist_ok=True,
    )
    (other / CHECKPOINT).replace(path / CHECKPOINT)


def write_picture(path: Path, rgb: np.ndarray, settings: Mapping[str, Any]) -> Path:
    """Write a picture, `rgb` [h, w, 3 or 4], 0-255, with the settings that made it in its metadata;
    its folder is made.
    """
    path.parent.mkdir(exist_ok=True)
    images.write(
        path,
        rgb,
        json.dumps({key: value for key, value in settings.items() if not config.inert(key)}),
    )
    return path


def row(evaluation: Evaluation) -> dict[str, float]:
    """An evaluation as a row of metrics.csv; loss/* carry their weights and add up to
    loss/total.
    """
    counted = {
        "evaluation": evaluation.index,
        "iteration": evaluation.iteration,
        "seconds": evaluation.seconds,
    }
    return counted | terms_of(evaluation.terms)


def terms_of(terms: Terms) -> dict[str, float]:
    """Loss terms by the names that they have in metrics.csv and summary.json."""
    return {f"loss/{name}": getattr(terms, name) for name in TERMS} | dict(terms.per_layer)
