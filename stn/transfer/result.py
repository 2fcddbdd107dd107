"""What a run gives back: the picture, which a notebook shows, and its numbers."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from stn import config, images, runs
from stn.quantities import Terms
from stn.runs import run_directory


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A stylized picture and its numbers; the last value of a notebook's cell is shown as the
    picture.
    """

    rgb: np.ndarray  # [h, w, 3], 0-255, not rounded where the run was made just now
    opacity: np.ndarray | None  # [h, w], 0-1, where the photograph has one
    terms: Terms  # the picture's own losses, in the source's units
    run_dir: Path | None  # which holds everything else; None if no directory was asked for
    settings: config.Config
    summary: Mapping[str, Any]  # of summary.json: losses, measures, evaluations, seconds
    metrics: Mapping[str, np.ndarray]  # the columns of metrics.csv by name, a number an evaluation

    @classmethod
    def of(
        cls, shown: np.ndarray, terms: Terms, run_dir: Path, settings: config.Config
    ) -> "Result":
        """The result of the finished run in `run_dir`; of the picture [h, w, 3 or 4] a fourth
        channel is opacity, 0-255.
        """
        made, opacity = runs.Run(run_dir), shown[..., 3] / 255 if shown.shape[2] == 4 else None
        return cls(shown[..., :3], opacity, terms, run_dir, settings, made.summary, made.metrics)

    @property
    def pixels(self) -> np.ndarray:
        """The picture as a file has it: [h, w, 3], uint8; [h, w, 4] where the photograph is
        transparent.
        """
        return images.to_bytes(self._shown)

    def save(self, path: str | Path) -> Path:
        """Write the picture, with its settings in the metadata: PNG, JPEG, WebP or TIFF by its
        name; returns the path.

        Raises InputError if the name ends otherwise.
        """
        return run_directory.write_picture(Path(path), self._shown, config.to_dict(self.settings))

    @property
    def _shown(self) -> np.ndarray:
        return self.rgb if self.opacity is None else np.dstack([self.rgb, 255 * self.opacity])

    def _repr_png_(self) -> bytes:
        data = io.BytesIO()
        Image.fromarray(self.pixels).save(data, "PNG")
        return data.getvalue()

    def __repr__(self) -> str:
        height, width = self.rgb.shape[:2]
        where = "" if self.run_dir is None else f", in {self.run_dir}"
        evaluations = self.summary.get("evaluations")
        return (
            f"<Result: {width} × {height} px, total loss {self.terms.total:.4g} after {evaluations}"
            f" evaluations{where}>"
        )
