"""Our networks as an RLModule and our learner as an RLlib Learner: the mathematics stays ours."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.learner_group import LearnerGroup
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from torch import Tensor

from qplex_hrl.config import RunConfig
from qplex_hrl.learner import Learner
from qplex_hrl.model import CameraNetwork, QPLEXHRLModel
from qplex_hrl.runtime.seeding import make_generators
from qplex_hrl.training.loop import build_learner, drawn_model
from qplex_hrl.types import ModelDims, SequenceBatch

__all__ = ["GroupLearner", "QPLEXHRLLearner", "QPLEXHRLModule"]

_LEARNING_RATE = "learning_rate"


class QPLEXHRLModule(TorchRLModule, InferenceOnlyAPI):
    """The whole team as one module: cameras' network, state encoder and mixer.

    Its model config holds ``run_settings`` (a run's configuration), ``dims`` (of ``ModelDims``) and
    ``selection_bits`` (lists of [U, T] booleans). The initial weights are those of standalone
    training with the same configuration.
    """

    def setup(self) -> None:
        """Build the networks."""
        content = self.model_config
        config = RunConfig.model_validate(content["run_settings"])
        model = drawn_model(
            config,
            ModelDims(**content["dims"]),
            torch.tensor(content["selection_bits"], dtype=torch.bool),
            make_generators(config.training.seed).init,
        )
        self.agent = model.agent
        self.state_encoder = model.state_encoder
        self.mixer = model.mixer

    def as_model(self) -> QPLEXHRLModel:
        """Return the same parts as the model that our learner works with."""
        return QPLEXHRLModel(self.agent, self.state_encoder, self.mixer)

    def get_non_inference_attributes(self) -> list[str]:
        """Return the parts that acting does not need."""
        return ["state_encoder", "mixer"]

    # Any: RLlib passes nested mappings of tensors.
    def _forward(self, batch: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Return Q-values [N, C, U], greedy actions [N, C] and the new hidden state of a decision.

        The batch holds the arguments of ``CameraNetwork.step``.
        """
        output = self.agent.step(batch["obs"], batch["avail_actions"], batch["hidden_state"])
        return {
            "q_values": output.q_values,
            "actions": output.q_values.argmax(dim=-1),
            "hidden_state": output.hidden_state,
        }

    def _forward_train(self, batch: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Return nothing: the loss needs two models and does its own passes."""
        return {}


class QPLEXHRLLearner(TorchLearner):
    """RLlib's Learner around ours: the same loss, clipping, optimiser and target model."""

    core: Learner
    latest: dict[str, Tensor]
    """Metrics of the last update."""

    # Any: RLlib's classes are not typed.
    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Make our learner for the module and register its optimiser."""
        model = self._module[module_id].as_model()
        self.core = build_learner(RunConfig.model_validate(config.run_settings), model)
        self.register_optimizer(
            module_id=module_id,
            optimizer=self.core.optimizer,
            params=list(model.parameters()),
        )

    def before_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Take over the learning rate, which the driver computes."""
        self._learning_rate = timesteps[_LEARNING_RATE]

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: Mapping[str, Any], fwd_out: Mapping[str, Any]
    ) -> Tensor:
        """Return the loss of a batch whose columns are the fields of ``SequenceBatch``."""
        windows = SequenceBatch(**{name: batch[name] for name in SequenceBatch._fields})
        loss, self.latest = self.core.loss(windows)
        return loss

    def compute_gradients(
        self, loss_per_module: dict[str, Tensor], **kwargs: Any
    ) -> dict[Any, Tensor]:
        """Return the clipped gradients.

        Raises:
            TrainingDiverged: loss or gradient is not finite.
        """
        self.latest["grad_norm"] = self.core.backward(loss_per_module[DEFAULT_MODULE_ID])
        self.latest = {name: value.detach() for name, value in self.latest.items()}
        return {name: parameter.grad for name, parameter in self._params.items()}

    def postprocess_gradients(self, gradients_dict: dict[Any, Tensor]) -> dict[Any, Tensor]:
        """Return them unchanged: they are clipped already."""
        return gradients_dict

    def apply_gradients(self, gradients_dict: dict[Any, Tensor]) -> None:
        """Step optimiser and target model."""
        self.core.step(self._learning_rate)


class GroupLearner:
    """A learner group, which runs in this process, as the training loop's learner."""

    def __init__(self, group: LearnerGroup, log: Callable[[Any], None]) -> None:
        """Take over the group.

        Args:
            group: of one ``QPLEXHRLLearner`` in this process.
            log: takes what RLlib reports of each update.
        """
        self._group = group
        self._log = log
        (result,) = group.foreach_learner(lambda learner: learner)
        self._learner: QPLEXHRLLearner = result.get()

    @property
    def core(self) -> Learner:
        """Our own learner within."""
        return self._learner.core

    @property
    def model(self) -> QPLEXHRLModel:
        """The model that learns."""
        return self.core.model

    @property
    def ema_agent(self) -> CameraNetwork:
        """The cameras that evaluation plays; see ``Learner.ema_agent``."""
        return self.core.ema_agent

    @property
    def n_updates(self) -> int:
        """Gradient steps so far."""
        return self.core.n_updates

    def begin_with(self, cameras: Mapping[str, Tensor]) -> None:
        """Take over weights of the cameras' network; see ``Learner.begin_with``."""
        self.core.begin_with(cameras)

    def update(self, batch: SequenceBatch, learning_rate: float) -> dict[str, Tensor]:
        """Do one gradient step; see ``Learner.update``."""
        n_decisions = batch.reward.numel()
        windows = SampleBatch(batch._asdict())
        team = MultiAgentBatch({DEFAULT_MODULE_ID: windows}, env_steps=n_decisions)
        self._log(self._group.update(batch=team, timesteps={_LEARNING_RATE: learning_rate}))
        return self._learner.latest

    def state_dict(self) -> dict[str, Any]:
        """Return all that an exact continuation needs."""
        return self.core.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` gave."""
        self.core.load_state_dict(state)
