"""The plan of a set-up: from what is there to what is missing, without touching anything."""

from __future__ import annotations

from pathlib import Path

from provisioner.operations.init import NewSite
from provisioner.operations.setup.facts import Facts, Wish
from provisioner.operations.setup.firewall import firewall_step
from provisioner.operations.setup.folders import unlike
from provisioner.operations.setup.holders import OUR_UNIT
from provisioner.operations.setup.needs import packages_step
from provisioner.operations.setup.steps import Action, Link, MakeKey, MakeSite, Run, Step, Write

COMMAND = Path("/usr/bin/prov")
SYSUSERS = Path("/usr/lib/sysusers.d/provisioner.conf")
TMPFILES = Path("/usr/lib/tmpfiles.d/provisioner.conf")
UNIT = Path("/etc/systemd/system") / OUR_UNIT
USER = "provisioner"
# More than TimeoutStartSec of the unit.
_START_SECONDS = 330


def plan(facts: Facts, wish: Wish) -> tuple[Step, ...]:
    """All steps in the order in which they are done; those without a change are there too."""
    steps = (
        packages_step(facts.missing, facts.packager, wanted=wish.packages),
        _command(facts, wish),
        _files(facts),
        _user(facts),
        _folders(facts),
        _site(facts, wish),
        _key(facts),
        firewall_step(facts.firewall, facts.place, facts.ports),
    )
    return (*steps, _service(facts, is_new=any(each.change for each in steps[1:3])))


def new_site(facts: Facts, wish: Wish) -> NewSite:
    """The site that is made where there is none."""
    place = facts.place
    return NewSite(
        cluster=wish.cluster,
        network=str(place.network),
        domain=wish.domain,
        server=str(place.address),
        admin_keys=wish.admin_keys,
    )


def _command(facts: Facts, wish: Wish) -> Step:
    if facts.has_command or wish.program is None:
        return Step("command", f"{COMMAND} is there" if facts.has_command else "not looked for")
    return Step("command", f"no {COMMAND}", f"link it to {wish.program}", (Link(COMMAND, wish.program),))


def _files(facts: Facts) -> Step:
    wrong = [each for each in facts.files if not each.is_right]
    if not wrong:
        return Step("files", "unit, user and folders are described")
    actions: list[Action] = [Write(each.path, each.content) for each in wrong]
    if facts.unit and facts.unit.active is not None and any(each.path == UNIT for each in wrong):
        actions.append(Run(("systemctl", "daemon-reload")))
    missing = [each for each in wrong if each.found is None]
    found = f"{len(missing)} of {len(facts.files)} are missing, {len(wrong) - len(missing)} differ"
    return Step("files", found, f"write {', '.join(str(each.path) for each in wrong)}", tuple(actions))


def _user(facts: Facts) -> Step:
    if facts.has_user:
        return Step("user", f"{USER} exists")
    make = Run(("systemd-sysusers", *_root(facts), SYSUSERS.name))
    return Step("user", f"no user {USER}", f"make the user and the group {USER}", (make,))


def _folders(facts: Facts) -> Step:
    wrong = unlike(facts.wanted_folders, facts.folders)
    if not wrong:
        return Step("folders", "all have their owner and mode")
    make = Run(("systemd-tmpfiles", "--create", *_root(facts), TMPFILES.name))
    return Step("folders", f"{len(wrong)} to make or set right", f"make {', '.join(wrong)}", (make,))


def _site(facts: Facts, wish: Wish) -> Step:
    place = facts.place
    if facts.site_fault:
        return Step("site", facts.site_fault, by_hand="prov check")
    if not facts.has_site:
        change = f"make the site {wish.cluster} with the network {place.network} at {place.address}"
        return Step("site", "none", change, (MakeSite(new_site(facts, wish)),))
    networks = facts.site.networks.items() if facts.site else ()
    name = next((name for name, each in networks if each.head == place.address), None)
    if name:
        return Step("site", f"there is one, with this machine in the network {name}")
    line = f"lan: {{cidr: {place.network}, server: {place.address}, dhcp: authoritative}}"
    by_hand = f"write it below networks: in provisioner.yaml, as in {line}"
    return Step("site", f"there is one, and no network of it is served from {place.address}", by_hand=by_hand)


def _key(facts: Facts) -> Step:
    if facts.has_key:
        return Step("key", "there is one")
    return Step("key", "none", "make site.key, which tokens and host keys come from", (MakeKey(),))


def _service(facts: Facts, *, is_new: bool) -> Step:
    """Enabled by name alone below a prefix; started only where systemd runs."""
    unit = facts.unit
    if unit is None:
        return Step("service", "no systemd runs here", by_hand="prov serve")
    if unit.enabled and unit.active is not False and not (unit.active and is_new):
        return Step(
            "service", "it runs, and starts with the machine" if unit.active else "starts with the machine"
        )
    actions, change = [], []
    if not unit.enabled:
        actions.append(Run(("systemctl", "--quiet", *_root(facts), "enable", OUR_UNIT)))
        change.append("enable")
    if unit.active is not None:
        verb = "restart" if unit.active else "start"
        actions.append(Run(("systemctl", verb, OUR_UNIT), _START_SECONDS))
        change.append(verb)
    found = "enabled" if unit.enabled else "not enabled"
    return Step("service", found, f"{' and '.join(change)} {OUR_UNIT}", tuple(actions))


def _root(facts: Facts) -> tuple[str, ...]:
    return () if facts.prefix == Path("/") else (f"--root={facts.prefix}",)
