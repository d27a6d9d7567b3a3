"""The learner: compiled or not, and in which precision."""

import pytest
import torch
from learners import RATE, learner, weights, windows
from small_model import NETWORKS

from qplex_hrl import learner as learner_module
from qplex_hrl.algorithm.compiled_loss import CompilationFailed
from qplex_hrl.learner import Execution


def test_mixed_precision_change_nothing_on_a_cpu_but_warns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, other = learner(), learner(execution=Execution(mixed_precision=True))
    assert "training.mixed_precision needs CUDA; on cpu all is float32" in caplog.text
    data = windows(one)
    ours, theirs = one.update(data, RATE), other.update(data, RATE)
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name
    for a, b in zip(weights(one), weights(other), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("q_type", NETWORKS)
def test_mixed_precision_is_for_the_cameras_networks_alone(
    monkeypatch: pytest.MonkeyPatch, q_type: str
) -> None:
    """On a CPU that is treated as if it were a GPU: there bfloat16 is slow, but works."""
    monkeypatch.setattr(learner_module, "MIXED_PRECISION_DEVICES", ("cpu",))
    one, other = learner(q_type), learner(q_type, execution=Execution(mixed_precision=True))
    seen: dict[str, torch.dtype] = {}
    head, mixer = other.model.agent.head, other.model.mixer
    list(head.children())[-1].register_forward_hook(lambda *call: seen.update(head=call[2].dtype))
    mixer.register_forward_hook(lambda *call: seen.update(mixer=call[2].q_tot.dtype))
    data = windows(one)
    exact, mixed = one.update(data, RATE), other.update(data, RATE)
    assert seen == {"head": torch.bfloat16, "mixer": torch.float32}
    for (name, theirs), ours in zip(
        other.model.named_parameters(), one.model.parameters(), strict=True
    ):
        assert theirs.grad is not None, name  # passes without gradient leave no weights behind
        torch.testing.assert_close(theirs.grad, ours.grad, rtol=0.3, atol=0.05, msg=name)
    for name, value in mixed.items():
        assert value.dtype == torch.float32, name
    torch.testing.assert_close(mixed["loss"], exact["loss"], rtol=0.05, atol=0.05)
    assert all(parameter.dtype == torch.float32 for parameter in other.model.parameters())


@pytest.mark.slow
def test_compiled_equals_eager() -> None:
    one = learner("rnn", "qplex")
    other = learner("rnn", "qplex", execution=Execution(compile=True))
    for seed in range(2):
        data = windows(one, seed=seed)
        expected = one.update(data, RATE)
        try:
            metrics = other.update(data, RATE)
        except CompilationFailed as error:
            pytest.skip(f"no working compiler: {error}")
        for name, value in expected.items():
            torch.testing.assert_close(metrics[name], value, atol=1e-5, rtol=1e-5)
    for a, b in zip(weights(one), weights(other), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_a_compiler_that_fails_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import TorchDynamoException

    def fails(*_arguments: object) -> None:
        raise TorchDynamoException("InvalidCxxCompiler: No working C++ compiler\n\nmore lines")

    monkeypatch.setattr(torch, "compile", lambda *_arguments, **_options: fails)
    one = learner(execution=Execution(compile=True))
    before = weights(one)
    with pytest.raises(CompilationFailed, match=r"set training\.compile: false") as raised:
        one.update(windows(one), RATE)
    assert "\n" not in str(raised.value)
    for a, b in zip(before, weights(one), strict=True):
        assert torch.equal(a, b)
