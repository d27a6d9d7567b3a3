"""The whole model from its configuration: cameras' network, state encoder and mixer."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import assert_never

from qplex_hrl.config import MixingNetworkConfig, NetworkConfig, QNetworkConfig
from qplex_hrl.networks.cores import Core, FeedForwardCore, RecurrentCore, Restarts, over_time
from qplex_hrl.networks.encoders import (
    Encoding,
    Features,
    FlatEncoder,
    StateEncoder,
    TargetEncoder,
    flat_dims,
    split_features,
)
from qplex_hrl.networks.heads import ActionHead, HeadInputs, LinearHead, Terms
from qplex_hrl.networks.mixers import (
    AdaptiveMixer,
    IndependentMixer,
    Mixer,
    QFIXMixer,
    QMIXMixer,
    QPLEXMixer,
    VDNMixer,
)
from qplex_hrl.networks.reaction import ReactionNetwork
from qplex_hrl.networks.selector import HierarchicalSelector, Selection, selection_entropy
from qplex_hrl.types import AgentOutput, MixerOutput, ModelDims

MakeCore = Callable[[int, int], Core]
"""Makes a core from its input size and the width of its outputs."""

MakeMixer = Callable[[int, int, int, MixingNetworkConfig], Mixer]
"""Makes a mixer from the numbers of cameras and actions, the length of a state's embedding, and
the section ``network.mixing_network``."""


class Unrolled(NamedTuple):
    """A pass of the cameras' network over L frames up to its head, time before rows."""

    head: Terms
    probs: Tensor  # [2, T+1, L, n], fast and slow selection
    hidden_state: Tensor  # [n, R] after the last frame


class _Memory(NamedTuple):
    """What a camera carries from one frame to the next."""

    fast: Tensor  # [n, H or 0], state of the core
    slow: Tensor  # [n, H or 0], state of the slow selector


class _Part(NamedTuple):
    """Consecutive frames of a window."""

    encoding: Encoding  # of L frames
    start: int  # frames of the window before them
    restarts: Restarts  # in frames of the window

    def own_restarts(self) -> Restarts:
        """Return these frames' restarts, counted from the first of them."""
        end = self.start + len(self.encoding.context)
        return tuple(
            (frame - self.start, rows) for frame, rows in self.restarts if self.start <= frame < end
        )


