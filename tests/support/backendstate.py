"""What a booted node says of its network: asked in its own words, and read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.model.boot import BootRecord

_QUESTIONS = {
    "address": "ip -j -d address",
    "route4": "ip -j -4 route",
    "route6": "ip -j -6 route",
    "bond0": "cat /proc/net/bonding/bond0",
    "bond1": "cat /proc/net/bonding/bond1",
    "jumbo": "ping -q -c 1 -w 60 -M do -s 8972 10.9.0.254",
    "kernel": "dmesg",
    "routers": "cd /proc/sys/net/ipv6/conf && grep . */accept_ra",
    "resolv": "cat /etc/resolv.conf",
    "failed": "systemctl --failed --plain --no-legend",
    "units": "systemctl list-units --plain --no-legend --state=active",
    "changes": "cat /run/addresses",
    "journal": "journalctl --boot --no-pager --priority=warning",
}


@dataclass(frozen=True, slots=True)
class Route:
    """A route by way of a router, as the kernel has it; of IPv6 it is 1024 where nobody wrote a metric."""

    to: str
    via: str
    device: str
    metric: int = 0
    on_link: bool = False


@dataclass(frozen=True)
class State:
    """What a booted node says of its network, and who answered it."""

    backend: str
    boot: BootRecord
    answers: Mapping[str, str]
    answered: frozenset[str]
    cpu_seconds: float

    @property
    def devices(self) -> dict[str, dict[str, Any]]:
        """`ip -j -d address` by name."""
        return {each["ifname"]: each for each in json.loads(self.answers["address"])}

    def addresses(self, device: str) -> set[str]:
        """The addresses of a device but those that it has for its link only."""
        found = self.devices[device]["addr_info"]
        return {f"{each['local']}/{each['prefixlen']}" for each in found if each["scope"] != "link"}

    @property
    def routes(self) -> set[Route]:
        """The routes of both families that go by way of a router."""
        found = [*json.loads(self.answers["route4"]), *json.loads(self.answers["route6"])]
        return {
            Route(each["dst"], each["gateway"], each["dev"], each.get("metric", 0), "onlink" in each["flags"])
            for each in found
            if "gateway" in each
        }


def ping_script(addresses: Iterable[str]) -> str:
    """A script that asks all addresses at once until they answer, a minute at most, and prints those that did."""
    one = "ping -q -c 1 -W 2 $address > /dev/null 2>&1 && echo $address && break"
    return f"for address in {' '.join(addresses)}; do (for attempt in $(seq 30); do {one}; done) & done; wait"


def question_script(addresses: Iterable[str]) -> str:
    """A script that asks everything, the way to each of some addresses too."""
    ways = f"for address in {' '.join(addresses)}; do ip -o route get $address; done"
    questions = {**_QUESTIONS, "ways": ways}
    return "\n".join(f"echo @{name}; {question} 2>&1 || true" for name, question in questions.items())


def read_answers(printed: str) -> dict[str, str]:
    """What the script has printed, by question."""
    return dict(section.partition("\n")[::2] for section in f"\n{printed}".split("\n@")[1:])
