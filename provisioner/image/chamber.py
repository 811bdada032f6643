"""Run a program of an image inside the image's tree, shut off from this machine.

The program is root there without the rights that reach beyond the tree, and has processes, a host name, /proc,
/dev, /run and /tmp of its own; its network is nothing but loopback unless it is given this machine's. None of it
is left when it ends, however it ends: mounts live in a namespace that dies with it, and it dies with this process.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from provisioner.errors import CommandError, NotFoundError, ProvisionerError
from provisioner.host.run import INHERIT, NOTHING, Stream, spawn
from provisioner.image import inside, mountpoints, terminal
from provisioner.image.chamber_child import Request
from provisioner.image.furniture import RESOLVER, Bind, Places, View
from provisioner.image.unpack import require_root

_FOLDERS = ("proc", "sys", "dev", "run", "tmp")
_TAIL = 20
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy")
# SYSTEMD_OFFLINE: systemctl enables units by files then, and asks no daemon.
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/sh",
    "LANG": "C.UTF-8",
    "SYSTEMD_OFFLINE": "1",
}


def run_inside(
    tree: Path,
    command: Sequence[str],
    *,
    binds: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    network: bool = False,
    log: Path | None = None,
    interactive: bool = False,
    read_only: bool = False,
) -> int:
    """Run a program of a tree inside it and return its exit status: 128 and the number of a signal that ended it.

    Give it a tree of your own to change, never one of the store. `binds` are `SRC:DST` or `SRC:DST:ro`: a file or
    folder of this machine and where it is seen inside; DST is made where it is missing, and goes again.
    `environment` comes on top of a small fixed one. With `network` the program has this machine's network and its
    resolv.conf. What it prints is appended to `log`, or goes where this process prints. It reads nothing, unless
    it is `interactive`: then it has this process's input, and a terminal of its own where this process has one.
    With `read_only` it cannot change the tree.

    Raises CommandError when the program cannot be started, NotFoundError for a bind of nothing, and
    UnavailableError without root's rights.
    """
    require_root()
    request = _request(
        tree,
        command,
        _binds(tree, binds, network=network),
        network=network,
        interactive=interactive and log is None,
    )
    request = replace(request, environment={**request.environment, **(environment or {})}, read_only=read_only)
    places = request.places
    points = [(Path(getattr(places, name)), True) for name in _FOLDERS]
    points += [(Path(each.target), Path(each.source).is_dir()) for each in request.binds]
    with mountpoints.lent(points, hidden=(Path(places.run), Path(places.tmp))):
        return _on_streams(request, log=log, interactive=interactive)


def look_inside(
    tree: Path,
    command: Sequence[str],
    *,
    mount: Path,
    layers: Sequence[Path] = (),
    binds: Sequence[str] = (),
    network: bool = False,
    log: Path | None = None,
    interactive: bool = False,
    seconds: int = 0,
) -> int:
    """As `run_inside`, with a tree of the store: the program sees it and cannot change it.

    `layers` are folders to lay over it, the last one on top; a character device 0:0 in one hides what lies below
    (overlayfs). `mount` is an empty folder, for as long. After `seconds` the program is stopped, if not 0: for one
    that nobody watches. That is a CommandError too.
    """
    require_root()
    view = View(tuple(str(each) for each in (*reversed(layers), tree)), str(mount))
    request = _request(
        tree,
        command,
        _binds(tree, binds, network=network),
        network=network,
        interactive=interactive and log is None,
    )

    def seen(place: str) -> str:
        return str(Path(view.tree, Path(place).relative_to(tree)))

    moved = Places(**{name: seen(place) for name, place in asdict(request.places).items()})
    wanted = tuple(replace(each, target=seen(each.target)) for each in request.binds)
    request = replace(request, places=moved, binds=wanted, view=view, read_only=True, seconds=seconds)
    return _on_streams(request, log=log, interactive=interactive)


def _request(
    tree: Path, command: Sequence[str], binds: tuple[Bind, ...], *, network: bool, interactive: bool
) -> Request:
    return Request(
        places=_places(tree),
        command=tuple(command),
        environment={**_ENVIRONMENT, **_from_here(network=network, interactive=interactive)},
        binds=binds,
        network=network,
        read_only=False,
        terminal=interactive and terminal.here(),
        parent=os.getpid(),
    )


def check_inside(
    tree: Path,
    command: Sequence[str],
    *,
    log: Path,
    binds: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    network: bool = False,
) -> None:
    """As `run_inside`, for a program that must succeed: CommandError with the end of what it printed otherwise."""
    log.parent.mkdir(parents=True, exist_ok=True)
    start = log.stat().st_size if log.exists() else 0
    status = run_inside(tree, command, binds=binds, environment=environment, network=network, log=log)
    if status == 0:
        return
    with log.open("rb") as stream:
        stream.seek(start)
        lines = stream.read().decode(errors="replace").strip().splitlines()
    output = "\n".join(lines[-_TAIL:])
    message = f"{shlex.join(command[:3])} in the image failed with status {status}"
    raise CommandError(f"{message}:\n{output}", status=status, output=output, hint=f"all it said is in {log}")


def _on_streams(request: Request, *, log: Path | None, interactive: bool) -> int:
    if request.terminal:
        with terminal.Terminal() as own:
            return _run(request, stdin=own.program, output=own.program, relay=own.relay)
    stdin = INHERIT if interactive else NOTHING
    if log is None:
        return _run(request, stdin=stdin, output=INHERIT)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return _run(request, stdin=stdin, output=stream)


def _run(request: Request, *, stdin: Stream, output: Stream, relay: Callable[[], None] = lambda: None) -> int:
    """Start the keeper of the chamber, and wait for its end once `relay` is done."""
    package = Path(__file__).resolve().parents[2]
    mine, its = socket.socketpair()
    with mine, mine.makefile("rwb") as line:
        with its:
            process = spawn(
                [sys.executable, "-P", "-m", "provisioner.image.chamber_child", str(its.fileno())],
                stdin=stdin,
                stdout=output,
                stderr=output,
                environment={"PYTHONPATH": str(package)},
                pass_fds=[its.fileno()],
            )
        try:
            line.write(request.encode())
            line.flush()
            mine.shutdown(socket.SHUT_WR)
            relay()
            status = process.wait()
        except BaseException:
            # An interrupt, for one: what runs inside must not outlive the wait for it.
            process.terminate()
            process.wait()
            raise
        message = line.read().decode(errors="replace")
    if message:
        raise CommandError(message, status=status)
    if status < 0:
        raise CommandError(f"{request.command[0]} in the image was stopped by signal {-status}", status=status)
    return status


def _places(tree: Path) -> Places:
    found = {name: inside.resolve(tree, f"/{name}") for name in _FOLDERS}
    for name, place in found.items():
        if place == tree or (place.exists() and not place.is_dir()):
            raise ProvisionerError(f"/{name} of the image is no folder of its own: no program can run in it")
    return Places(str(tree), **{name: str(place) for name, place in found.items()})


def _binds(tree: Path, texts: Sequence[str], *, network: bool) -> tuple[Bind, ...]:
    wanted = [_bind(tree, text) for text in texts]
    if network and RESOLVER.exists():
        target = inside.resolve(tree, str(RESOLVER))
        wanted.append(Bind(str(RESOLVER.resolve()), str(target), read_only=True))
    return tuple(wanted)


def _demand_place(tree: Path, outer: Bind, inner: Bind) -> None:
    """A bind in another one needs its place there: it would be made on this machine, wherever links lead."""
    if Path(outer.target) not in Path(inner.target).parents:
        return
    place = Path(outer.source, Path(inner.target).relative_to(outer.target))
    if not place.exists() or place.resolve() != place:
        seen = f"/{Path(inner.target).relative_to(tree)}"
        message = f"{seen} lies in another bind, and there is no {place} to show it at"
        raise ProvisionerError(message, hint=f"make {place}, or bind {inner.source} somewhere else")


def check_binds(tree: Path, texts: Sequence[str], *, network: bool) -> None:
    """Raise what `run_inside` would for binds that a person asks for, before anything that takes its time.

    ProvisionerError too where one lies in another one, at a place that is not there.
    """
    wanted = _binds(tree, texts, network=network)
    for number, each in enumerate(wanted):
        for outer in wanted[:number]:
            _demand_place(tree, outer, each)


def _bind(tree: Path, text: str) -> Bind:
    """The bind in `SRC:DST` or `SRC:DST:ro`; ProvisionerError for another form or a place that is taken."""
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not source.startswith("/") or not target.startswith("/") or mode not in ("", "ro", "rw"):
        hint = "give absolute paths: --bind /srv/packages:/mnt or --bind /srv/packages:/mnt:ro"
        raise ProvisionerError(f"{text!r} is no bind", hint=hint)
    if not Path(source).exists():
        raise NotFoundError(f"there is no {source} on this machine to bind")
    place = inside.resolve(tree, target)
    taken = [inside.resolve(tree, f"/{name}") for name in ("proc", "sys", "dev")]
    if place == tree or any(each in (place, *place.parents) for each in taken):
        raise ProvisionerError(f"nothing can be bound to {target}: the chamber has its own there")
    return Bind(os.path.realpath(source), str(place), read_only=mode == "ro")


def _from_here(*, network: bool, interactive: bool) -> dict[str, str]:
    names = [*(_PROXIES if network else ()), *(("TERM", "COLORTERM") if interactive else ())]
    wanted = [*names, *(name.upper() for name in names)]
    return {name: os.environ[name] for name in wanted if name in os.environ}