class CameraNetwork(nn.Module):
    """Q-network of a camera, shared by all; one weight set runs on any C, T and U.

    Only the camera identity ``index`` binds the weights to the number of cameras, and the encoding
    ``flat`` to the length of an observation and the number of actions.

    A camera's hidden state is ``[core | slow selector]``, zero at an episode's start. Its fast
    level, ``reaction``, corrects what the slow one has decided within a decision; it has no memory.
    """

    def __init__(
        self,
        dims: ModelDims,
        selection_bits: Tensor,
        config: QNetworkConfig,
        *,
        reaction_margin: float | None = None,
        make_core: MakeCore | None = None,
    ) -> None:
        """Create the network.

        Args:
            dims: sizes of the world.
            selection_bits: [U, T] bool, the targets that each action selects.
            config: type and sizes.
            reaction_margin: cameras may replace an action within a decision by one that is worth so
                much more; None: they do not.
            make_core: makes the temporal core; None: that of ``config.type``.

        Raises:
            ValueError: ``selection_bits`` has another shape than [U, T].
        """
        super().__init__()
        if selection_bits.shape != (dims.n_actions, dims.n_targets):
            msg = (
                f"selection_bits has shape {tuple(selection_bits.shape)}, "
                f"expected {(dims.n_actions, dims.n_targets)}"
            )
            raise ValueError(msg)
        self.dims = dims
        width = config.hidden_size
        by_index = config.camera_identity == "index"
        self.encoder: TargetEncoder | FlatEncoder
        match config.encoding:
            case "entities":
                self._feature_dims = dims
                self.encoder = TargetEncoder(dims, width, by_index=by_index)
            case "flat":
                self._feature_dims = flat_dims(dims)
                self.encoder = FlatEncoder(self._feature_dims, width, by_index=by_index)
            case _:
                assert_never(config.encoding)
        self.selector: HierarchicalSelector | None = None
        self.core: Core
        match config.type:
            case "mlp":
                self.core = (make_core or FeedForwardCore)(width, width)
            case "rnn":
                self.core = (make_core or RecurrentCore)(width, width)
            case "attention_rnn" | "hierarchical_rnn":
                recurrent = config.type == "hierarchical_rnn"
                self.selector = HierarchicalSelector(width, config.n_heads, recurrent=recurrent)
                self.core = (make_core or RecurrentCore)(3 * width, width)
            case _:
                assert_never(config.type)
        self.head = self._make_head(config, selection_bits)
        slow_size = self.selector.recurrent_size if self.selector else 0
        self._hidden_parts = [self.core.recurrent_size, slow_size]
        self.reaction: ReactionNetwork | None = None
        if reaction_margin is not None:
            with torch.random.fork_rng(devices=()):  # what is drawn later stays as it is without
                self.reaction = ReactionNetwork(
                    dims, selection_bits, max(width // 2, 1), reaction_margin
                )

    def _make_head(self, config: QNetworkConfig, selection_bits: Tensor) -> ActionHead | LinearHead:
        width, dims = config.hidden_size, self.dims
        if config.encoding == "flat":
            return LinearHead(width, dims.n_actions)
        head = ActionHead(
            width,
            dims.action_size,
            selection_bits,
            prioritised=self.selector is not None,
            tells_coverages=dims.n_target_coverages > 0,
        )
        if config.plan_prior and dims.plan_advantage >= 0:
            head.start_from_plans(dims.plan_advantage, config.plan_prior)
        return head

    @property
    def recurrent_size(self) -> int:
        """Length R of a camera's hidden state."""
        return sum(self._hidden_parts)

    def forward(self, obs: Tensor, hidden_state: Tensor, burn_in: int = 0) -> AgentOutput:
        """Return the Q-values of whole windows, all frames at once.

        Args:
            obs: [B, L, C, D].
            hidden_state: [B, C, R] before frame 0.
            burn_in: the first frames only warm the recurrent state and are left out of the output.
        """
        unrolled = self.unroll(self.features(obs, burn_in), hidden_state)
        fast_probs, slow_probs = self.probs(unrolled)
        return AgentOutput(
            q_values=self.q_values(unrolled),
            hidden_state=torch.unflatten(unrolled.hidden_state, 0, (-1, self.dims.n_agents)),
            fast_probs=fast_probs,
            slow_probs=slow_probs,
        )

    def step(self, obs: Tensor, avail_actions: Tensor, hidden_state: Tensor) -> AgentOutput:
        """Return the Q-values of one decision, as ``available_q_values`` without gradients.

        Args:
            obs: [N, C, D].
            avail_actions: [N, C, U] bool.
            hidden_state: [N, C, R] as the last decision returned it.
        """
        unrolled = self.unroll(self.features(obs.unsqueeze(1)), hidden_state)
        fast_probs, slow_probs = self.probs(unrolled).squeeze(2)
        return AgentOutput(
            q_values=self.available_q_values(unrolled, avail_actions.unsqueeze(1)).squeeze(1),
            hidden_state=torch.unflatten(unrolled.hidden_state, 0, (-1, self.dims.n_agents)),
            fast_probs=fast_probs,
            slow_probs=slow_probs,
        )

    def features(self, obs: Tensor, burn_in: int = 0) -> Features:
        """Return the parts of observations [B, L, C, D]; see ``split_features``."""
        return split_features(obs, self._feature_dims, burn_in)

    def unroll(
        self, features: Features, hidden_state: Tensor, begins: Tensor | None = None
    ) -> Unrolled:
        """Return what the Q-values of whole windows depend on, without the burn-in.

        No gradient flows into the burn-in.

        Args:
            features: of windows by ``features``.
            hidden_state: [B, C, R] before the first frame of the burn-in.
            begins: [B, b + L] bool, the first frame of an episode that begins within the burn-in
                or right after it, after padding: there the cameras' state is zero. None: no episode
                begins there.
        """
        burn_in = len(features.burn_in_context)
        restarts = self._restarts(begins, burn_in)
        fast, slow = torch.split(hidden_state.flatten(0, 1), self._hidden_parts, dim=-1)
        memory = _Memory(fast, slow)
        if burn_in:
            with torch.no_grad():  # it warms the memory and teaches nothing
                part = _Part(
                    self.encoder(features.burn_in_context, features.burn_in_targets), 0, restarts
                )
                selected, slow_hidden = self._select_slow(part, memory)
                memory = self._remember(part, memory._replace(slow=slow_hidden), selected)[-1]
        encoding = self.encoder(features.context, features.targets)
        part = _Part(encoding, burn_in, restarts)
        selected, slow_hidden = self._select_slow(part, memory)
        return self._decide(
            part, memory._replace(slow=slow_hidden), selected, features.action_features
        )

    def _restarts(self, begins: Tensor | None, burn_in: int) -> Restarts:
        """Return where cameras [n] begin anew, for ``begins`` as in ``unroll``."""
        if begins is None:
            return ()
        frames = range(1, min(burn_in, begins.shape[1] - 1) + 1)
        # Few windows hold an episode's first decision. Only here is it free to look.
        look = not begins.is_cuda and not torch.compiler.is_compiling()
        return tuple(
            (frame, begins[:, frame].repeat_interleave(self.dims.n_agents).unsqueeze(-1))
            for frame in frames
            if not look or begins[:, frame].any()
        )

    def _select_slow(self, part: _Part, memory: _Memory) -> tuple[Selection | None, Tensor]:
        """Return the slow choice in force at every frame, and the slow state after them."""
        if self.selector is None:
            return None, memory.slow
        return self.selector.select_slow(part.encoding, memory.slow, part.own_restarts())

    def q_values(self, unrolled: Unrolled) -> Tensor:
        """Return the Q-values of all actions, [B, L, C, U]."""
        return self._by_camera(self.head.values(unrolled.head))

    @torch.no_grad()
    def available_q_values(self, unrolled: Unrolled, avail_actions: Tensor) -> Tensor:
        """Return ``q_values`` with unavailable actions at minus infinity, without gradients.

        Args:
            unrolled: of ``unroll``.
            avail_actions: [B, L, C, U] bool.
        """
        by_row = avail_actions.transpose(0, 1).flatten(1, 2)
        return self._by_camera(self.head.available_values(unrolled.head, by_row))

    def q_values_of(self, unrolled: Unrolled, actions: Tensor) -> Tensor:
        """Return the Q-values [K, B, L, C] of K actions per camera, [K, B, L, C] int64.

        The gradient costs K / U of what it costs through ``q_values``.
        """
        values = self.head.values_of(unrolled.head, actions.transpose(1, 2).flatten(2))
        return self._by_camera(values.unsqueeze(-1)).squeeze(-1)

    def probs(self, unrolled: Unrolled) -> Tensor:
        """Return fast and slow selection, [2, B, L, C, T+1]."""
        return self._by_camera(unrolled.probs.movedim(1, -1))

    def entropies(self, unrolled: Unrolled) -> Tensor:
        """Return the entropies of fast and slow selection in nats, [2, B, L, C]."""
        probs = self.probs(unrolled)
        return probs[..., 0] if self.selector is None else selection_entropy(probs)  # zeros if so

    def _decide(
        self, part: _Part, memory: _Memory, slow: Selection | None, action_features: Tensor
    ) -> Unrolled:
        """Return selections and what the head makes of all frames.

        Args:
            part: frames [L].
            memory: before them; its slow state is the one after them.
            slow: the slow choice in force at every frame.
            action_features: [L, n, U, Fo].
        """
        encoding = part.encoding
        outputs, fast, memory = self._remember(part, memory, slow)
        probs = outputs.new_zeros(2, self.dims.n_targets + 1, *outputs.shape[:2])
        priorities = None
        if slow is not None and fast is not None:
            probs = torch.stack([fast.probs, slow.probs])
            priorities = probs[:, :-1].movedim(0, -1)
        head = HeadInputs(
            memory=outputs,
            context=encoding.context,
            targets=encoding.targets,
            priorities=priorities,
            action_features=action_features,
        )
        hidden = torch.cat([memory.fast, memory.slow], dim=-1)
        return Unrolled(self.head.terms(head), probs, hidden)

    def _remember(
        self, part: _Part, memory: _Memory, slow: Selection | None
    ) -> tuple[Tensor, Selection | None, _Memory]:
        """Return the core's outputs [L, n, H], the fast choice, and the memory after all frames."""
        inputs, fast = part.encoding.context, None
        if self.selector is not None and slow is not None:
            fast = self.selector.select_fast(part.encoding, slow)
            inputs = torch.cat([inputs, fast.summary, slow.summary], dim=-1)
        outputs, hidden = over_time(self.core, inputs, memory.fast, part.own_restarts())
        return outputs, fast, memory._replace(fast=hidden)

    def _by_camera(self, values: Tensor) -> Tensor:
        """Return [.., L, n, X] as [.., B, L, C, X]."""
        return torch.unflatten(values, -2, (-1, self.dims.n_agents)).transpose(-4, -3)


class QPLEXHRLModel(nn.Module):
    """All that is learned: the cameras' network, the state encoder and the mixer."""

    def __init__(self, agent: CameraNetwork, state_encoder: nn.Module, mixer: Mixer) -> None:
        """Put the parts together."""
        super().__init__()
        self.agent = agent
        self.state_encoder = state_encoder
        self.mixer = mixer

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state: Tensor, actions: Tensor
    ) -> MixerOutput:
        """Return the team's values.

        Args:
            agent_qs: [B, L, C] value of each camera's action.
            max_agent_qs: [B, L, C] value of its best available action.
            state: [B, L, S] global state.
            actions: [B, L, C] int64.
        """
        embedding = self.state_encoder(state)
        mixed: MixerOutput = self.mixer(agent_qs, max_agent_qs, embedding, actions)
        return mixed


