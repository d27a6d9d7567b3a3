"""Every setting of a run: its default, its range and its meaning in one line."""

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from camcontrol.options import RANGES
from camsim.bounds import NUM_ENVS
from qplex_hrl.config.section import (
    Coefficient,
    Count,
    FilePath,
    Frames,
    Section,
    Seed,
    Weight,
    Width,
)
from qplex_hrl.config.world import CAMERA, ControlConfig, EnvConfig

__all__ = [
    "AlgorithmConfig",
    "ControlConfig",
    "EnvConfig",
    "EvaluationConfig",
    "HRLConfig",
    "LoggingConfig",
    "MixingNetworkConfig",
    "NetworkConfig",
    "QNetworkConfig",
    "RayConfig",
    "RewardCoefficients",
    "RunConfig",
    "StateEncoderConfig",
    "TrainingConfig",
    "WandbConfig",
]


class RewardCoefficients(Section):
    """Weights of MATE's auxiliary reward terms and of ours; the sum is averaged over cameras."""

    raw_reward: Coefficient = Field(default=0.0, description="the cameras' reward of MATE itself")
    coverage_rate: Coefficient = Field(default=1.0, description="share of targets in view, 0 to 1")
    real_coverage_rate: Coefficient = Field(
        default=0.0, description="the same among targets with a bounty"
    )
    mean_transport_rate: Coefficient = Field(
        default=0.0, description="what targets earned of what they could, 0 to 1; lower is better"
    )
    soft_coverage_score: Coefficient = Field(
        default=0.0, description="how deep targets stand in the fields of view, or how far outside"
    )
    num_tracked: Coefficient = Field(default=0.0, description="targets that the camera itself sees")
    baseline: Coefficient = Field(default=0.0, description="constant per frame")
    stereo_coverage_rate: Coefficient = Field(
        default=0.0,
        description="ours, not MATE's: share of targets in two views whose directions differ by "
        "at least env.min_baseline_deg, 0 to 1",
    )


class HRLConfig(Section):
    """Hierarchical target selection: clocks, sets of targets and reward terms."""

    frame_skip: int = Field(
        default=CAMERA.decision_frames,
        ge=1,
        le=RANGES["decision_frames"].high,
        description="frames of a decision of the slow level, which plans and remembers",
    )
    fast_interval: int = Field(
        default=CAMERA.fast_interval,
        ge=1,
        le=RANGES["fast_interval"].high,
        description="frames between two of the fast level, which keeps or replaces what the slow "
        "one has decided; divides frame_skip; equal to it: no fast level",
    )
    reaction_margin: Weight = Field(
        default=0.05,
        description="how much more return than the action in force another must promise for the "
        "fast level to replace it",
    )
    multi_selection: bool = Field(
        default=CAMERA.multi_selection, description="a camera may select several targets at once"
    )
    coverage_reward_weight: Weight = Field(
        default=0.5, description="weight of the coverage improvement, gamma * coverage' - coverage"
    )
    selection_entropy_weight: Weight = Field(
        default=0.01,
        description="weight of the selectors' entropy in the loss; more is more diverse",
    )
    exploration_bonus: Weight = Field(
        default=0.05,
        description="weight of the bonus for finding targets unseen for long; training only",
    )
    reward_coefficients: RewardCoefficients = RewardCoefficients()

    @model_validator(mode="after")
    def _slow_decides_with_the_fast(self) -> Self:
        if self.frame_skip % self.fast_interval:
            raise ValueError(
                f"fast_interval = {self.fast_interval}; "
                f"expected a divisor of frame_skip = {self.frame_skip}"
            )
        return self


