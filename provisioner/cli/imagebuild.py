"""`prov image build`: make an image by a recipe."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli import complete
from provisioner.cli.output import format_option
from provisioner.cli.packing import packing_options
from provisioner.config.paths import Paths


@click.command("build", short_help="Build the image of a recipe, such as debian-12.")
@click.argument("recipe")
@click.option("--name", "image", metavar="IMAGE", help="The name of the image (default: the recipe's).")
@click.option("--from", "start", metavar="IMAGE", shell_complete=complete.images, help="An image to build on.")
@click.option("--base", metavar="REF", help="The container that a Containerfile starts from.")
@click.option("--mirror", metavar="URL", help="A mirror to take packages from.")
@click.option(
    "--repo", "repositories", metavar="NAME=URL", multiple=True, help="Where a repository of the recipe is."
)
@click.option(
    "--key", metavar="FILE", help="The key that packages of these repositories are signed with, or its URL."
)
@packing_options
@format_option
@click.pass_obj
def command(paths: Paths, /, *, recipe: str, repositories: tuple[str, ...], style: str, **options: Any) -> None:
    """Build RECIPE, of the site or shipped, into the next generation of an image.

    With --from the packages come on top of an image: a container that was imported gets kernel, systemd and
    network, from its own repositories where it has some.
    """
    from provisioner.cli.imagemade import Steps, report
    from provisioner.operations.imagebuild import Places, build_image

    taken = {name: options.pop(name) for name in ("mirror", "key", "base")}
    places = Places(repositories=_pairs(repositories), **taken)
    with Steps() as steps:
        made = build_image(paths, recipe, places=places, say=steps.say, **options)
    report(made, style)


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := [text for text, (name, _, url) in zip(texts, pairs, strict=True) if not name or not url]:
        raise click.UsageError(f"--repo {wrong[0]}: give NAME=URL")
    return {name: url for name, _, url in pairs}
