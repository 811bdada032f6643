"""A million inputs for every decoder that strangers reach, made by what they cover (atheris, libFuzzer)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fuzzing import SECONDS_AN_INPUT, targets

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

MILLION = 1_000_000
SEED = 20_077
_TARGETS = targets()
_WITHOUT_A_TOKEN = [name for name in _TARGETS if name not in {"site files", "node sets"}]


@pytest.mark.parametrize("name", _WITHOUT_A_TOKEN)
def test_a_million_inputs_that_lead_to_new_places_end_as_documented(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for number, sample in enumerate(_TARGETS[name].samples):
        (seeds / str(number)).write_bytes(sample)
    limits = [f"-runs={MILLION}", f"-seed={SEED}", f"-timeout={SECONDS_AN_INPUT:.0f}", "-rss_limit_mb=2048"]
    places = [f"-artifact_prefix={tmp_path}/", str(seeds)]
    command = [sys.executable, "-m", "tests.long.harness", name, *limits, *places]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-4000:]
    first, last = re.findall(r"(?:INITED|DONE) +cov: (\d+)", done.stderr)
    assert re.search(rf"Done {MILLION} runs", done.stderr)
    assert int(last) > int(first) > 0, "nothing was covered besides what honest inputs cover"
    with capsys.disabled():
        print(f"\n{name}: {MILLION} inputs from seed {SEED}: {first} edges by honest inputs, {last} in the end")
