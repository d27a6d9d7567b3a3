"""One learning update: windows in, new weights out; the target network and the EMA follow."""

import copy
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from qplex_hrl.algorithm.compiled_loss import compiled_loss
from qplex_hrl.algorithm.ema import WeightEMA, follow
from qplex_hrl.algorithm.optimizer import (
    build_optimizer,
    check_stored_optimizer,
    load_optimizer,
    step_optimizer,
)
from qplex_hrl.algorithm.returns import lambda_returns
from qplex_hrl.config import ADAM, AlgorithmConfig, HRLConfig, OptimizerConfig
from qplex_hrl.model import CameraNetwork, QPLEXHRLModel
from qplex_hrl.networks.encoders import Features
from qplex_hrl.networks.reaction import reaction_loss
from qplex_hrl.storage.stored_values import check_weights, whole_number_of
from qplex_hrl.types import MixerOutput, SequenceBatch

MIXED_PRECISION_DEVICES = ("cuda",)

_LOG = logging.getLogger(__name__)


class TrainingDiverged(RuntimeError):
    """Loss or gradient is not finite; the weights are those before the update."""


class Execution(NamedTuple):
    """How an update is computed; what is computed does not depend on it."""

    compile: bool = False  # by torch.compile
    mixed_precision: bool = False  # bfloat16 where it is safe, on CUDA


EAGER = Execution()


class _Inputs(NamedTuple):
    """What the online and the target network unroll; see ``CameraNetwork.unroll``."""

    features: Features
    hidden_state: Tensor  # [B, C, R] before the burn-in
    begins: Tensor  # [B, burn_in + L] bool, an episode's first decision


class _Online(NamedTuple):
    """The online network's view of a batch, without the burn-in."""

    mixed: MixerOutput  # of the actions taken, frames 0 .. L-1
    agent_qs: Tensor  # [B, L, C] of the actions taken
    greedy: Tensor  # [B, L+1, C] best available actions
    q_values: Tensor  # [B, L+1, C, U] of all actions, minus infinity where not available
    entropy: Tensor  # [2, B, L, C] nats, fast and slow


class _TDTargets(NamedTuple):
    """What the values of the actions taken learn towards."""

    team: Tensor  # [B, L, G] for q_tot
    own: Tensor | None  # [B, L, C] for each camera's own value; None: without difference reward


