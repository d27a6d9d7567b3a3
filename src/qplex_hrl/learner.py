"""One learning update: a batch of windows in, new weights and metrics out."""

import copy
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from qplex_hrl.algorithm.returns import greedy_actions, lambda_returns
from qplex_hrl.config import ADAM, AlgorithmConfig, HRLConfig, OptimizerConfig
from qplex_hrl.model import CameraNetwork, QPLEXHRLModel
from qplex_hrl.networks.encoders import Features
from qplex_hrl.types import MixerOutput, SequenceBatch


class TrainingDiverged(RuntimeError):
    """Loss or gradient is not finite; the weights are those before the update."""


class Execution(NamedTuple):
    """How an update is computed; what is computed does not depend on it."""

    compile: bool = False  # by torch.compile
    mixed_precision: bool = False  # bfloat16 where it is safe, on CUDA


EAGER = Execution()
MIXED_PRECISION_DEVICES = ("cuda",)

_LOG = logging.getLogger(__name__)


class CompilationFailed(ValueError):
    """PyTorch cannot compile the update on this machine."""


class _Seen(NamedTuple):
    """What the cameras' networks unroll; see ``CameraNetwork.unroll``."""

    features: Features
    hidden_state: Tensor  # [B, C, R] before the burn-in
    begins: Tensor  # [B, b + L] bool, an episode's first decision


class _Targets(NamedTuple):
    """What the values of the actions taken are to be."""

    team: Tensor  # [B, L, G] for q_tot
    own: Tensor | None  # [B, L, C] for every camera's own value; None: it has no such target


class _Online(NamedTuple):
    """The online network's view of a batch, without the burn-in."""

    mixed: MixerOutput  # of the actions taken, frames 0 .. L-1
    agent_qs: Tensor  # [B, L, C] of the actions taken
    greedy: Tensor  # [B, L+1, C] best available actions
    entropy: Tensor  # [2, B, L, C] nats, fast and slow


