"""nodes.conf and warewulf.conf to the files of a site: groups, nodes, networks, and a report of the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from provisioner.config.marked import MarkedMap, Scalar, Value, parse
from provisioner.errors import ConfigError, Problem
from provisioner.exchange.remark import Place, Remark
from provisioner.exchange.warewulf.address import Placer, is_single, wanted_addresses
from provisioner.exchange.warewulf.chain import GROUPS, Chains, effective
from provisioner.exchange.warewulf.device import DeviceReader, Findings
from provisioner.exchange.warewulf.entry import NODE, PROFILE, REMOVED, Entry, EntryReader, Fields, Said
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.exchange.warewulf.lists import group_lists, node_lists
from provisioner.exchange.warewulf.mounts import with_mounts
from provisioner.exchange.warewulf.naming import group_names, node_names
from provisioner.exchange.warewulf.netname import plan_netnames
from provisioner.exchange.warewulf.overlays import site_overlays
from provisioner.exchange.warewulf.remarks import remark_images, remark_settings, remark_unused
from provisioner.exchange.warewulf.server import Server, read_server
from provisioner.exchange.warewulf.subnet import plan_subnets
from provisioner.exchange.warewulf.text import Composer, group_text, node_texts, site_text
from provisioner.model.name import REMOVES
from provisioner.model.written import Site

NODES_CONF, WAREWULF_CONF = "nodes.conf", "warewulf.conf"
_OLD_DEFAULT = "default"


@dataclass(frozen=True)
class Imported:
    """The texts of the new files by path below the site root, and what is to be said about the import."""

    files: Mapping[str, str]
    report: tuple[Remark, ...]
    groups: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    networks: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    images: tuple[str, ...] = ()


def import_warewulf(
    nodes_conf: bytes,
    warewulf_conf: bytes | None = None,
    *,
    site: Site | None = None,
    overlays: Collection[str] = (),
) -> Imported:
    """Read the files of Warewulf 4 (4.5 to 4.7).

    With a `site`, its networks are used, and `provisioner.yaml` is not among the files: `networks` holds those to
    add. `overlays` are those that the site has of its own; others that are not ours are left out. Raises
    ConfigError when a file is not the YAML that Warewulf writes.
    """
    roots = {NODES_CONF: _root(NODES_CONF, nodes_conf)}
    if warewulf_conf is not None:
        roots[WAREWULF_CONF] = _root(WAREWULF_CONF, warewulf_conf)
    ledger = Ledger(roots)
    server = read_server(ledger, WAREWULF_CONF) if warewulf_conf is not None else None
    return _Import(ledger, roots[NODES_CONF], server, site, overlays).run()


@dataclass
class _Import:
    """One import: what is read, worked out and written, step by step."""

    ledger: Ledger
    root: MarkedMap
    server: Server | None
    site: Site | None
    overlays: Collection[str]
    findings: Findings = field(default_factory=Findings)

    def run(self) -> Imported:
        profiles, nodes = self._entries()
        chains = Chains.of(profiles)
        orders = {name: chains.order(entry) for name, entry in nodes.items()}
        final = {
            name: effective([*(profiles[each].fields for each in orders[name]), entry.fields])
            for name, entry in nodes.items()
        }
        self._leave_out_shared(final)
        every = {**{f"{PROFILE} {key}": each for key, each in profiles.items()}, **nodes}
        names = plan_netnames(self.ledger, every, final)
        devices = {name: names.of_node(fields) for name, fields in final.items()}
        self._work_out(final, devices)
        composer = Composer(self.ledger, self.findings, names, profiles)
        composer.hoist(orders)
        lists = group_lists(profiles, list(orders.values()))
        self._remark_flat(profiles, chains)
        groups = {
            profiles[name].name: composer.group(
                profiles[name], _renamed(profiles, chains.nested_of(profiles[name])), lists[name]
            )
            for name in profiles
        }
        own = {
            entry.name: composer.node(
                entry,
                final[name],
                _renamed(profiles, chains.groups_for(entry)),
                node_lists(entry, final[name], [lists[each] for each in orders[name]]),
            )
            for name, entry in nodes.items()
        }
        remark_unused(self.ledger, every, final, self.findings)
        images = {said.value for entry in every.values() if (said := entry.fields.get(("image",)))} - {REMOVED}
        return replace(self._written(groups, own, final), images=tuple(sorted(images)))

    def _entries(self) -> tuple[dict[str, Entry], dict[str, Entry]]:
        """All profiles and all nodes that can be nodes here, by their name in Warewulf."""
        legacy = self.root.find("WW_INTERNAL") is not None
        self.ledger.carry((NODES_CONF, "WW_INTERNAL"))
        reader = EntryReader(self.ledger, legacy)
        found = {PROFILE: _section(self.root, "nodeprofiles"), NODE: _section(self.root, "nodes")}
        names = {PROFILE: group_names(self.ledger, found[PROFILE]), NODE: node_names(self.ledger, found[NODE])}
        entries: dict[str, dict[str, Entry]] = {PROFILE: {}, NODE: {}}
        for kind, section in found.items():
            for source, (place, value) in section.items():
                if source in names[kind]:
                    fields = reader.fields(kind, value, place)
                    if legacy and kind == NODE and not _names_profiles(fields) and _OLD_DEFAULT in names[PROFILE]:
                        fields[GROUPS] = self._old_default(place)
                    entry = Entry(kind, source, names[kind][source], place, fields)
                    entries[kind][source] = self._with_site_overlays(entry)
        for entry in (*entries[PROFILE].values(), *entries[NODE].values()):
            self._remark_entry(entry, entries[PROFILE])
        return entries[PROFILE], entries[NODE]

    def _with_site_overlays(self, entry: Entry) -> Entry:
        fields = with_mounts(self.ledger, dict(entry.fields))
        for path, said in entry.fields.items():
            if path[0] == "overlays":
                fields[path] = site_overlays(self.ledger, entry, path[1], said, self.overlays)
        return Entry(entry.kind, entry.source, entry.name, entry.place, fields)

    def _remark_entry(self, entry: Entry, profiles: Mapping[str, Entry]) -> None:
        """Say what is not carried of an entry whatever its other values are."""
        remark_settings(self.ledger, entry)
        said = entry.fields.get(GROUPS)
        for item, place in zip(said.value, said.places, strict=True) if said else ():
            if item.removeprefix(REMOVES) in profiles:
                self.ledger.carry(place)
            else:
                self.ledger.remark(place, f"there is no profile {item}", "Warewulf leaves it out too")

    def _old_default(self, place: Place) -> Said:
        reason = "the node names no profile; before release 4.6 it had `default` all the same, and so it has here"
        self.ledger.note(place, reason)
        return Said((_OLD_DEFAULT,), ((*place, "profiles"),))

    def _leave_out_shared(self, final: dict[str, Fields]) -> None:
        """Take away what only one machine can have, where a profile gives it to several nodes."""
        shared: dict[Place, list[str]] = {}
        for name, fields in final.items():
            for path, said in fields.items():
                if is_single(path) and said.value is not REMOVED:
                    shared.setdefault(said.places[0], []).append(name)
        for place, names in shared.items():
            if len(names) > 1:
                self.findings.dropped.add(place)
                reason = f"{len(names)} nodes would have it, {names[0]} the first; none of them gets it"
                self.ledger.remark(place, reason, "give each node its own once the import is done")
        for name, fields in final.items():
            kept = {
                path: said for path, said in fields.items() if not self.findings.dropped.intersection(said.places)
            }
            final[name] = kept

    def _work_out(self, final: Mapping[str, Fields], devices: Mapping[str, dict[str, str]]) -> None:
        reader = DeviceReader(self.ledger, self.findings)
        wanted = [each for name in final for each in wanted_addresses(self.ledger, final[name], devices[name])]
        known = self.site.networks if self.site else {}
        self.subnets = plan_subnets(self.ledger, self.server, wanted, known)
        placer = Placer(self.ledger, self.subnets, self.findings)
        for name, fields in final.items():
            reader.read(name, fields, devices[name])
            placer.place(name, fields, devices[name])

    def _remark_flat(self, profiles: Mapping[str, Entry], chains: Chains) -> None:
        for name in chains.flat:
            place = (*profiles[name].place, "profiles")
            self.ledger.note(place, "these profiles lead back to this one; every node names them itself instead")

    def _written(
        self, groups: Mapping[str, object], nodes: Mapping[str, object], final: Mapping[str, Fields]
    ) -> Imported:
        files = {f"groups.d/{name}.yaml": group_text(name, content) for name, content in groups.items()}
        files |= node_texts(nodes)
        networks = self.subnets.added()
        if self.site is None:
            files["provisioner.yaml"] = site_text(_cluster(final.values()), networks)
        remark_images(self.ledger, final)
        return Imported(files, self.ledger.report(), tuple(groups), tuple(nodes), networks)


def _root(file: str, content: bytes) -> MarkedMap:
    """A file as a mapping; ConfigError when it is none."""
    try:
        document = parse(file, content.decode())
    except UnicodeDecodeError:
        raise ConfigError(
            [Problem(file, 0, 0, "the file is not UTF-8 text", "give the file of Warewulf")]
        ) from None
    if document.problems:
        raise ConfigError(document.problems)
    if not isinstance(document.root, MarkedMap):
        hint = "give the file that Warewulf keeps in /etc/warewulf"
        raise ConfigError([Problem(file, 1, 1, "expected a mapping", hint)])
    return document.root


def _section(root: MarkedMap, key: str) -> dict[str, tuple[Place, Value]]:
    pair = root.find(key)
    if pair is None or (isinstance(pair.value, Scalar) and pair.value.text is None):
        return {}
    if not isinstance(pair.value, MarkedMap):
        span = pair.value.span
        hint = "give the file that Warewulf keeps in /etc/warewulf"
        raise ConfigError([Problem(NODES_CONF, span.line, span.column, f"{key} must be a mapping", hint)])
    return {each.key.text or "": ((NODES_CONF, key, each.key.text or ""), each.value) for each in pair.value.pairs}


def _renamed(profiles: Mapping[str, Entry], names: Iterable[str]) -> tuple[str, ...]:
    def renamed() -> Iterator[str]:
        for name in names:
            mark = REMOVES if name.startswith(REMOVES) else ""
            yield mark + profiles[name.removeprefix(REMOVES)].name

    return tuple(renamed())


def _cluster(final: Iterable[Fields]) -> str:
    """The name that most nodes have for their cluster."""
    said = (fields.get(("cluster",)) for fields in final)
    counted = Counter(each.value for each in said if each is not None and each.value is not REMOVED)
    return min(counted, key=lambda name: (-counted[name], name)) if counted else "cluster"


def _names_profiles(fields: Fields) -> bool:
    said = fields.get(GROUPS)
    return said is not None and bool(said.value)
