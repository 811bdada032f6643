"""NodeName and PartitionName lines for slurm.conf(5).

A node's hardware is what `resources.slurm` says, or the tag `slurm_KEY` (`slurm_CPUs`), under Slurm's own names.
Its groups are its features. `resources.slurm.partitions` is a map: the node is in every partition that is a key of
it, and what the key holds are the options of that partition. Groups pass resources on, so a group that carries
`resources: {slurm: {partitions: {batch: {Default: "YES"}}}}` makes a partition of its nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.exchange.inventory import Exported, Inventory, Record, usable
from provisioner.model.nodeset import fold

NODE_KEYS = (
    "Arch", "Boards", "BcastAddr", "CPUs", "CpuSpecList", "CoreSpecCount", "CoresPerSocket", "Gres",
    "MemSpecLimit", "NodeAddr", "NodeHostname", "Port", "RealMemory", "Reason", "Sockets", "SocketsPerBoard",
    "State", "ThreadsPerCore", "TmpDisk", "Weight",
)  # fmt: skip
_BY_LOWER = {key.lower(): key for key in NODE_KEYS}
_FEATURES = frozenset({"feature", "features"})
_TAG = "slurm_"
_WORD = re.compile(r"[A-Za-z0-9_.,:/()*+=\[\]-]+")
_QUOTABLE = re.compile(r"[A-Za-z0-9_.,:/()*+=\[\] @%-]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def export_slurm(inventory: Inventory) -> Exported:
    """The lines for nodes that are alike in one, then one line for each partition."""
    left_out: list[str] = []
    alike: dict[tuple[str, ...], list[str]] = {}
    partitions: dict[str, tuple[list[str], dict[str, None]]] = {}
    for record in usable(inventory.records, left_out):
        alike.setdefault(tuple(_words(record, left_out)), []).append(record["name"])
        for name, options in _partitions(record, left_out):
            nodes, words = partitions.setdefault(name, ([], {}))
            nodes.append(record["name"])
            words.update(dict.fromkeys(options))
    lines = [" ".join([f"NodeName={fold(names)}", *words]) for words, names in alike.items()]
    lines += [
        " ".join([f"PartitionName={name}", f"Nodes={fold(nodes)}", *words])
        for name, (nodes, words) in sorted(partitions.items())
    ]
    return Exported("".join(f"{line}\n" for line in lines), tuple(dict.fromkeys(left_out)))


def _words(record: Record, left_out: list[str]) -> Iterator[str]:
    """What a NodeName line says behind the name."""
    said = {key.removeprefix(_TAG): value for key, value in record["tags"].items() if key.startswith(_TAG)}
    said |= _slurm(record)
    features = [each for each in record["groups"] if _is_feature(each, record, left_out)]
    found: dict[str, str] = {}
    for key, value in said.items():
        known = _BY_LOWER.get(key.lower())
        if key.lower() in _FEATURES:
            features += [each for each in _listed(value) if _is_feature(each, record, left_out)]
        elif key != "partitions" and (word := _value(value)) is not None and known:
            found[known] = word
        elif key != "partitions":
            left_out.append(f"resources.slurm.{key} of {record['name']}: slurm.conf cannot say it")
    yield from (f"{key}={found[key]}" for key in NODE_KEYS if key in found)
    if features:
        yield f"Feature={','.join(dict.fromkeys(features))}"


def _partitions(record: Record, left_out: list[str]) -> Iterator[tuple[str, list[str]]]:
    partitions = _slurm(record).get("partitions")
    if partitions is not None and not isinstance(partitions, Mapping):
        left_out.append(f"resources.slurm.partitions of {record['name']}: expected a map of partitions")
        return
    for name, options in (partitions or {}).items():
        if not _NAME.fullmatch(name):
            left_out.append(f"the partition {name!r}: not a name")
            continue
        words = []
        for key, value in (options if isinstance(options, Mapping) else {}).items():
            if _KEY.fullmatch(key) and key.lower() not in {"nodes", "partitionname"} and (word := _value(value)):
                words.append(f"{key}={word}")
            else:
                left_out.append(f"{key!r} of the partition {name}: slurm.conf cannot say it")
        yield name, words


def _slurm(record: Record) -> Mapping[str, Any]:
    found = (record.get("resources") or {}).get("slurm")
    return found if isinstance(found, Mapping) else {}


def _is_feature(name: str, record: Record, left_out: list[str]) -> bool:
    if _NAME.fullmatch(name):
        return True
    left_out.append(f"the feature {name!r} of {record['name']}: not a name")
    return False


def _listed(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else str(value).split(",")


def _value(value: object) -> str | None:
    """A value as slurm.conf reads it, None where it cannot: quotes and line ends have no escape there."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if isinstance(value, Mapping) or value is None:
        return None
    if _WORD.fullmatch(text):
        return text
    return f'"{text}"' if _QUOTABLE.fullmatch(text) and text.strip() == text else None
