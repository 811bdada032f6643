"""`prov image import`: take an image from a registry, a file, a folder or a running machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from provisioner.cli.output import format_option
from provisioner.config.paths import Paths

_ACCESS = ("authfile", "certificates", "policy", "insecure")
_FILE = click.Path(path_type=Path)

# \b: click leaves the lines of this paragraph as they are.
_HELP = """Import SOURCE as the next generation of the image NAME.

\b
docker://HOST/PATH[:TAG|@DIGEST]    an image of a registry (needs skopeo)
oci:DIR[:TAG]                       an OCI image layout
oci-archive:FILE[:TAG]              the same in one file
docker-archive:FILE[:NAME:TAG]      what docker save makes
tar:FILE                            an archive of a root file system
dir:DIR                             a root file system, a sandbox of Apptainer
sif:FILE                            a container of Apptainer or Singularity
ssh://[USER@]HOST[:PORT][/PATH]     the root of a running machine

Of a bare path it is found out what it is. A container without kernel and init becomes a base, which
`prov image build RECIPE --from NAME` makes bootable.
"""


@click.command("import", help=_HELP, short_help="Import an image from a registry, file, folder or machine.")
@click.argument("source")
@click.argument("name")
@click.option("--platform", default="linux/amd64", show_default=True, help="Of an image for several.")
@click.option("--login", metavar="USER", help="Log in to the registry as USER; asks for the password.")
@click.option("--creds-file", type=_FILE, help="A file with the login, one line: USER:PASSWORD.")
@click.option("--authfile", type=_FILE, help="A file with logins, as podman login and docker login write it.")
@click.option(
    "--cert-dir", "certificates", type=_FILE, help="A folder with ca.crt of the registry; client.cert, client.key."
)
@click.option("--insecure", is_flag=True, help="Take plain HTTP, and certificates that nobody vouches for.")
@click.option("--policy", type=_FILE, help="Whose signatures to trust: a containers-policy.json.")
@click.option("--keyring", type=_FILE, help="OpenPGP keys that may sign SIF files (default: keys/images.gpg).")
@click.option("--unsigned", is_flag=True, help="Take a SIF file that nobody signed, although there are keys.")
@click.option("--ssh-config", type=_FILE, help="For ssh://, another configuration of ssh than the user's.")
@format_option
@click.pass_obj
def command(paths: Paths, /, *, source: str, name: str, style: str, **options: Any) -> None:
    """Say how to import, import, and say what came of it."""
    from provisioner.cli.imagemade import Steps, report
    from provisioner.operations.imageimport import Access, import_image, terms_for

    login = _login(options.pop("login"), options.pop("creds_file"), options["authfile"])
    access = Access(login=login, **{field: options.pop(field) for field in _ACCESS})
    with Steps() as steps:
        terms = terms_for(paths, access=access, say=steps.say, watch=steps.watch, **options)
        made = import_image(paths, source, name, terms)
    report(made, style)


def _login(user: str | None, creds_file: Path | None, authfile: Path | None) -> tuple[str, str] | None:
    from provisioner.operations.imageimport import read_login

    if sum(each is not None for each in (user, creds_file, authfile)) > 1:
        raise click.UsageError("choose one of --login, --creds-file and --authfile")
    if creds_file is not None:
        return read_login(creds_file)
    return None if user is None else (user, click.prompt(f"Password of {user}", hide_input=True, err=True))