class Learner:
    """Double Q-learning with Q(lambda) targets on mixed values, and selection entropy.

    ``loss = E[l(q_tot - y)] - selection_entropy_weight * E[H]
    + difference_reward_weight * sum_i E[l(Q_i - y_i)]``

    E is the mean over filled decisions after the burn-in, l the Huber or squared error, and H the
    entropy of the selections. y is the Q(lambda) target of the team's reward, and y_i that of
    camera i's difference reward.

    The difference reward is the coverage that would be lost without the camera (Wolpert and Tumer
    2001), with the team's shaping. Where a camera's actions do not change what others do, it ranks
    them as the team's reward does, with less noise. Its losses are summed over cameras, not
    averaged, so each camera's own value gets the same weight in a team of any size.

    Two copies of the model are kept: ``model`` learns, ``target_model`` gives the values in y and
    y_i. With tau > 0 the target model follows a little at every update. With tau = 0 it is a copy,
    renewed every ``target_update_interval`` updates.
    """

    def __init__(
        self,
        model: QPLEXHRLModel,
        algorithm: AlgorithmConfig,
        hrl: HRLConfig,
        burn_in: int,
        execution: Execution = EAGER,
        recipe: OptimizerConfig = ADAM,
    ) -> None:
        """Create target model and optimiser.

        Args:
            model: learns in place.
            algorithm: the configuration's section ``algorithm``.
            hrl: gives the frames per decision and the weight of the entropy.
            burn_in: first decisions of a window that only warm the recurrent state.
            execution: compiled or not, and in which precision.
            recipe: loss and gradient method.
        """
        self.model = model
        self.target_model = copy.deepcopy(model).requires_grad_(False)
        self.n_updates = 0
        self.optimizer = build_optimizer(
            list(model.parameters()),
            list(model.mixer.parameters()),
            algorithm.learning_rate,
            recipe,
        )
        reaction = model.agent.reaction
        self._fast_parameters = [] if reaction is None else list(reaction.parameters())
        of_fast = {id(parameter) for parameter in self._fast_parameters}
        self._slow_parameters = [p for p in model.parameters() if id(p) not in of_fast]
        decay = algorithm.ema_decay
        self._ema = WeightEMA(model.agent, decay) if decay else None
        self._config = algorithm
        self._recipe = recipe
        self._gamma = algorithm.gamma**hrl.frame_skip
        self._entropy_weight = hrl.selection_entropy_weight
        self._burn_in = burn_in
        self._run_loss = compiled_loss(self._loss) if execution.compile else self._loss
        device = next(model.parameters()).device.type
        self._mixed_precision = execution.mixed_precision and device in MIXED_PRECISION_DEVICES
        if execution.mixed_precision and not self._mixed_precision:
            _LOG.warning("training.mixed_precision needs CUDA; on %s all is float32", device)

    @property
    def ema_agent(self) -> CameraNetwork:
        """The cameras that evaluation plays: of averaged weights if there are any, or the last."""
        return self.model.agent if self._ema is None else self._ema.network

    def update(
        self, batch: SequenceBatch, learning_rate: float, mixer_learning_rate: float | None = None
    ) -> dict[str, Tensor]:
        """Do one gradient step; return metrics as tensors without axes, on the model's device.

        Args:
            batch: windows of burn_in + L decisions.
            learning_rate: of this update.
            mixer_learning_rate: the mixer's, if the recipe treats it apart; None: `learning_rate`
                times its ``mixer_learning_rate_scale``.

        Raises:
            TrainingDiverged: loss or gradient is not finite; no weight has changed.
            CompilationFailed: the update is to be compiled, and cannot be.
        """
        loss, metrics = self.loss(batch)
        metrics["grad_norm"] = self.backward(loss)
        self.step(learning_rate, mixer_learning_rate)
        return {name: value.detach() for name, value in metrics.items()}

    def loss(self, batch: SequenceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and all metrics but the gradient's norm, each []; changes nothing.

        Raises:
            CompilationFailed: the update is to be compiled, and cannot be.
        """
        return self._run_loss(batch)

    def _loss(self, batch: SequenceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        inputs = self._inputs(batch)
        online = self._evaluate(batch, inputs)
        trained = _without_burn_in(batch, self._burn_in)
        td_targets = self._td_targets(trained, inputs, online.greedy)

        weight = (trained.filled / trained.filled.sum().clamp_min(1)).unsqueeze(-1)  # [B, L, 1]

        def mean(values: Tensor) -> Tensor:  # [.., B, L, X] over filled decisions and X
            return (weight * values).sum(dim=(-3, -2, -1)) / values.shape[-1]

        q_tot, td_target = online.mixed.q_tot, td_targets.team
        td_loss = mean(self._error_loss(q_tot, td_target))
        fast_entropy, slow_entropy = mean(online.entropy)
        entropy = (fast_entropy + slow_entropy) / 2
        loss = td_loss - self._entropy_weight * entropy
        metrics = {
            "td_loss": td_loss,
            "td_error": mean((q_tot - td_target).abs()),
            "q_tot": mean(q_tot),
            "td_target": mean(td_target),
            "selection_entropy": entropy,
            "fast_entropy": fast_entropy,
            "slow_entropy": slow_entropy,
        }
        if td_targets.own is not None:
            difference_reward_loss = (
                weight * self._error_loss(online.agent_qs, td_targets.own)
            ).sum()
            loss = loss + self._config.difference_reward_weight * difference_reward_loss
            metrics["difference_reward_loss"] = difference_reward_loss
        if self.model.agent.reaction is not None:
            metrics["reaction_loss"] = self._reaction_loss(batch, trained, online.q_values)
            loss = loss + metrics["reaction_loss"]
        for name in ("gate", "complexity"):
            values = getattr(online.mixed, name)
            if values is not None:
                metrics[name] = mean(values.unsqueeze(-1))
        return loss, {"loss": loss} | metrics

    def _reaction_loss(
        self, batch: SequenceBatch, trained: SequenceBatch, q_values: Tensor
    ) -> Tensor:
        """Return the loss of the cameras' fast level, [].

        Every other decision is enough: the network is small, and neighbours are alike.
        """
        reaction = self.model.agent.reaction
        assert reaction is not None
        first = slice(self.n_updates % 2, -1, 2)
        second = slice(self.n_updates % 2 + 1, None, 2)
        obs = batch.obs[:, self._burn_in :]
        same = (trained.filled & ~trained.terminated)[:, self.n_updates % 2 :: 2]
        n_agents = obs.shape[2]
        return reaction_loss(
            reaction,
            torch.stack([obs[:, first], obs[:, second]]).flatten(1, 3).float(),
            torch.stack([q_values[:, first], q_values[:, second]]).flatten(1, 3),
            trained.actions[:, self.n_updates % 2 :: 2].flatten(),
            same.unsqueeze(-1).expand(-1, -1, n_agents).flatten(),
        )

    def _error_loss(self, values: Tensor, td_target: Tensor) -> Tensor:
        """Return the loss of every value, [B, L, G]."""
        if self._recipe.loss == "huber":
            return nn.functional.huber_loss(values, td_target, reduction="none")
        return nn.functional.mse_loss(values, td_target, reduction="none")

    def _inputs(self, batch: SequenceBatch) -> _Inputs:
        """Return what both networks unroll."""
        begins = batch.filled.clone()  # a filled decision after padding is its episode's first
        begins[:, 1:] &= ~batch.filled[:, :-1]
        features = self.model.agent.features(batch.obs, self._burn_in)
        return _Inputs(features, batch.hidden_state, begins)

    def _autocast(self) -> torch.autocast:
        """Return the region of the cameras' networks; mixers and targets are always float32."""
        device = next(self.model.parameters()).device.type
        return torch.autocast(device, dtype=torch.bfloat16, enabled=self._mixed_precision)

    def _evaluate(self, batch: SequenceBatch, inputs: _Inputs) -> _Online:
        """Return mixed values of the actions taken, greedy actions and entropies."""
        start = self._burn_in
        agent = self.model.agent
        actions = batch.actions[:, start:]
        with self._autocast():
            unrolled = agent.unroll(*inputs)
            # No mixer's gradient reaches the values of the best actions.
            q_values = agent.available_q_values(unrolled, batch.avail_actions[:, start:])
            best, greedy = q_values.max(dim=-1)
            max_agent_qs = best[:, :-1].float()
            # The bootstrap frame has no decision. Any action will do there: it is cut off below.
            padded = torch.cat([actions, greedy[:, -1:]], dim=1).unsqueeze(0)
            agent_qs = agent.q_values_of(unrolled, padded)[0, :, :-1].float()
            entropies = agent.entropies(unrolled)[:, :, :-1]
        mixed = self.model.mix(agent_qs, max_agent_qs, batch.state[:, start:-1], actions)
        return _Online(mixed, agent_qs, greedy, q_values.float(), entropies.float())

    @torch.no_grad()
    def _td_targets(self, trained: SequenceBatch, inputs: _Inputs, greedy: Tensor) -> _TDTargets:
        """Return Q(lambda) targets by the target model.

        Double Q-learning (van Hasselt et al. 2016): the online network chooses the actions,
        ``greedy`` [B, L+1, C], and the target network values them.
        """
        agent = self.target_model.agent
        with self._autocast():
            unrolled = agent.unroll(*inputs)
            q_values = agent.available_q_values(unrolled, trained.avail_actions).float()
        max_agent_qs, target_greedy = q_values.max(dim=-1)
        chosen = greedy if self._config.double_q else target_greedy
        agent_qs = q_values.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
        values = self.target_model.mix(agent_qs, max_agent_qs, trained.state, chosen).q_tot
        n_team = values.shape[-1]
        reward = trained.reward.unsqueeze(-1).expand(-1, -1, n_team)
        if self._config.difference_reward_weight:
            values = torch.cat([values, agent_qs], dim=-1)
            reward = torch.cat([reward, trained.difference_reward], dim=-1)
        returns = lambda_returns(
            reward,
            values,
            trained.terminated,
            trained.truncated,
            trained.filled,
            gamma=self._gamma,
            td_lambda=self._config.td_lambda,
            n_step=self._config.n_step,
        )
        own = returns[..., n_team:] if self._config.difference_reward_weight else None
        return _TDTargets(returns[..., :n_team], own)

    def backward(self, loss: Tensor) -> Tensor:
        """Give every parameter its clipped gradient; return the norm before clipping.

        The norm is that of all parameters but the fast level's, which are clipped by their own.

        Args:
            loss: [].

        Raises:
            TrainingDiverged: loss or gradient is not finite.
        """
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        # Apart from the fast level, whose errors must not shorten the steps of all others.
        norm = nn.utils.clip_grad_norm_(self._slow_parameters, self._config.grad_clip)
        fast_norm = nn.utils.clip_grad_norm_(self._fast_parameters, self._config.grad_clip)
        if not torch.isfinite(loss + norm + fast_norm):
            msg = (
                f"training diverged in update {self.n_updates + 1}: loss {loss.item():g}, "
                f"gradient norm {norm.item():g}; lower algorithm.learning_rate or reward_scale"
            )
            raise TrainingDiverged(msg)
        return norm

    def step(self, learning_rate: float, mixer_learning_rate: float | None = None) -> None:
        """Step optimiser and target model with the gradients of ``backward``; see ``update``."""
        step_optimizer(self.optimizer, learning_rate, mixer_learning_rate)
        self.n_updates += 1
        if self._config.tau > 0:
            follow(self.target_model, self.model, self._config.tau)
        elif self.n_updates % self._config.target_update_interval == 0:
            self.target_model.load_state_dict(self.model.state_dict())
        if self._ema is not None:
            self._ema.update(self.model.agent, self.n_updates)

    def begin_with(self, cameras: Mapping[str, Tensor]) -> None:
        """Take over weights of the cameras' network, before the first update."""
        self.model.agent.load_state_dict(cameras)
        self.target_model.agent.load_state_dict(cameras)
        if self._ema is not None:
            self._ema.network.load_state_dict(cameras)

    # Any: the optimiser's state is torch's own mixture of tensors, numbers and lists.
    def state_dict(self) -> dict[str, Any]:
        """Return all that an exact continuation needs: tensors and plain numbers."""
        state = {
            "model": self.model.state_dict(),
            "target_model": self.target_model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "n_updates": self.n_updates,
        }
        if self._ema is not None:
            state["ema"] = self._ema.network.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` gave; all of it is checked before anything changes.

        Raises:
            ValueError: a part is missing, of another network, or out of its range; one line.
        """
        own = self.model.state_dict()
        for name in ("model", "target_model"):
            check_weights(state.get(name), own, name)
        if "ema" in state:
            check_weights(state["ema"], self.model.agent.state_dict(), "ema")
        check_stored_optimizer(self.optimizer, state.get("optimizer"))
        whole_number_of(state.get("n_updates"), "n_updates")
        self.model.load_state_dict(state["model"])
        self.target_model.load_state_dict(state["target_model"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.n_updates = state["n_updates"]
        if self._ema is not None:  # a file without an average: it begins now
            average = state.get("ema", self.model.agent.state_dict())
            self._ema.network.load_state_dict(average)


def _without_burn_in(batch: SequenceBatch, burn_in: int) -> SequenceBatch:
    """Return the decisions that are trained on."""
    in_time = {name: getattr(batch, name)[:, burn_in:] for name in batch._fields[:-1]}
    return batch._replace(**in_time)
