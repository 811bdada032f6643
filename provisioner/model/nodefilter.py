"""Filters on what is known of a node, as in `--where`: `image=rocky-9`, `tags.rack~r?`, `!interfaces.*.mac`.

An expression is compiled once to functions; a record is the plain data of one resolved node.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from ipaddress import ip_interface

from provisioner.model.address import MacAddress
from provisioner.model.pointed import PointedError, shown
from provisioner.model.steps import placed

Record = Mapping[str, object]

_EXPRESSION = re.compile(
    r"""\s*(?P<not>!?)\s*(?P<field>(?:"(?:\\.|[^"\\])*"|[^\s!=~<>])*)\s*"""
    r"(?P<operator>!=|!~|<=|>=|=|~|<|>)?\s*(?P<value>.*)",
    re.DOTALL,
)
_LONGEST_EXPRESSION = 4096
_MOST_STEPS = 16
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_VALUE = re.compile(r"(?:\\,|[^,])*")
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MAC_LENGTHS = frozenset({12, 14, 17})

_Reader = Callable[[object], list[object]]
_Test = Callable[[str], bool]


class FilterError(PointedError):
    """A text is no filter."""

    kind = "filter"


@dataclass(frozen=True, slots=True)
class NodeFilter:
    """A compiled condition on a node, or several that all have to hold."""

    conditions: tuple[Callable[[Record], bool], ...]

    def matches(self, record: Record) -> bool:
        """Whether a node is wanted; `record` holds text, numbers, booleans, None, and lists and maps of these."""
        return all(condition(record) for condition in self.conditions)


def parse(expression: str, fields: Collection[str]) -> NodeFilter:
    r"""One condition: `FIELD OPERATOR VALUE`, `FIELD` (is set) or `!FIELD` (is not set).

    FIELD is a dotted path that starts with one of `fields`; `*` is any one step, and a key in double quotes is one
    step, whatever it holds. `=` compares with the text that
    a person sees, and with every item of a list and every key of a map; `~` compares with a shell pattern; `!=`
    and `!~` are their opposites, so they hold where nothing is set; `<`, `<=`, `>`, `>=` compare numbers. Of
    several values parted by commas one is enough (`\,` is a comma in a value). MACs are equal in every
    spelling, and an address is equal to itself with a prefix length. Raises FilterError.
    """
    if len(expression) > _LONGEST_EXPRESSION:
        raise FilterError(expression, _LONGEST_EXPRESSION, f"it is longer than {_LONGEST_EXPRESSION} characters")
    match = _EXPRESSION.fullmatch(expression.rstrip())
    # Every part of the pattern may be missing, so it always matches; only mypy has to be told.
    if match is None or not match["field"]:
        raise FilterError(expression, match.start("field") if match else 0, "the name of a field is missing")
    read = _reader(_steps(expression, match, fields))
    sign, value = match["operator"], match["value"]
    if sign is None:
        if value:
            raise FilterError(expression, match.start("value"), "expected one of = != ~ !~ < <= > >= here")
        return NodeFilter((_presence(read, wanted=not match["not"]),))
    if match["not"]:
        raise FilterError(expression, match.start("not"), "'!' in front is for a field alone; use != or !~")
    return NodeFilter((_comparison(expression, match, read),))


def parse_all(expressions: Iterable[str], fields: Collection[str]) -> NodeFilter:
    """All conditions at once; without any, every node matches. Raises FilterError for the first wrong one."""
    return NodeFilter(tuple(each for text in expressions for each in parse(text, fields).conditions))


def _steps(expression: str, match: re.Match[str], fields: Collection[str]) -> tuple[str, ...]:
    offset, found = match.start("field"), placed(match["field"])
    steps = tuple(step for step, _ in found)
    if steps[0] not in fields:
        close = difflib.get_close_matches(steps[0], sorted(fields), n=1)
        advice = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(fields))}"
        raise FilterError(expression, offset, f"there is no field {shown(steps[0])}; {advice}")
    for step, place in found:
        if not step:
            raise FilterError(expression, offset + place, "a step of the path is empty")
    if len(steps) > _MOST_STEPS:
        raise FilterError(expression, match.start("field"), f"a path has at most {_MOST_STEPS} steps")
    return steps