class QNetworkConfig(Section):
    """The cameras' Q-network; one set of weights serves all cameras."""

    type: Literal["mlp", "rnn", "attention_rnn", "hierarchical_rnn"] = Field(
        default="attention_rnn", description="what it remembers and whether it has selectors"
    )
    hidden_size: Width = Field(default=64, description="width of every layer, H")
    encoding: Literal["entities", "flat"] = Field(
        default="entities",
        description="layers per target and per action, or one layer over the whole observation; "
        "flat binds the weights to the numbers of targets and actions",
    )
    n_heads: Width = Field(
        default=1, description="attention heads of the selectors; divides hidden_size"
    )
    plan_prior: Weight = Field(
        default=0.0,
        description="weight of an action's plan advantage in its value at first, learned from "
        "there; 0: no such term (control.lookahead: true, encoding: entities)",
    )
    camera_identity: Literal["pose", "index"] = Field(
        default="pose",
        description="what tells cameras apart; index binds the weights to the number of cameras",
    )

    @model_validator(mode="after")
    def _selectors_need_entities(self) -> Self:
        if self.encoding == "flat" and self.type not in ("mlp", "rnn"):
            raise ValueError(
                f"encoding = 'flat' with type = {self.type!r}, whose selectors need entities; "
                "expected type 'mlp' or 'rnn', or encoding 'entities'"
            )
        return self

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.hidden_size % self.n_heads:
            raise ValueError(
                f"n_heads = {self.n_heads}; expected a divisor of hidden_size = {self.hidden_size}"
            )
        return self


class StateEncoderConfig(Section):
    """The encoder that turns the global state into the mixer's input."""

    hidden_size: Width = Field(default=64, description="width of the hidden layer")
    embed_size: Width = Field(default=64, description="length of the encoded state")


class MixingNetworkConfig(Section):
    """The mixer of the cameras' values into the team's."""

    type: Literal["none", "vdn", "qmix", "qplex", "qfix_vdn", "qfix_qmix", "adaptive"] = Field(
        default="adaptive", description="how values are mixed; none: each camera learns alone"
    )
    embed_size: Width = Field(default=32, description="width of the mixing layer")
    hypernet_size: Width = Field(
        default=64, description="hidden width of the weight-making networks"
    )
    n_heads: Width = Field(default=4, description="attention heads of the importance weights")
    attention_layers: int = Field(
        default=2, ge=2, le=3, description="layers of the networks that make importance weights"
    )
    gate_sharpness: float = Field(
        default=10.0, ge=1e-3, le=1e6, description="slope k of the adaptive gate"
    )
    complexity_threshold: float = Field(
        default=0.5, ge=0, le=1, description="complexity at which the adaptive gate is half open"
    )


class NetworkConfig(Section):
    """Everything that the model is built from."""

    hrl: HRLConfig = HRLConfig()
    q_network: QNetworkConfig = QNetworkConfig()
    state_encoder: StateEncoderConfig = StateEncoderConfig()
    mixing_network: MixingNetworkConfig = MixingNetworkConfig()

    @model_validator(mode="after")
    def _fast_level_needs_entities(self) -> Self:
        hrl = self.hrl
        if hrl.fast_interval < hrl.frame_skip and self.q_network.encoding == "flat":
            raise ValueError(
                f"hrl.fast_interval = {hrl.fast_interval} with q_network.encoding = 'flat'; "
                f"expected hrl.frame_skip = {hrl.frame_skip}, or encoding 'entities'"
            )
        return self


