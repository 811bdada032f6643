"""The options of every command that packs an image."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

T = TypeVar("T")


def packing_options(function: Callable[..., T]) -> Callable[..., T]:
    """Add the options, which the command gets as one `packing` (model.image.Packing); None without any."""

    @click.option("--kernel", "release", metavar="RELEASE", help="The kernel to boot, or how its release starts.")
    @click.option("--exclude", "excludes", multiple=True, metavar="PATTERN", help="Leave paths out of the root.")
    @click.option("--driver", "drivers", multiple=True, metavar="NAME", help="A driver that stage 1 must have.")
    @click.option("--profile", type=click.Choice(["quick", "release"]), help="How hard to compress.")
    @click.option("--codec", type=click.Choice(["zstd", "gzip", "xz", "lz4"]), help="How to compress the root.")
    @click.option(
        "--archive", is_flag=True, help="Also for nodes whose root is the initramfs (root.kind: single)."
    )
    @click.option(
        "--streamed", is_flag=True, help="In small blocks, for nodes that stream it (root.kind: stream)."
    )
    @wraps(function)
    def command(*args: Any, **options: Any) -> T:
        from provisioner.model.image import Packing

        chosen = {name: value for name in Packing.model_fields if (value := options.pop(name))}
        return function(*args, packing=Packing(**chosen) if chosen else None, **options)

    return command
