"""Paint a photograph as a painting is painted.

usage: python scripts/stylize.py PHOTO PAINTING [KEY=VALUE ...]
       python scripts/stylize.py -m [PHOTO PAINTING] KEY=VALUE,VALUE [...]   every combination
       python scripts/stylize.py --resume DIRECTORY     the run or sweep in it, with its settings

  preset=gatys_released          the system to reproduce; what is named next to it wins
  network=vgg16                  or vgg19_q8; vgg19 (535 MB) by `python scripts/fetch.py vgg19`
  image.size_px=512              size of the result; time and memory grow with its square
  optimizer.max_evaluations=200  how long to work; the time is in proportion
  strength=2                     twice the preset's style over content: more of the painting
  layers=johnson                 whose layers; or 'objective.style_layers=[relu1_1,relu2_1]'
  init=noise                     the initial image; content, style, noise, blend, file
  optimizer=adam                 or lbfgs, torch_lbfgs, spectral_lbfgs, rmsprop
  seed=1                         of the noise
  view=true                      watch it in a browser while it goes
  hydra.run.dir=outputs/mine     where the run goes; typed again, it resumes (-m: hydra.sweep.dir=)

All keys: docs/reference/configuration.md. Presets: docs/presets/index.md.
Sweeps, clusters: docs/how-to/sweeps.md. Python: docs/how-to/python.md.
What a command would run, without running it: add --cfg job. Hydra's own options: --hydra-help.
Tab completes keys and values after:
  eval "$(python scripts/stylize.py --shell-completion install=bash)"
"""

import sys

from stn import command_line


def command() -> None:
    """The console command `stn`, which is scripts/stylize.py."""
    command_line.run_command(main)


def main() -> None:
    """Do what sys.argv says."""
    if not sys.argv[1:] or {"-h", "--help"} & set(sys.argv[1:]):
        print(command_line.told((__doc__ or "").strip()))
        sys.exit(0 if sys.argv[1:] else 2)
    from stn.commands import task, words  # with Hydra, which takes a second
    from stn.config import overrides

    if not {"--shell-completion", "-sc"} & set(sys.argv[1:]):  # `query=bash` is no key
        sys.argv[1:] = overrides.quoted(words.understood(sys.argv[1:]))
    task.main()
