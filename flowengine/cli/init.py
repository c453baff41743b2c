"""``flowengine init``: a working project to begin with, made from a template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from flowengine.cli import _files, schema
from flowengine.errors import EnvironmentProblem

TEMPLATES = Path(__file__).parents[1] / "templates"
# What every project gets; its texts name the template by these words.
SHARED = TEMPLATES / "shared"
ABOUT = "about.yaml"
SCHEMAS = ("flow", "included", "tests", "settings")
# A name that begins with a dot would be hidden, and left out, by more tools than one; `dot-` stands for it.
_DOT = "dot-"


def names() -> list[str]:
    """Name the templates."""
    return sorted(path.parent.name for path in TEMPLATES.glob(f"*/{ABOUT}"))


@click.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--template",
    type=click.Choice(names()),
    default="front-desk",
    show_default=True,
    help="What the project begins with.",
)
def command(folder: str, template: str) -> None:
    """Make a project in the folder DIR: a flow, its tests, settings, and the configuration of editor and CI.

    front-desk: a choice, opening hours, and a person. account: an account number and a PIN with three attempts. survey:
    three questions, points, and two endings. No file is ever overwritten.

    \b
    Example:
      flowengine init my-line
      flowengine init my-line --template survey
    """
    target = Path(folder)
    files = dict(_made(template))
    _refuse_what_is_there(target, list(files))
    for name, text in files.items():
        path = target / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentProblem(f"can not make the folder {path.parent}: {error.strerror}") from error
        _files.write(path, text)
        click.echo(str(path))
    click.echo(_next_steps(folder, template), err=True)


def _refuse_what_is_there(target: Path, names: list[str]) -> None:
    if target.exists() and not target.is_dir():
        raise click.UsageError(f"{target} is a file, not a folder")
    there = [name for name in names if (target / name).exists() or (target / name).is_symlink()]
    if there:
        listed = "".join(f"\n  {target / name}" for name in there)
        raise click.UsageError(f"these files are there already, and nothing is overwritten:{listed}")


def _made(template: str) -> Iterator[tuple[str, str]]:
    """Give the name and text of every file of a project."""
    words = _words(template)
    for folder in (TEMPLATES / template, SHARED):
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ABOUT):
            text = _files.read(path).decode("utf-8")
            if folder == SHARED:
                for word, meaning in words.items():
                    text = text.replace(word, meaning)
            yield "/".join(_visible(part) for part in path.relative_to(folder).parts), text
    for which in SCHEMAS:
        yield f"schemas/{which}.schema.json", schema.text(which)


def _visible(part: str) -> str:
    return f".{part.removeprefix(_DOT)}" if part.startswith(_DOT) else part


def _words(template: str) -> dict[str, str]:
    """Give what the texts of every project say of this one."""
    import yaml

    about: dict[str, str] = yaml.safe_load(_files.read(TEMPLATES / template / ABOUT))
    return {"__NAME__": template, **{f"__{key.upper()}__": text for key, text in about.items()}}


def _next_steps(folder: str, template: str) -> str:
    keys = _words(template)["__KEYS__"]
    return (
        f"\nYour project is in {folder}. Go on with:\n\n"
        f"  cd {folder}\n"
        "  flowengine check\n"
        "  flowengine test\n"
        f'  flowengine call flows/{template}.yaml --keys "{keys}"\n\n'
        f"Then change flows/{template}.yaml; README.md there says how."
    )
