"""Mixers of the cameras' values into those of the team: none, VDN, QMIX, QPLEX, QFIX and adaptive.

All but ``none`` satisfy IGM (individual-global-max): the joint argmax of Q_tot is the tuple of
individual argmaxes. The weighted sum and QPLEX start close to VDN, because their positive weights
start near 1 (``weight_hypernet``), and QFIX close to what it fixes. QMIX starts with small random
weights, as in its authors' code.
"""

import itertools

import torch
from torch import Tensor, nn

from qplex_hrl.config import MixingNetworkConfig
from qplex_hrl.types import MixerOutput

POSITIVE = 1e-6  # keeps weights above zero: a weight of zero would make all actions equally good


def hidden_layers(size: int, n_layers: int) -> nn.Sequential:
    """Return ``n_layers`` layers of the same width with ReLU; with none of them the identity."""
    layers = [[nn.Linear(size, size), nn.ReLU()] for _ in range(n_layers)]
    return nn.Sequential(*itertools.chain.from_iterable(layers))


def hypernet(
    input_size: int, hidden_size: int, output_size: int, n_layers: int = 2
) -> nn.Sequential:
    """Return a network [.., input_size] -> [.., output_size] of at least two linear layers."""
    return nn.Sequential(
        nn.Linear(input_size, hidden_size),
        nn.ReLU(),  # in place it would be on a view, whose gradient costs three copies
        *hidden_layers(hidden_size, n_layers - 2),
        nn.Linear(hidden_size, output_size),
    )


def weight_hypernet(
    input_size: int, hidden_size: int, output_size: int, n_layers: int = 2
) -> nn.Sequential:
    """Return a hypernet whose output starts around 1, to be used through ``positive``."""
    network = hypernet(input_size, hidden_size, output_size, n_layers)
    nn.init.ones_(network[-1].bias)  # type: ignore[arg-type]
    return network


def positive(weights: Tensor) -> Tensor:
    """Return ``|weights|``, kept above zero."""
    return weights.abs() + POSITIVE


