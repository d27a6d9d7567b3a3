"""Mixers: IGM by brute force, QPLEX and QFIX against their formulas, the adaptive gate, shapes."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_model import MIXERS
from torch import Tensor

from qplex_hrl.config import MixingNetworkConfig
from qplex_hrl.model import build_mixer
from qplex_hrl.networks.mixers import AdaptiveMixer, Mixer, QFIXMixer, QPLEXMixer

E = 5
TEAMS = [(2, 2), (2, 5), (3, 4), (4, 3)]
GATES = {  # sharpness and threshold
    "shut": (1e6, 1.0),
    "open": (1e6, 0.0),
    "between": (10.0, 0.5),
}


def config(mixer: str, gate: str = "between", attention_layers: int = 2) -> MixingNetworkConfig:
    sharpness, threshold = GATES[gate]
    return MixingNetworkConfig(
        type=mixer,
        embed_size=4,
        hypernet_size=8,
        n_heads=3,
        attention_layers=attention_layers,
        gate_sharpness=sharpness,
        complexity_threshold=threshold,
    )


def random_mixer(
    mixer: str,
    n_agents: int,
    n_actions: int,
    gate: str = "between",
    seed: int = 0,
    attention_layers: int = 2,
) -> Mixer:
    """Return a mixer with weights far from its initial ones."""
    rng = torch.Generator().manual_seed(seed)
    built = build_mixer(n_agents, n_actions, E, config(mixer, gate, attention_layers))
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=rng))
    return built


@pytest.mark.parametrize(("n_agents", "n_actions"), TEAMS)
@pytest.mark.parametrize(
    ("mixer", "gate"),
    [(mixer, "between") for mixer in ("vdn", "qmix", "qplex", "qfix_vdn", "qfix_qmix")]
    + [("adaptive", gate) for gate in GATES],
)
@torch.no_grad()
def test_the_joint_argmax_is_the_tuple_of_individual_argmaxes(
    mixer: str, gate: str, n_agents: int, n_actions: int
) -> None:
    """IGM over all joint actions: 50 weight sets x 50 states and masks = 2,500 cases a team.

    In float64, because random weights can make a lambda so small that float32 sees a tie.
    """
    joint = torch.tensor(list(itertools.product(range(n_actions), repeat=n_agents)))  # [J, C]
    rng = torch.Generator().manual_seed(n_agents * 10 + n_actions)
    for seed in range(50):
        built = random_mixer(mixer, n_agents, n_actions, gate, seed, 2 + seed % 2).double()
        q_values = torch.randn(50, n_agents, n_actions, generator=rng, dtype=torch.float64)
        avail = torch.rand(q_values.shape, generator=rng) < 0.6
        avail.scatter_(-1, torch.randint(n_actions, (50, n_agents, 1), generator=rng), True)
        best = q_values.masked_fill(~avail, -torch.inf).max(dim=-1)
        state = torch.randn(50, 1, E, generator=rng, dtype=torch.float64)
        index = joint.T.expand(50, -1, -1)  # [50, C, J]
        q_tot = built(
            q_values.gather(-1, index).transpose(1, 2),
            best.values.unsqueeze(1).expand(50, len(joint), n_agents),
            state.expand(50, len(joint), E),
            joint.expand(50, -1, -1),
        ).q_tot.squeeze(-1)
        allowed = avail.gather(-1, index).all(dim=1)
        q_tot = q_tot.masked_fill(~allowed, -torch.inf)
        chosen = (joint * n_actions ** torch.arange(n_agents - 1, -1, -1)).sum(-1)
        greedy = (best.indices * n_actions ** torch.arange(n_agents - 1, -1, -1)).sum(-1)
        assert torch.equal(chosen, torch.arange(len(joint)))
        assert torch.equal(q_tot.argmax(dim=-1), greedy)


def linear(layer: torch.nn.Module, x: NDArray[np.float64]) -> NDArray[np.float64]:
    parameters = {name: p.detach().double().numpy() for name, p in layer.named_parameters()}
    return x @ parameters["weight"].T + parameters["bias"]


def hyper(network: Iterable[torch.nn.Module], x: NDArray[np.float64]) -> NDArray[np.float64]:
    *hidden, last = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    for layer in hidden:
        x = np.maximum(linear(layer, x), 0)
    return linear(last, x)


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def reference_qplex(
    mixer: QPLEXMixer,
    agent_qs: NDArray[np.float64],
    max_agent_qs: NDArray[np.float64],
    state: NDArray[np.float64],
    actions: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return sum V', A', lambda and q_tot in float64, written out camera by camera.

    q_tot in the authors' arrangement, ``sum Q_i' + sum (lambda_i - 1) A_i'``.
    """
    n_agents, n_actions = mixer.n_agents, mixer.n_actions
    weight = np.abs(hyper(mixer.weight, state)) + 1e-6
    bias = hyper(mixer.bias, state)
    one_hot = np.eye(n_agents * n_actions)[actions + np.arange(n_agents) * n_actions].sum(-2)
    table = mixer.action_table.weight.detach().double().numpy()
    joint = np.maximum(linear(mixer.action_state, state) + one_hot @ table, 0)
    by_action = hyper([*mixer.action_hidden, mixer.action_heads], joint)
    by_agent, keys = hyper(mixer.agent, state), np.abs(hyper(mixer.key, state)) + 1e-6
    advantages = weight * (agent_qs - max_agent_qs)
    lambdas = np.full(agent_qs.shape, 1e-6)
    q_tot = np.zeros(agent_qs.shape[:-1])
    for i in range(n_agents):
        for k in range(keys.shape[-1]):
            head = k * n_agents + i
            attention = sigmoid(by_agent[..., head]) * sigmoid(by_action[..., head])
            lambdas[..., i] += keys[..., k] * attention
        q_tot += weight[..., i] * agent_qs[..., i] + bias[..., i]
        q_tot += (lambdas[..., i] - 1) * advantages[..., i]
    v_tot = (weight * max_agent_qs + bias).sum(-1)
    return v_tot, advantages, lambdas, q_tot