class Learner:
    """Double Q-learning with TD(lambda) targets on mixed values, and selection entropy.

    ``loss = mean((q_tot - G)^2 or Huber) - selection_entropy_weight * mean(entropy)
    + difference_reward_weight * sum_i mean((Q_i - G_i)^2 or Huber)`` over filled decisions after
    the burn-in. The sum pulls at each camera's value as strongly in a team of any size. G_i is a
    return of camera i's difference reward, the coverage that would be lost without it (Wolpert and
    Tumer 2001): where a camera's actions do not change what others do, it ranks them as the team's
    reward does, with less noise. Two copies of the model are kept:
    ``model`` learns; ``target_model`` gives the values in G and follows softly (tau > 0, every
    update) or by copying (tau = 0, every ``target_update_interval`` updates).
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
        self._average = (
            copy.deepcopy(model.agent).requires_grad_(False) if algorithm.ema_decay else None
        )
        self.n_updates = 0
        self._config = algorithm
        self._recipe = recipe
        self._gamma = algorithm.gamma**hrl.fast_interval
        self._entropy_weight = hrl.selection_entropy_weight
        self._burn_in = burn_in
        self._optimizer = _build_optimizer(model, algorithm.learning_rate, recipe)
        self._compiled = torch.compile(self._loss, dynamic=False) if execution.compile else None
        device = next(model.parameters()).device.type
        self._mixed_precision = execution.mixed_precision and device in MIXED_PRECISION_DEVICES
        if execution.mixed_precision and not self._mixed_precision:
            _LOG.warning("training.mixed_precision needs CUDA; on %s all is float32", device)

    @property
    def evaluated_agent(self) -> CameraNetwork:
        """The cameras to be judged: their averaged weights (Polyak and Juditsky 1992), or the last.

        ``algorithm.ema_decay`` is the share that the average keeps at every update; the first
        updates count more, so that the initial weights are soon forgotten.
        """
        return self.model.agent if self._average is None else self._average

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

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The gradient method with its state."""
        return self._optimizer

    def loss(self, batch: SequenceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and all metrics but the gradient's norm; changes nothing.

        Raises:
            CompilationFailed: the update is to be compiled, and cannot be.
        """
        return self._loss(batch) if self._compiled is None else self._run_compiled(batch)

    def _run_compiled(self, batch: SequenceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what ``_loss`` returns; the first call compiles."""
        from torch._dynamo.exc import TorchDynamoException  # slow to import, wanted by few

        assert self._compiled is not None
        try:
            return self._compiled(batch)
        except (TorchDynamoException, OSError) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise CompilationFailed(
                f"training.compile = true, but PyTorch cannot compile here ({reason[0]}); "
                "install a C++ compiler or set training.compile: false"
            ) from error

    def _autocast(self) -> torch.autocast:
        """Return the region of the cameras' networks; mixers and targets are always float32."""
        device = next(self.model.parameters()).device.type
        return torch.autocast(device, dtype=torch.bfloat16, enabled=self._mixed_precision)

    def _loss(self, batch: SequenceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and all metrics but the gradient's norm; changes nothing."""
        seen = self._seen(batch)
        online = self._evaluate(batch, seen)
        trained = _without_burn_in(batch, self._burn_in)
        targets = self._targets(trained, seen, online.greedy)
        td_target = targets.team
        q_tot = online.mixed.q_tot
        weight = (trained.filled / trained.filled.sum().clamp_min(1)).unsqueeze(-1)  # sums to 1

        td_loss = (weight * self._td_loss(q_tot, td_target)).sum() / q_tot.shape[-1]
        n_agents = online.entropy.shape[-1]
        fast_entropy, slow_entropy = (weight * online.entropy).sum(dim=(1, 2, 3)) / n_agents
        entropy = (fast_entropy + slow_entropy) / 2
        loss = td_loss - self._entropy_weight * entropy
        metrics = {
            "loss": loss,
            "td_loss": td_loss,
            "td_error": (weight * (q_tot - td_target).abs()).sum() / q_tot.shape[-1],
            "q_tot": (weight * q_tot).sum() / q_tot.shape[-1],
            "td_target": (weight * td_target).sum() / q_tot.shape[-1],
            "selection_entropy": entropy,
            "fast_entropy": fast_entropy,
            "slow_entropy": slow_entropy,
        }
        if targets.own is not None:
            errors = self._td_loss(online.agent_qs, targets.own)
            metrics["credit_loss"] = (weight * errors).sum()
            metrics["loss"] = loss = (
                loss + self._config.difference_reward_weight * metrics["credit_loss"]
            )
        for name in ("gate", "complexity"):
            values = getattr(online.mixed, name)
            if values is not None:
                metrics[name] = (weight.squeeze(-1) * values).sum()
        return loss, metrics

    def _seen(self, batch: SequenceBatch) -> _Seen:
        """Return what both networks unroll."""
        begins = batch.filled.clone()  # a filled decision after padding is its episode's first
        begins[:, 1:] &= ~batch.filled[:, :-1]
        return _Seen(
            self.model.agent.features(batch.obs, self._burn_in), batch.hidden_state, begins
        )

    def _evaluate(self, batch: SequenceBatch, seen: _Seen) -> _Online:
        """Return mixed values of the actions taken, greedy actions and entropies."""
        start = self._burn_in
        agent = self.model.agent
        actions = batch.actions[:, start:]
        with self._autocast():
            unrolled = agent.unroll(*seen)
            with torch.no_grad():  # no mixer's gradient reaches the values of the best actions
                q_values = agent.q_values(unrolled)
                greedy = greedy_actions(q_values, batch.avail_actions[:, start:])
                max_agent_qs = _values_of(q_values, greedy)[:, :-1].float()
            # One frame more than there are decisions: any action will do there, it is cut off.
            padded = torch.cat([actions, greedy[:, -1:]], dim=1).unsqueeze(0)
            agent_qs = agent.q_values_of(unrolled, padded)[0, :, :-1].float()
            entropies = agent.entropies(unrolled)[:, :, :-1]
        mixed = self.model.mix(agent_qs, max_agent_qs, batch.state[:, start:-1], actions)
        return _Online(mixed, agent_qs, greedy, entropies.float())

    @torch.no_grad()
    def _targets(self, trained: SequenceBatch, seen: _Seen, greedy: Tensor) -> _Targets:
        """Return TD(lambda) targets by the target model.

        Double Q-learning (van Hasselt et al. 2016): the online network's ``greedy`` actions
        [B, L+1, C], valued by the target network.
        """
        agent = self.target_model.agent
        with self._autocast():
            q_values = agent.q_values(agent.unroll(*seen)).float()
        target_greedy = greedy_actions(q_values, trained.avail_actions)
        chosen = greedy if self._config.double_q else target_greedy
        agent_qs = _values_of(q_values, chosen)
        max_agent_qs = _values_of(q_values, target_greedy)
        values = self.target_model.mix(agent_qs, max_agent_qs, trained.state, chosen).q_tot
        return _Targets(
            team=self._returns(trained, trained.reward, values),
            own=self._returns(trained, trained.credit, agent_qs)
            if self._config.difference_reward_weight
            else None,
        )

    def _returns(self, trained: SequenceBatch, reward: Tensor, values: Tensor) -> Tensor:
        """Return the configured TD(lambda) returns; see ``lambda_returns``."""
        return lambda_returns(
            reward,
            values,
            trained.terminated,
            trained.truncated,
            trained.filled,
            gamma=self._gamma,
            td_lambda=self._config.td_lambda,
            n_step=self._config.n_step,
        )

    def _td_loss(self, q_tot: Tensor, td_target: Tensor) -> Tensor:
        """Return the loss of every value, [B, L, G]."""
        if self._recipe.loss == "huber":
            return nn.functional.huber_loss(q_tot, td_target, reduction="none")
        return nn.functional.mse_loss(q_tot, td_target, reduction="none")

    def backward(self, loss: Tensor) -> Tensor:
        """Give every parameter its clipped gradient; return the gradient's norm before clipping.

        Raises:
            TrainingDiverged: loss or gradient is not finite.
        """
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self._config.grad_clip)
        if not torch.isfinite(loss + norm):
            msg = (
                f"training diverged in update {self.n_updates + 1}: loss {loss.item():g}, "
                f"gradient norm {norm.item():g}; lower algorithm.learning_rate or reward_scale"
            )
            raise TrainingDiverged(msg)
        return norm

    def step(self, learning_rate: float, mixer_learning_rate: float | None = None) -> None:
        """Step optimiser and target model with the gradients of ``backward``; see ``update``."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate * group.get("scale", 1.0)
            if "scale" in group and mixer_learning_rate is not None:
                group["lr"] = mixer_learning_rate
        self._optimizer.step()
        for group in self._optimizer.param_groups:
            if group.get("decay", 0.0) > 0:  # apart from the gradient (Loshchilov and Hutter 2019)
                torch._foreach_mul_(
                    [parameter.data for parameter in group["params"]],
                    1.0 - group["lr"] * group["decay"],
                )
        self.n_updates += 1
        self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the target model and the average towards the model."""
        if self._config.tau > 0:
            followed: list[Tensor] = list(self.target_model.parameters())
            leading: list[Tensor] = list(self.model.parameters())
            torch._foreach_lerp_(followed, leading, self._config.tau)
        elif self.n_updates % self._config.target_update_interval == 0:
            self.target_model.load_state_dict(self.model.state_dict())
        if self._average is not None:
            followed = list(self._average.parameters())
            leading = list(self.model.agent.parameters())
            kept = min(self._config.ema_decay, self.n_updates / (self.n_updates + 9))
            torch._foreach_lerp_(followed, leading, 1.0 - kept)

    def begin_with(self, cameras: Mapping[str, Tensor]) -> None:
        """Take over weights of the cameras' network, before the first update."""
        for agent in (self.model.agent, self.target_model.agent, self._average):
            if agent is not None:
                agent.load_state_dict(cameras)

    # Any: the optimiser's state is torch's own mixture of tensors, numbers and lists.
    def state_dict(self) -> dict[str, Any]:
        """Return all that an exact continuation needs: tensors and plain numbers."""
        state = {
            "model": self.model.state_dict(),
            "target_model": self.target_model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "n_updates": self.n_updates,
        }
        if self._average is not None:
            state["average"] = self._average.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` gave."""
        self.model.load_state_dict(state["model"])
        self.target_model.load_state_dict(state["target_model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.n_updates = state["n_updates"]
        if self._average is not None:  # without one in the file, it begins now
            self._average.load_state_dict(state.get("average", self.model.agent.state_dict()))


def _values_of(q_values: Tensor, actions: Tensor) -> Tensor:
    """Return the values [B, L, C] of ``actions`` [B, L, C] among ``q_values`` [B, L, C, U]."""
    return q_values.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def _without_burn_in(batch: SequenceBatch, burn_in: int) -> SequenceBatch:
    """Return the decisions that are trained on."""
    in_time = {name: getattr(batch, name)[:, burn_in:] for name in batch._fields[:-1]}
    return batch._replace(**in_time)


def _build_optimizer(
    model: QPLEXHRLModel, learning_rate: float, config: OptimizerConfig
) -> torch.optim.Optimizer:
    """Return the optimiser of a recipe; the mixer is a group of its own if it is treated apart."""
    scale, decay = config.mixer_learning_rate_scale, config.mixer_weight_decay
    mixer = list(model.mixer.parameters())
    groups: list[dict[str, Any]] = [{"params": list(model.parameters())}]
    if mixer and (scale != 1.0 or decay > 0.0):
        others = [*model.agent.parameters(), *model.state_encoder.parameters()]
        groups = [{"params": others}, {"params": mixer, "scale": scale, "decay": decay}]
    lr, eps = learning_rate, config.optimizer_eps
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=lr, eps=eps, fused=True)
    return torch.optim.RMSprop(groups, lr=lr, alpha=config.rmsprop_alpha, eps=eps, foreach=True)