def build_mixer(
    n_agents: int, n_actions: int, state_size: int, config: MixingNetworkConfig
) -> Mixer:
    """Return the configured mixer for state embeddings of length ``state_size``."""
    match config.type:
        case "none":
            return IndependentMixer(n_agents)
        case "vdn":
            return VDNMixer(n_agents)
        case "qmix":
            return QMIXMixer(n_agents, state_size, config)
        case "qplex":
            return QPLEXMixer(n_agents, n_actions, state_size, config)
        case "qfix_vdn" | "qfix_qmix":
            return QFIXMixer(n_agents, n_actions, state_size, config)
        case "adaptive":
            return AdaptiveMixer(n_agents, n_actions, state_size, config)
        case _:
            assert_never(config.type)


def build_model(
    dims: ModelDims,
    selection_bits: Tensor,
    config: NetworkConfig,
    *,
    make_mixer: MakeMixer | None = None,
    make_core: MakeCore | None = None,
) -> QPLEXHRLModel:
    """Return a freshly initialised model (by torch's global generator).

    Args:
        dims: sizes of the world.
        selection_bits: [U, T] bool, the targets that each action selects.
        config: the configuration's section ``network``.
        make_mixer: makes the mixer; None: that of ``config.mixing_network.type``.
        make_core: makes the cameras' temporal core; None: that of ``config.q_network.type``.
    """
    encoder_config = config.state_encoder
    return QPLEXHRLModel(
        camera_network(dims, selection_bits, config, make_core),
        StateEncoder(dims.state_size, encoder_config.hidden_size, encoder_config.embed_size),
        (make_mixer or build_mixer)(
            dims.n_agents, dims.n_actions, encoder_config.embed_size, config.mixing_network
        ),
    )


def camera_network(
    dims: ModelDims,
    selection_bits: Tensor,
    config: NetworkConfig,
    make_core: MakeCore | None = None,
) -> CameraNetwork:
    """Return the cameras' part of ``build_model``."""
    hrl = config.hrl
    return CameraNetwork(
        dims,
        selection_bits,
        config.q_network,
        reaction_margin=hrl.reaction_margin if hrl.fast_interval < hrl.frame_skip else None,
        make_core=make_core,
    )
