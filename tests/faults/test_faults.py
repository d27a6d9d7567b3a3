"""A fixed sample of the faults that `make soak` injects; every kind is there."""

import pytest
from faults.harness import GOOD, Bench, Fault
from faults.kinds import KINDS, possible
from faults.run import inject, sample, table

pytestmark = [pytest.mark.slow, pytest.mark.jit]
SAMPLE = sample(40, 0, list(KINDS))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("faults") / "bench")


@pytest.mark.parametrize("fault", SAMPLE, ids=lambda fault: f"{fault.kind}-{fault.seed}")
def test_a_fault_costs_nothing(bench: Bench, fault: Fault) -> None:
    if fault.kind not in possible():
        pytest.skip("mounting is not permitted")
    verdict = inject(bench, fault)
    assert verdict.outcome in GOOD, f"{table([verdict])}\n{verdict.detail}\n{verdict.folder}"
