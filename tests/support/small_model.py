"""Small worlds, models and batches for the tests of the learning mathematics."""

import itertools

import torch
from torch import Tensor

from qplex_hrl.config import (
    HRLConfig,
    MixingNetworkConfig,
    NetworkConfig,
    QNetworkConfig,
    StateEncoderConfig,
)
from qplex_hrl.model import QPLEXHRLModel, build_model
from qplex_hrl.types import ModelDims, SequenceBatch

Q_TYPES = ("mlp", "rnn", "attention_rnn", "hierarchical_rnn")
NETWORKS = (*Q_TYPES, "flat_mlp", "flat_rnn")
"""Names of types, those of the encoding ``flat`` with a prefix."""

SELECTING = ("attention_rnn", "hierarchical_rnn")
MIXERS = ("none", "vdn", "qmix", "qplex", "qfix_vdn", "qfix_qmix", "adaptive")
FRAMES = 3


def world(
    n_targets: int = 3, n_search: int = 2, n_agents: int = 2, *, tells_coverages: bool = False
) -> tuple[ModelDims, Tensor]:
    """Return sizes and selection bits of singles, pairs and ``n_search`` actions without targets.

    With ``tells_coverages`` actions tell what their plan covers of each target.
    """
    sets = [(t,) for t in range(n_targets)]
    sets += list(itertools.combinations(range(n_targets), 2))
    bits = torch.zeros(len(sets) + n_search, n_targets, dtype=torch.bool)
    for row, chosen in enumerate(sets):
        bits[row, list(chosen)] = True
    dims = ModelDims(
        n_agents=n_agents,
        n_targets=n_targets,
        n_actions=len(bits),
        context_size=3,
        target_size=4,
        action_size=2 + tells_coverages * n_targets,
        state_size=5,
        n_target_coverages=tells_coverages * n_targets,
        plan_size=tells_coverages * n_targets,
        glance_columns=glance_columns(n_targets, len(sets), 2 + tells_coverages * n_targets),
        glance_sizes=(2, 3, 1),
        n_search=n_search,
    )
    return dims, bits


def glance_columns(n_targets: int, n_actions: int, action_size: int) -> tuple[int, ...]:
    """Return two of three features of the context, three of four of a target, one of an action."""
    of_targets = (3 + 4 * t + n for t in range(n_targets) for n in range(3))
    start = 3 + 4 * n_targets
    return (0, 1, *of_targets, *range(start, start + action_size * n_actions, action_size))


def model(
    q_type: str = "hierarchical_rnn",
    mixer: str = "adaptive",
    sizes: tuple[ModelDims, Tensor] | None = None,
    seed: int = 0,
    *,
    reacts: bool = True,
) -> QPLEXHRLModel:
    """Return a freshly initialised small model; ``q_type`` is one of `NETWORKS`.

    With ``reacts`` it has a fast level, but for the encoding ``flat``.
    """
    torch.manual_seed(seed)
    encoding = "flat" if q_type.startswith("flat_") else "entities"
    reacts = reacts and encoding == "entities"
    q_network = QNetworkConfig(
        type=q_type.removeprefix("flat_"), encoding=encoding, hidden_size=8, n_heads=2
    )
    return build_model(
        *(sizes or world()),
        NetworkConfig(
            hrl=HRLConfig(frame_skip=FRAMES, fast_interval=1 if reacts else FRAMES),
            q_network=q_network,
            state_encoder=StateEncoderConfig(hidden_size=8, embed_size=6),
            mixing_network=MixingNetworkConfig(
                type=mixer, embed_size=4, hypernet_size=8, n_heads=2
            ),
        ),
    )


def observations(dims: ModelDims, *shape: int, seed: int = 0) -> Tensor:
    """Return random observations [*shape, C, D], some targets unknown: all their features 0."""
    rng = torch.Generator().manual_seed(seed)
    obs = torch.randn(*shape, dims.n_agents, dims.obs_size, generator=rng)
    first = dims.context_size
    targets = obs[..., first : first + dims.n_targets * dims.target_size]
    targets = targets.unflatten(-1, (dims.n_targets, dims.target_size))
    targets[..., 0] = 1.0
    targets *= torch.rand(*targets.shape[:-1], 1, generator=rng) < 0.7
    return obs


def availability(dims: ModelDims, *shape: int, seed: int = 0) -> Tensor:
    """Return a random mask [*shape, C, U] with action 0 always available."""
    rng = torch.Generator().manual_seed(seed)
    avail = torch.rand(*shape, dims.n_agents, dims.n_actions, generator=rng) < 0.6
    avail[..., 0] = True
    return avail


def batch(
    dims: ModelDims, recurrent_size: int, n_windows: int = 3, length: int = 7, seed: int = 0
) -> SequenceBatch:
    """Return random full windows whose actions are available."""
    rng = torch.Generator().manual_seed(seed)
    avail = availability(dims, n_windows, length + 1, seed=seed)
    no = torch.zeros(n_windows, length, dtype=torch.bool)
    actions = torch.multinomial(avail[:, :-1].float().flatten(0, 2), 1, generator=rng)
    actions = actions.view(n_windows, length, dims.n_agents)
    return SequenceBatch(
        obs=observations(dims, n_windows, length + 1, seed=seed),
        state=torch.randn(n_windows, length + 1, dims.state_size, generator=rng),
        avail_actions=avail,
        actions=actions,
        reward=torch.randn(n_windows, length, generator=rng),
        difference_reward=torch.randn(n_windows, length, dims.n_agents, generator=rng),
        terminated=no,
        truncated=no.clone(),
        filled=~no,
        hidden_state=torch.randn(n_windows, dims.n_agents, recurrent_size, generator=rng),
    )