def _reader(steps: tuple[str, ...]) -> _Reader:
    """Reads all values at a path, from its end on, so that no step is compiled twice."""
    readers: list[_Reader] = [_items]
    for start in reversed(range(len(steps))):
        if steps[start] == "*":
            readers.insert(0, _any_step(readers[0]))
            continue
        # The key of a map may hold dots itself (the interface eth0.100), so steps are tried together too.
        end = next((i for i in range(start, len(steps)) if steps[i] == "*"), len(steps))
        keys = [(".".join(steps[start:stop]), readers[stop - start - 1]) for stop in range(start + 1, end + 1)]
        readers.insert(0, _one_step(*keys[0]) if len(keys) == 1 else _step_of(keys))
    return readers[0]


def _items(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value)
    return list(value) if isinstance(value, list | tuple) else [value]


def _one_step(key: str, rest: _Reader) -> _Reader:
    def read(value: object) -> list[object]:
        return rest(value[key]) if isinstance(value, Mapping) and key in value else []

    return read


def _step_of(keys: list[tuple[str, _Reader]]) -> _Reader:
    def read(value: object) -> list[object]:
        if not isinstance(value, Mapping):
            return []
        return [found for key, rest in keys if key in value for found in rest(value[key])]

    return read


def _any_step(rest: _Reader) -> _Reader:
    def read(value: object) -> list[object]:
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
        return [found for each in inner for found in rest(each)]

    return read


def _presence(read: _Reader, *, wanted: bool) -> Callable[[Record], bool]:
    return lambda record: any(value is not None for value in read(record)) is wanted


def _comparison(expression: str, match: re.Match[str], read: _Reader) -> Callable[[Record], bool]:
    sign, offset = match["operator"], match.start("value")
    values = _values(expression, match["value"], offset)
    if sign in _ORDERS:
        limit = _number(values[0]) if len(values) == 1 else None
        if limit is None:
            raise FilterError(expression, offset, f"{sign} compares with one number")
        return _order(read, _ORDERS[sign], limit)
    holds = _any_pattern(values) if sign.endswith("~") else _any_equal(values)
    wanted = not sign.startswith("!")
    return lambda record: any(holds(_text(each)) for each in read(record) if each is not None) is wanted


def _values(expression: str, text: str, offset: int) -> list[str]:
    if text.startswith("="):
        raise FilterError(expression, offset, "one = is enough")
    values = []
    end = -1
    while end < len(text):
        match = _VALUE.match(text, end + 1)
        value = match.group().strip() if match else ""
        if not value:
            reason = "a value is missing" if end >= 0 else "a value is missing; FIELD alone means that it is set"
            raise FilterError(expression, offset + end + 1, reason)
        values.append(value.replace("\\,", ","))
        end = match.end() if match else len(text)
    return values


def _order(read: _Reader, compare: Callable[[float, float], bool], limit: float) -> Callable[[Record], bool]:
    def holds(record: Record) -> bool:
        numbers = (_number(each) for each in read(record))
        return any(number is not None and compare(number, limit) for number in numbers)

    return holds


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        return value
    return float(str(value)) if _NUMBER.fullmatch(str(value)) else None


def _any_equal(values: list[str]) -> _Test:
    texts = frozenset(values)
    macs = frozenset(mac for each in values if (mac := _mac(each)))
    addresses = frozenset(address for each in values if (address := _address(each)))

    def holds(text: str) -> bool:
        if text in texts:
            return True
        if macs and len(text) in _MAC_LENGTHS and _mac(text) in macs:
            return True
        return bool(addresses) and (text in addresses or text.partition("/")[0] in addresses)

    return holds


def _any_pattern(values: list[str]) -> _Test:
    matches = re.compile("|".join(map(translate, values))).match
    matches_mac = re.compile("|".join(translate(each.lower().replace("-", ":")) for each in values)).match

    def holds(text: str) -> bool:
        if matches(text):
            return True
        mac = _mac(text) if len(text) in _MAC_LENGTHS else None
        return mac is not None and matches_mac(mac) is not None

    return holds


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _mac(text: str) -> str | None:
    try:
        return MacAddress(text)
    except ValueError:
        return None


def _address(text: str) -> str | None:
    """An address in its one spelling, with a prefix length only where one was written."""
    try:
        interface = ip_interface(text)
    except ValueError:
        return None
    return str(interface) if "/" in text else str(interface.ip)
