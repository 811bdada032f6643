"""`prov serve`: the daemon."""

from __future__ import annotations

import click

from provisioner.config.paths import Paths


@click.command("serve")
@click.option("--json-log", is_flag=True, help="Log JSON lines instead of text.")
@click.pass_obj
def command(paths: Paths, *, json_log: bool) -> None:
    """Run the daemon in the foreground until SIGTERM: DHCP, TFTP, HTTP and DNS for every network of the site.

    Changed files are served at once; when they hold a mistake, the last good state stays served and
    `prov status` says so.
    """
    from provisioner import log
    from provisioner.daemon.serve import serve

    log.configure(json_lines=json_log)
    serve(paths)
