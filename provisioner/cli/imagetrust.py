"""`prov image sign`, `revoke` and `release`: what the site vouches for."""

from __future__ import annotations

import click

from provisioner.cli import complete
from provisioner.cli.output import format_option, write_data
from provisioner.config.paths import Paths


@click.command("sign")
@click.argument("image", required=False, shell_complete=complete.images)
@format_option
@click.pass_obj
def sign(paths: Paths, *, image: str | None, style: str) -> None:
    """Sign generations that this site has not signed, after reading all of their files.

    IMAGE is NAME for all of its generations, or NAME@NUMBER; without it all images are looked at. What is built,
    copied or loaded here is signed by itself.
    """
    from provisioner.operations.imagetrust import sign as vouch

    names = [each.name for each in vouch(paths, image)]
    if style != "table":
        write_data({"signed": names}, style)
    else:
        click.echo(f"signed {', '.join(names)}" if names else "all is signed already")


@click.command("revoke")
@click.argument("image", metavar="NAME@NUMBER", shell_complete=complete.images)
@click.option("--older", is_flag=True, help="Revoke the generations before it, too.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", is_flag=True, help="Show which nodes would not boot any more, and change nothing.")
@format_option
@click.pass_obj
def revoke(paths: Paths, *, image: str, older: bool, yes: bool, plan: bool, style: str) -> None:
    """Let a generation boot no more, as one with a hole that was found.

    Nodes that run it go on until they boot; then they are refused, and told why.
    """
    from provisioner.cli.consent import Consent
    from provisioner.cli.imagemove import carry
    from provisioner.operations import imagetrust

    carry(paths, imagetrust.revoke(paths, image, older=older), Consent(yes=yes, plan=plan, style=style))


@click.command("release")
@click.argument("image", metavar="NAME@NUMBER", shell_complete=complete.images)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", is_flag=True, help="Show which nodes would boot, and change nothing.")
@format_option
@click.pass_obj
def release(paths: Paths, *, image: str, yes: bool, plan: bool, style: str) -> None:
    """Let a revoked generation boot again."""
    from provisioner.cli.consent import Consent
    from provisioner.cli.imagemove import carry
    from provisioner.operations import imagetrust

    carry(paths, imagetrust.release(paths, image), Consent(yes=yes, plan=plan, style=style))


COMMANDS = (sign, revoke, release)
