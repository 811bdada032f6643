"""Files of Warewulf as Hypothesis makes them, and what they mean by Warewulf's own rules.

The rules are written anew here, from their description, and share no code with the importer.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NETMASK = "255.255.0.0"
_PROFILES = ("default", "a", "b", "c")
_ARGUMENTS = ("quiet", "x=1", "y", "z=2")
_OVERLAYS = ("motd", "lustre", "users")
_IMAGES = ("rocky-9", "rocky-8", "debian-12")


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = {key.replace("_", " "): value for key, value in fields.items()}
    return st.fixed_dictionaries({}, optional=names)


def _some(items: tuple[str, ...], *, negated: bool) -> st.SearchStrategy[list[str]]:
    every = [*items, *(f"~{item}" for item in items)] if negated else list(items)
    return st.lists(st.sampled_from(every), max_size=3, unique=True)


def _device(*, negated: bool) -> st.SearchStrategy[dict[str, Any]]:
    tags = st.dictionaries(st.sampled_from(["DNS1", "DNS2", "zone"]), st.sampled_from(["10.9.9.1", "10.9.9.2"]))
    return _optional(
        type=st.just("ethernet"),
        onboot=st.sampled_from(["true", "false"]),
        mtu=st.sampled_from(["1500", "9000"]),
        gateway=st.sampled_from(["10.0.250.1", "10.0.250.2"]),
        tags=tags,
    )


def _entry(*, negated: bool) -> st.SearchStrategy[dict[str, Any]]:
    lists = {
        "profiles": _some(_PROFILES, negated=negated),
        "system_overlay": _some(_OVERLAYS, negated=negated),
        "runtime_overlay": _some(_OVERLAYS, negated=negated),
    }
    return _optional(
        **lists,
        image_name=st.sampled_from(_IMAGES),
        cluster_name=st.sampled_from(["one", "two"]),
        init=st.sampled_from(["/sbin/init", "/init"]),
        kernel=st.fixed_dictionaries({"args": _some(_ARGUMENTS, negated=negated)}),
        tags=st.dictionaries(st.sampled_from(["rack", "row"]), st.sampled_from(["1", "2"])),
        resources=st.dictionaries(
            st.sampled_from(["r", "s"]), st.dictionaries(st.sampled_from("tu"), st.just("v"))
        ),
        network_devices=st.dictionaries(st.sampled_from(["lan", "san"]), _device(negated=negated), max_size=2),
    )


@st.composite
def nodes_confs(draw: st.DrawFn) -> dict[str, Any]:
    """A nodes.conf as plain data, of a release before 4.6 (with WW_INTERNAL, without `~`) or of a later one."""
    legacy = draw(st.booleans())
    names = draw(st.lists(st.sampled_from(_PROFILES), unique=True, max_size=4))
    profiles = {name: draw(_entry(negated=not legacy)) for name in names}
    if legacy:
        for profile in profiles.values():
            profile.pop("profiles", None)
    nodes = {}
    for number in range(draw(st.integers(1, 3))):
        node = draw(_entry(negated=not legacy))
        lan = node.setdefault("network devices", {}).setdefault("lan", {})
        lan |= {"hwaddr": f"52:54:00:00:00:0{number}", "ipaddr": f"10.0.1.{number + 1}", "netmask": NETMASK}
        lan["device"] = draw(st.sampled_from(["eth0", "eth0", "eth1"]))
        nodes[f"n{number}"] = node
    return {**({"WW_INTERNAL": "45"} if legacy else {}), "nodeprofiles": profiles, "nodes": nodes}


def meaning(content: dict[str, Any], name: str) -> dict[str, Any]:
    """What a node says in the end."""
    legacy = "WW_INTERNAL" in content
    profiles, node = content["nodeprofiles"], content["nodes"][name]
    named = node.get("profiles") or (["default"] if legacy else [])
    order = [each for each in _expanded(named, profiles, set()) if each in profiles]
    negated = {each[1:] for each in _expanded(named, profiles, set()) if each.startswith("~")}
    layers = [profiles[each] for each in order if each not in negated]
    merged: dict[str, Any] = {}
    for layer in [*layers, node]:
        _lay(merged, layer, legacy=legacy)
    return {key: _without_negations(value) for key, value in merged.items()}


def _expanded(names: list[str], profiles: dict[str, Any], seen: set[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        if name.startswith("~"):
            found.append(name)
        elif name not in seen:
            seen.add(name)
            found += _expanded(profiles.get(name, {}).get("profiles", []), profiles, seen)
            found.append(name)
    return found


def _lay(below: dict[str, Any], above: dict[str, Any], *, legacy: bool) -> None:
    for key, value in above.items():
        if isinstance(value, dict):
            _lay(below.setdefault(key, {}), value, legacy=legacy)
        elif isinstance(value, list) and not legacy:
            below[key] = [*below.get(key, []), *value]
        elif value != []:
            below[key] = list(value) if isinstance(value, list) else value


def _without_negations(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_negations(each) for key, each in value.items()}
    if isinstance(value, list):
        gone = {each[1:] for each in value if each.startswith("~")}
        return list(dict.fromkeys(each for each in value if not each.startswith("~") and each not in gone))
    return value