class AlgorithmConfig(Section):
    """The learning rule and the exploration schedule."""

    learning_rate: float = Field(
        default=7e-4, ge=1e-12, le=10, description="step size at the start"
    )
    learning_rate_end: Weight = Field(
        default=7e-5, description="step size at the end, reached linearly"
    )
    gamma: float = Field(default=0.9835, ge=1e-6, lt=1, description="discount per frame")
    double_q: bool = Field(
        default=True, description="the online network picks the bootstrap action"
    )
    td_lambda: float = Field(default=0.8, ge=0, le=1, description="trace parameter of the returns")
    n_step: int = Field(
        default=3, ge=1, le=1000, description="most decisions that a return looks ahead"
    )
    target_update_interval: Frames = Field(
        default=200,
        description="updates between two copies to the target networks; unused if tau > 0",
    )
    tau: float = Field(
        default=0.01, ge=0, le=1, description="share copied to the target networks at every update"
    )
    ema_decay: float = Field(
        default=0.9995,
        ge=0,
        lt=1,
        description="share kept at every update by the running average of the cameras' weights, "
        "which evaluation plays; 0: the last weights play",
    )
    grad_clip: float = Field(default=10.0, ge=1e-6, le=1e9, description="largest gradient norm")
    difference_reward_weight: Weight = Field(
        default=2.0,
        description="weight, per camera, of the loss of its own value against its difference "
        "reward: the targets that only this camera has in view, times coverage_rate, and those "
        "that only it makes stereo covered, times stereo_coverage_rate, with the team's shaping "
        "and bonus; 0: the team's reward alone teaches",
    )
    epsilon_start: float = Field(
        default=0.5, ge=0, le=1, description="share of random actions at first"
    )
    epsilon_end: float = Field(
        default=0.04, ge=0, le=1, description="share of random actions at last"
    )
    epsilon_decay: float = Field(
        default=1e-5,
        ge=0,
        le=1,
        description="rate per timestep from start to end; smaller explores longer",
    )
    reward_scale: float = Field(default=0.2, ge=1e-6, le=1e6, description="factor on every reward")

    @model_validator(mode="after")
    def _schedules_fall(self) -> Self:
        for start, end in (
            ("learning_rate", "learning_rate_end"),
            ("epsilon_start", "epsilon_end"),
        ):
            first, last = getattr(self, start), getattr(self, end)
            if last > first:
                raise ValueError(f"{end} = {last}; expected at most {start} = {first}")
        return self


class TrainingConfig(Section):
    """Amounts of experience and updates."""

    total_timesteps: Frames = Field(
        default=1_000_000, description="frames to collect, all environments"
    )
    learning_starts: int = Field(
        default=20_000, ge=0, le=10**12, description="timesteps before the first update"
    )
    batch_size: int = Field(default=16, ge=1, le=2**16, description="windows of a batch, B")
    buffer_size: int = Field(
        default=50_000, ge=1, le=10**9, description="decisions kept, all environments together"
    )
    sequence_length: int = Field(
        default=12, ge=1, le=1000, description="decisions of a window that are learned from"
    )
    burn_in: int = Field(
        default=4, ge=0, le=1000, description="decisions before them that only warm the memory"
    )
    train_freq: float = Field(
        default=3.0, ge=0, le=10_000, description="gradient updates per 1,000 timesteps"
    )
    save_replay: bool = Field(
        default=True, description="store the replay buffer beside checkpoints"
    )
    overlap: bool = Field(
        default=True,
        description="collect in a thread while the learner updates, evaluate in another one",
    )
    compile: bool = Field(
        default=False, description="compile the update with torch.compile; needs a C++ compiler"
    )
    mixed_precision: bool = Field(
        default=False, description="bfloat16 in the cameras' networks, on CUDA only"
    )
    num_threads: int = Field(
        default=1, ge=1, le=1024, description="threads of the simulator and of the learner, each"
    )
    seed: Seed = Field(default=0, description="seed of everything random in training")
    initial_weights: FilePath | None = Field(
        default=None,
        description="checkpoint whose cameras training begins with, of teams of any size; null: "
        "drawn from the seed",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$",
        description="auto, cpu, cuda or cuda:<index>",
    )


class WandbConfig(Section):
    """Weights & Biases, on request."""

    enabled: bool = Field(default=False, description="also log there")
    project: str = Field(
        default="qplex-hrl", min_length=1, max_length=128, description="project of the run"
    )
    group: str | None = Field(default=None, max_length=128, description="group of the run")
    mode: Literal["online", "offline"] = Field(default="online", description="offline: files only")