@pytest.mark.parametrize(("n_agents", "n_actions"), TEAMS)
@pytest.mark.parametrize("attention_layers", [2, 3])
def test_qplex_equals_the_reference_formula(
    n_agents: int, n_actions: int, attention_layers: int
) -> None:
    mixer = random_mixer("qplex", n_agents, n_actions, attention_layers=attention_layers).double()
    assert isinstance(mixer, QPLEXMixer)
    rng = np.random.default_rng(n_agents)
    agent_qs = rng.normal(size=(3, 4, n_agents))
    max_qs = agent_qs + rng.random(agent_qs.shape)
    state = rng.normal(size=(3, 4, E))
    actions = rng.integers(n_actions, size=agent_qs.shape)
    inputs = [torch.tensor(x, requires_grad=True) for x in (agent_qs, max_qs, state)]
    q_tot = mixer(*inputs, torch.tensor(actions)).q_tot.squeeze(-1)
    _, advantages, _, expected = reference_qplex(mixer, agent_qs, max_qs, state, actions)
    np.testing.assert_allclose(q_tot.detach().numpy(), expected, rtol=0, atol=1e-6)

    def differentiated(values: list[NDArray[np.float64]]) -> float:
        """Return the sum of q_tot in the authors' form; ``advantages`` stands for sg(A')."""
        v_tot, a, lam, _ = reference_qplex(mixer, *values, actions)
        return float(v_tot.sum() + a.sum() + ((lam - 1) * advantages).sum())

    gradients = torch.autograd.grad(q_tot.sum(), inputs)
    for which, gradient in enumerate(gradients):
        for index in np.ndindex(gradient.shape):
            ends = []
            for step in (1e-5, -1e-5):
                shifted = [agent_qs.copy(), max_qs.copy(), state.copy()]
                shifted[which][index] += step
                ends.append(differentiated(shifted))
            slope = (ends[0] - ends[1]) / 2e-5
            assert gradient[index].item() == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("mixer", MIXERS)
def test_no_gradient_flows_into_the_values_of_the_best_actions(mixer: str) -> None:
    built = random_mixer(mixer, 2, 5)
    max_qs, state = torch.randn(3, 2, 2, requires_grad=True), torch.randn(3, 2, E)
    qs, actions = (max_qs - torch.rand(3, 2, 2)).detach().requires_grad_(), torch.zeros(3, 2, 2)
    q_tot = built(qs, max_qs, state, actions.long()).q_tot
    of_taken, of_best = torch.autograd.grad(q_tot.sum(), [qs, max_qs], allow_unused=True)
    assert (of_taken > 0).all()
    assert of_best is None or (of_best == 0).all()


@pytest.mark.parametrize("fixee", ["vdn", "qmix"])
def test_qfix_scales_the_advantages_of_its_fixee(fixee: str) -> None:
    mixer = random_mixer(f"qfix_{fixee}", 3, 4).double()
    assert isinstance(mixer, QFIXMixer)
    max_qs = torch.randn(5, 2, 3, dtype=torch.float64)
    qs = (max_qs - torch.rand(5, 2, 3)).requires_grad_()
    state, actions = torch.randn(5, 2, E, dtype=torch.float64), torch.randint(4, (5, 2, 3))
    taken = mixer.fixee(qs, max_qs, state, actions).q_tot
    greedy = mixer.fixee(max_qs, max_qs, state, actions).q_tot
    weight, bias = mixer.attention(state, actions), mixer.bias(state)
    q_tot = mixer(qs, max_qs, state, actions).q_tot
    assert weight.shape == q_tot.shape
    torch.testing.assert_close(q_tot, greedy + weight * (taken - greedy) + bias)
    at_best = mixer(max_qs, max_qs, state, actions).q_tot
    torch.testing.assert_close(at_best, greedy + bias)  # whatever w
    of_q_tot, of_fixee = (torch.autograd.grad(q.sum(), qs)[0] for q in (q_tot, taken))
    torch.testing.assert_close(of_q_tot, of_fixee)  # whatever w: the stop-gradient