class Mixer(nn.Module):
    """Base class: checks shapes once; a subclass writes ``mix``."""

    def __init__(self, n_agents: int) -> None:
        """Remember C."""
        super().__init__()
        self.n_agents = n_agents

    def forward(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return the mixed values.

        Args:
            agent_qs: [B, L, C] value of each camera's action.
            max_agent_qs: [B, L, C] value of its best available action; Q_tot has no gradient to
                it, so it needs no graph.
            state_embedding: [B, L, E].
            actions: [B, L, C] int64, the actions of ``agent_qs``.

        Raises:
            ValueError: shapes do not fit each other or the number of cameras.
        """
        shape = agent_qs.shape
        if (
            shape[-1] != self.n_agents
            or max_agent_qs.shape != shape
            or actions.shape != shape
            or state_embedding.shape[:-1] != shape[:-1]
        ):
            msg = (
                f"mixer of {self.n_agents} cameras: agent_qs {tuple(shape)}, "
                f"max_agent_qs {tuple(max_agent_qs.shape)}, actions {tuple(actions.shape)}, "
                f"state_embedding {tuple(state_embedding.shape)}; expected [B, L, C] three times "
                "and [B, L, E]"
            )
            raise ValueError(msg)
        return self.mix(agent_qs, max_agent_qs, state_embedding, actions)

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return the mixed values of inputs whose shapes ``forward`` has checked."""
        raise NotImplementedError


class IndependentMixer(Mixer):
    """No mixing (IQL, Tan 1993): every camera learns its own value, G = C."""

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return ``agent_qs`` as q_tot [B, L, C]."""
        return MixerOutput(agent_qs)


class VDNMixer(Mixer):
    """``Q_tot = sum_i Q_i`` (VDN, Sunehag et al. 2018, eq. 3)."""

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return q_tot [B, L, 1]."""
        return MixerOutput(agent_qs.sum(dim=-1, keepdim=True))


class QMIXMixer(Mixer):
    """Monotonic network (QMIX, Rashid et al. 2018, section 4.1).

    ``Q_tot = w_2(s) . elu(W_1(s) Q + b_1(s)) + b_2(s)`` with W_1, w_2 > 0.
    """

    def __init__(self, n_agents: int, state_size: int, config: MixingNetworkConfig) -> None:
        """Create the hypernetworks for state embeddings of length ``state_size``."""
        super().__init__(n_agents)
        embed, hidden = config.embed_size, config.hypernet_size
        self.first_weight = hypernet(state_size, hidden, n_agents * embed)
        self.first_bias = nn.Linear(state_size, embed)
        self.second_weight = hypernet(state_size, hidden, embed)
        self.second_bias = hypernet(state_size, embed, 1)

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return q_tot [B, L, 1]."""
        first = torch.unflatten(
            positive(self.first_weight(state_embedding)), -1, (self.n_agents, -1)
        )
        hidden = (agent_qs.unsqueeze(-1) * first).sum(dim=-2) + self.first_bias(state_embedding)
        second = positive(self.second_weight(state_embedding))
        q_tot = (nn.functional.elu(hidden) * second).sum(dim=-1, keepdim=True)
        return MixerOutput(q_tot + self.second_bias(state_embedding))


class WeightedSumMixer(Mixer):
    """``Q_tot = sum_i w_i(s) Q_i + b(s)``, w_i > 0: the simple part of the adaptive mixer."""

    def __init__(self, n_agents: int, state_size: int, config: MixingNetworkConfig) -> None:
        """Create the hypernetworks for state embeddings of length ``state_size``."""
        super().__init__(n_agents)
        self.weight = weight_hypernet(state_size, config.hypernet_size, n_agents)
        self.bias = hypernet(state_size, config.embed_size, 1)

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return q_tot [B, L, 1]."""
        weighted = positive(self.weight(state_embedding)) * agent_qs
        return MixerOutput(weighted.sum(dim=-1, keepdim=True) + self.bias(state_embedding))


class AttentionMixer(Mixer):
    """Base of mixers with importance weights from attention over state and joint action.

    ``lambda_i(s, a) = sum_k |key_k(s)| sigmoid(agent_k(s))_i sigmoid(action_k(s, a))_i`` (QPLEX,
    Wang et al. 2021, section 3.2). The authors' heads are networks of three layers each;
    ``attention_layers`` (2 or 3) counts ours, whose heads share the hidden ones.
    """

    def add_attention(
        self, n_weights: int, n_actions: int, state_size: int, config: MixingNetworkConfig
    ) -> None:
        """Create the networks of ``n_weights`` weights; to be called in ``__init__``."""
        hidden, n_heads, depth = config.hypernet_size, config.n_heads, config.attention_layers
        self.n_actions, self.n_heads = n_actions, n_heads
        self.key = weight_hypernet(state_size, hidden, n_heads, depth)
        self.agent = hypernet(state_size, hidden, n_heads * n_weights, depth)
        # A linear layer on the state and one-hot actions of all cameras, as a table of its columns.
        self.action_state = nn.Linear(state_size, hidden)
        self.action_table = nn.Embedding(self.n_agents * n_actions, hidden)
        nn.init.normal_(self.action_table.weight, std=self.n_agents**-0.5)
        self.action_hidden = hidden_layers(hidden, depth - 2)
        self.action_heads = nn.Linear(hidden, n_heads * n_weights)
        # Both sigmoids start near 1/2: lambda starts near |key| n_heads / 4.
        nn.init.constant_(self.key[-1].bias, 4.0 / n_heads)  # type: ignore[arg-type]

    def attention(self, state_embedding: Tensor, actions: Tensor) -> Tensor:
        """Return lambda [B, L, n_weights] > 0."""
        by_head = (self.n_heads, -1)
        keys = positive(self.key(state_embedding)).unsqueeze(-1)  # [B, L, heads, 1]
        agents = torch.unflatten(self.agent(state_embedding), -1, by_head).sigmoid()
        joint = torch.relu(self.action_state(state_embedding) + self._of_actions(actions))
        action_logits = self.action_heads(self.action_hidden(joint))
        by_actions = torch.unflatten(action_logits, -1, by_head).sigmoid()
        return (keys * agents * by_actions).sum(dim=-2) + POSITIVE

    def _of_actions(self, actions: Tensor) -> Tensor:
        """Return the sum of the cameras' rows of ``action_table``, [B, L, hidden]."""
        offsets = torch.arange(self.n_agents, device=actions.device) * self.n_actions
        # As a product: with the gradient, reading and adding rows costs three times as much.
        table = self.action_table.weight
        one_hot = table.new_zeros(*actions.shape[:-1], len(table))
        return one_hot.scatter_(-1, actions + offsets, 1.0) @ table


class QPLEXMixer(AttentionMixer):
    """Duplex dueling mixing (QPLEX, Wang et al. 2021, section 3.2).

    ``V_i' = w_i(s) V_i + b_i(s)`` and ``A_i' = w_i(s) (Q_i - V_i)`` with V_i = max_a Q_i, w_i > 0;
    ``Q_tot = sum_i V_i' + sum_i lambda_i(s, a) A_i'`` with lambda_i > 0 of ``AttentionMixer``.

    As in the authors' implementation the gradient is that of
    ``sum_i Q_i' + sum_i (lambda_i - 1) sg(A_i')`` (sg: stop-gradient), whose value is the same: an
    action whose lambda has become small can still rise.
    """

    def __init__(
        self, n_agents: int, n_actions: int, state_size: int, config: MixingNetworkConfig
    ) -> None:
        """Create the hypernetworks for state embeddings of length ``state_size``."""
        super().__init__(n_agents)
        self.weight = weight_hypernet(state_size, config.hypernet_size, n_agents)
        self.bias = hypernet(state_size, config.hypernet_size, n_agents)
        self.add_attention(n_agents, n_actions, state_size, config)

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return q_tot [B, L, 1]."""
        weight = positive(self.weight(state_embedding))  # w_i
        values = weight * max_agent_qs + self.bias(state_embedding)  # V_i'
        advantages = weight * (agent_qs - max_agent_qs)  # A_i' <= 0
        lambdas = self.attention(state_embedding, actions)
        fixed = advantages.detach()
        # The last bracket is zero: it only carries the gradient of Q_i' = V_i' + A_i'.
        q_tot = values + lambdas * fixed + (advantages - fixed)
        return MixerOutput(q_tot.sum(dim=-1, keepdim=True))


class QFIXMixer(AttentionMixer):
    """A fixing layer over VDN or QMIX, the fixee (Q+FIX, Baisero et al. 2025, arXiv 2505.10484).

    ``Q_tot = Q_f + (w(s, a) - 1) sg(Q_f - V_f) + b(s)``, w > 0 and sg the stop-gradient: Q_f and
    V_f are the fixee's values of the actions taken and of the individual greedy ones. So w scales
    the fixee's advantages, which are zero for the greedy joint action and negative for all others:
    IGM holds, and w, which depends on the joint action, can make of them any table with IGM.

    The authors' weight is w - 1 > -1. The stop-gradient is that of the runs in their code: an
    action whose w has become small can still rise. w is QPLEX's lambda, one for the team: an option
    of that code, whose default is a plain network of state and joint action.
    """

    def __init__(
        self, n_agents: int, n_actions: int, state_size: int, config: MixingNetworkConfig
    ) -> None:
        """Create the fixee that ``config.type`` names, and the networks of w and b."""
        super().__init__(n_agents)
        over_vdn = config.type == "qfix_vdn"
        self.fixee = VDNMixer(n_agents) if over_vdn else QMIXMixer(n_agents, state_size, config)
        self.bias = hypernet(state_size, config.hypernet_size, 1)
        self.add_attention(1, n_actions, state_size, config)

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return q_tot [B, L, 1]."""
        # [2, B, L, C]: the fixee makes its weights from the state once.
        both = torch.stack([agent_qs, max_agent_qs])
        taken, greedy = self.fixee.mix(both, both, state_embedding, actions).q_tot
        fix = (self.attention(state_embedding, actions) - 1.0) * (taken - greedy).detach()
        return MixerOutput(taken + fix + self.bias(state_embedding))


class AdaptiveMixer(Mixer):
    """A gate between a simple and a complex mixer, by the estimated complexity of the state.

    ``c(s) in [0, 1]``, ``alpha(s) = sigmoid(k (c(s) - threshold))``,
    ``Q_tot = (1 - alpha) Q_simple + alpha Q_complex``. Both parts have the same argmax and alpha
    does not depend on the actions, so IGM holds.
    """

    def __init__(
        self, n_agents: int, n_actions: int, state_size: int, config: MixingNetworkConfig
    ) -> None:
        """Create both mixers and the complexity estimator."""
        super().__init__(n_agents)
        self.simple = WeightedSumMixer(n_agents, state_size, config)
        self.complex = QPLEXMixer(n_agents, n_actions, state_size, config)
        self.estimator = hypernet(state_size, config.hypernet_size, 1)
        self.gate_sharpness = config.gate_sharpness
        self.complexity_threshold = config.complexity_threshold

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return q_tot [B, L, 1], gate and complexity [B, L]."""
        gate, complexity = self.gate(state_embedding)
        inputs = (agent_qs, max_agent_qs, state_embedding, actions)
        q_tot = (1 - gate) * self.simple.mix(*inputs).q_tot + gate * self.complex.mix(*inputs).q_tot
        return MixerOutput(q_tot, gate.squeeze(-1), complexity.squeeze(-1))

    def gate(self, state_embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha(s) and c(s) [.., 1] of embedded states [.., E]."""
        complexity = self.estimator(state_embedding).sigmoid()
        gate = torch.sigmoid(self.gate_sharpness * (complexity - self.complexity_threshold))
        return gate, complexity
