"""Rules for all tests: unit tests touch no machine, no test skips, golden files have one switch."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.golden import Golden
from tests.support.guard import Guard
from tests.support.leavings import files_of
from tests.support.prerequisites import demand_programs, demand_root

_TESTS = Path(__file__).resolve().parent
_ORDER = ("unit", "integration", "e2e", "bench")
_GUARD = pytest.StashKey[Guard]()
_FILES = pytest.StashKey[frozenset[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite golden files (the run fails all the same)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "root: fails unless the tests run as root; every end-to-end test does")
    config.addinivalue_line("markers", "needs(*programs): fails when one of these programs is not installed")
    # A busy machine must fail no test, and an example that is kept must not look like a test that touches files.
    # What is merged is judged by the same examples every time; elsewhere each run looks at new ones.
    same = bool(os.environ.get("CI"))
    settings.register_profile("project", deadline=None, database=None, derandomize=same)
    settings.load_profile("project")
    # A shell ignores Ctrl-C for what it starts in the background, and programs would inherit that from the tests.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    guard = config.stash[_GUARD] = Guard()
    guard.install()


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_FILES] = files_of(_TESTS.parent)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--update-golden") or hasattr(session.config, "workerinput"):
        return
    before = session.config.stash[_FILES]
    left = sorted(before ^ files_of(_TESTS.parent))
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if left and reporter is not None:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.section("the tests changed the checkout")
        reporter.write("".join(f"{path}\n" for path in left))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # After pytest-randomly's shuffle: cheap tests first, and no unit test while an end-to-end fixture lives.
    items.sort(key=lambda item: _ORDER.index(kind) if (kind := _kind(item)) in _ORDER else len(_ORDER))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", _no_skip(report.longrepr)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", _no_skip(report.longrepr)
    return report


@pytest.fixture(autouse=True)
def _off_the_machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if _kind(request.node) != "unit":
        yield
        return
    free = [tmp_path_factory.getbasetemp(), _TESTS.parent / ".hypothesis"]
    if request.config.getoption("--update-golden"):
        free.append(_TESTS / "golden")
    with request.config.stash[_GUARD].watching(*free):
        yield


@pytest.fixture(autouse=True)
def _prerequisites(request: pytest.FixtureRequest) -> None:
    if _kind(request.node) == "e2e" or request.node.get_closest_marker("root"):
        demand_root()
    for marker in request.node.iter_markers("needs"):
        demand_programs(marker.args)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with a file below tests/golden: `golden("boot/n001.ipxe", text)`."""
    return Golden(_TESTS / "golden", update=request.config.getoption("--update-golden"))


def _kind(item: pytest.Item) -> str:
    return item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else ""


def _no_skip(reason: object) -> str:
    why = reason[-1] if isinstance(reason, tuple) else reason
    return f"no test may skip ({why}): let it fail, and say what to type"
