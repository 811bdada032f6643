"""`prov serve`: the daemon."""

from __future__ import annotations

import click

from provisioner.config.paths import Paths


@click.command("serve")
@click.option(
    "--log",
    "style",
    type=click.Choice(["auto", "text", "json", "journal"]),
    default="auto",
    show_default=True,
    envvar="PROVISIONER_LOG",
    show_envvar=True,
    help="How log lines look; auto is journal under systemd, text elsewhere.",
)
@click.pass_obj
def command(paths: Paths, style: str) -> None:
    """Run the daemon in the foreground until SIGTERM: DHCP, TFTP, HTTP and DNS for every network of the site.

    Changed files are served at once; when they hold a mistake, the last good state stays served and
    `prov status` says so.
    """
    from provisioner import log
    from provisioner.daemon.serve import serve

    log.configure(style=log.Style(style), verbose=_is_verbose())
    serve(paths)


def _is_verbose() -> bool:
    return bool(click.get_current_context().find_root().params.get("verbose"))