class LoggingConfig(Section):
    """Where and how often a run writes; intervals in timesteps."""

    log_dir: FilePath = Field(default="logs/qplex_hrl", description="folder of logs and results")
    model_dir: FilePath = Field(default="models/qplex_hrl", description="folder of checkpoints")
    log_interval: Frames = Field(default=25_000, description="between two rows of metrics")
    checkpoint_interval: Frames = Field(default=250_000, description="between two checkpoints")
    keep_checkpoints: Count = Field(
        default=3, description="newest checkpoints kept beside best and final"
    )
    tensorboard: bool = Field(default=True, description="also write TensorBoard events")
    video_every: int = Field(
        default=5,
        ge=0,
        le=10**6,
        description="evaluations between two short videos of one, which the trackers show; needs "
        "the extra viz, without it there are none; 0: never",
    )
    wandb: WandbConfig = WandbConfig()


class EvaluationConfig(Section):
    """Evaluation on episodes that training never sees."""

    eval_interval: Frames = Field(default=100_000, description="timesteps between two evaluations")
    episodes: Count = Field(default=16, description="episodes of an evaluation during training")
    final_episodes: Count = Field(default=64, description="episodes of the last evaluation")
    num_envs: int = Field(
        default=32, ge=1, le=NUM_ENVS.high, description="parallel environments of an evaluation"
    )
    seed: Seed = Field(default=10_000, description="seed of the evaluation episodes")


class RayConfig(Section):
    """Training on many processes or machines with Ray; `train` alone reads nothing here."""

    num_workers: Count = Field(default=4, description="rollout workers, each a process")
    num_envs_per_worker: Count = Field(
        default=8,
        description="parallel environments of each; with Ray, env.num_envs is their number in all",
    )
    num_gpus: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of a GPU that the learner takes; without a GPU it uses the CPU",
    )


class RunConfig(Section):
    """A whole run; the defaults are the shipped system on MATE-4v4-9 with views of their own."""

    env: EnvConfig = EnvConfig()
    control: ControlConfig = ControlConfig()
    network: NetworkConfig = NetworkConfig()
    algorithm: AlgorithmConfig = AlgorithmConfig()
    training: TrainingConfig = TrainingConfig()
    logging: LoggingConfig = LoggingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    ray: RayConfig = RayConfig()

    @model_validator(mode="after")
    def _replay_holds_a_window_per_env(self) -> Self:
        training = self.training
        needed = (training.burn_in + training.sequence_length + 1) * self.env.num_envs
        if training.buffer_size < needed:
            raise ValueError(
                f"training.buffer_size = {training.buffer_size}; expected at least {needed} = "
                "(training.burn_in + training.sequence_length + 1) * env.num_envs"
            )
        return self

    @model_validator(mode="after")
    def _difference_reward_needs_coverage(self) -> Self:
        weight = self.algorithm.difference_reward_weight
        coefficients = self.network.hrl.reward_coefficients
        if weight > 0 and coefficients.coverage_rate == coefficients.stereo_coverage_rate == 0:
            raise ValueError(
                f"algorithm.difference_reward_weight = {weight} with "
                "network.hrl.reward_coefficients.coverage_rate = 0 and stereo_coverage_rate = 0, "
                "by which it is multiplied; expected difference_reward_weight = 0, or one of them "
                "not 0"
            )
        return self

    @model_validator(mode="after")
    def _looking_ahead_is_of_selections(self) -> Self:
        if self.control.lookahead and self.env.action_mode != "selection":
            raise ValueError(
                f"control.lookahead = true with env.action_mode = '{self.env.action_mode}'; "
                "expected control.lookahead and control.coverage_per_target = false with it"
            )
        return self

    @model_validator(mode="after")
    def _stereo_plans_are_of_teams(self) -> Self:
        shared = self.env.shared_field_of_view or self.env.enhanced_observation in (
            "camera",
            "both",
        )
        control = self.control
        if control.lookahead and control.plan_goal == "stereo_coverage" and not shared:
            raise ValueError(
                "control.plan_goal = 'stereo_coverage' with cameras that plan alone; expected "
                "env.shared_field_of_view = true, or control.plan_goal = 'coverage'"
            )
        return self