PAYOFF = torch.tensor([[8.0, -12, -12], [-12, 0, 0], [-12, 0, 0]])
"""The first game of the QPLEX paper. A monotonic Q_tot is off by 6 or more somewhere: it has
Q(0, 1) >= Q(1, 1) if camera 0 values its action 0 more than 1, and Q(1, 0) >= Q(0, 0) else."""


@pytest.mark.parametrize("fixee", ["vdn", "qmix"])
def test_a_fixing_layer_represents_a_payoff_that_its_fixee_cannot(fixee: str) -> None:
    actions = torch.cartesian_prod(torch.arange(3), torch.arange(3)).unsqueeze(1)  # [9, 1, 2]

    def error(mixer: Mixer, values: Tensor, parameters: Iterable[Tensor]) -> float:
        """Return the largest error of the payoffs after a fit of ``parameters``."""
        optimizer = torch.optim.Adam(parameters, lr=0.01)
        for _ in range(400):
            qs = values[torch.arange(2), actions]
            max_qs = values.detach().amax(dim=-1).expand_as(qs)
            table = mixer(qs, max_qs, torch.ones(9, 1, E), actions).q_tot.view(3, 3)
            optimizer.zero_grad()
            (table - PAYOFF).square().mean().backward()
            optimizer.step()
        return (table - PAYOFF).abs().max().item()

    torch.manual_seed(0)
    mixer = build_mixer(2, 3, E, MixingNetworkConfig(type=f"qfix_{fixee}"))
    assert isinstance(mixer, QFIXMixer)
    values = torch.tensor([[0.0, -1.0, -2.0], [0.0, -1.0, -2.0]])
    mixer.fixee.requires_grad_(False)  # as the cameras' values: the layer does it alone
    assert error(mixer, values, (p for p in mixer.parameters() if p.requires_grad)) < 0.5
    mixer.fixee.requires_grad_(True)
    values.requires_grad_(True)
    assert error(mixer.fixee, values, [values, *mixer.fixee.parameters()]) >= 6


def test_qplex_starts_close_to_vdn() -> None:
    torch.manual_seed(0)
    mixer = build_mixer(4, 6, E, MixingNetworkConfig(type="qplex"))
    state, actions = torch.randn(50, 1, E), torch.randint(6, (50, 1, 4))
    lambdas = mixer.attention(state, actions)
    weights = mixer.weight(state)
    assert 0.7 < lambdas.mean() < 1.3
    assert 0.7 < weights.mean() < 1.3


@torch.no_grad()
def test_the_gate_moves_between_the_simple_and_the_complex_mixer() -> None:
    state = torch.randn(4, 3, E)
    actions = torch.randint(5, (4, 3, 2))
    max_qs = torch.randn(4, 3, 2)
    qs = max_qs - torch.rand(4, 3, 2)
    for gate in GATES:
        mixer = random_mixer("adaptive", 2, 5, gate)
        assert isinstance(mixer, AdaptiveMixer)
        mixed = mixer(qs, max_qs, state, actions)
        simple = mixer.simple(qs, max_qs, state, actions).q_tot.squeeze(-1)
        complex_ = mixer.complex(qs, max_qs, state, actions).q_tot.squeeze(-1)
        alpha = {"shut": 0.0, "open": 1.0}.get(gate, mixed.gate)
        expected = (1 - alpha) * simple + alpha * complex_
        torch.testing.assert_close(mixed.q_tot.squeeze(-1), expected)
        assert ((mixed.complexity >= 0) & (mixed.complexity <= 1)).all()
        if gate == "between":
            torch.testing.assert_close(mixed.gate, torch.sigmoid(10 * (mixed.complexity - 0.5)))


@pytest.mark.parametrize("mixer", MIXERS)
@torch.no_grad()
def test_frames_do_not_influence_each_other(mixer: str) -> None:
    built = random_mixer(mixer, 2, 5)
    max_qs, state, actions = torch.randn(3, 2, 2), torch.randn(3, 2, E), torch.randint(5, (3, 2, 2))
    qs = max_qs - torch.rand(3, 2, 2)
    before = built(qs.clone(), max_qs, state, actions).q_tot
    qs[1] -= 1.0
    state[1] *= 2.0
    actions[1] = (actions[1] + 1) % 5
    after = built(qs, max_qs, state, actions).q_tot
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
    assert not torch.equal(after[1], before[1])


def bad(qs: Tensor, state: Tensor, actions: Tensor) -> list[tuple[Tensor, ...]]:
    return [
        (qs[..., :1], qs[..., :1], state, actions[..., :1]),
        (qs, qs[:1], state, actions),
        (qs, qs, state[:1], actions),
        (qs, qs, state, actions[..., :1]),
    ]


@pytest.mark.parametrize("case", range(4))
def test_shapes_that_do_not_fit_are_refused(case: int) -> None:
    inputs = bad(torch.zeros(2, 3, 2), torch.zeros(2, 3, E), torch.zeros(2, 3, 2).long())[case]
    with pytest.raises(ValueError, match=r"mixer of 2 cameras: agent_qs"):
        build_mixer(2, 4, E, config("vdn"))(*inputs)
