"""Didactic games: tiny worlds with known values that show what each mixer can learn."""

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from qplex_hrl.config import AlgorithmConfig, HRLConfig, NetworkConfig, OptimizerConfig
from qplex_hrl.learner import EAGER, Learner
from qplex_hrl.model import QPLEXHRLModel, build_model
from qplex_hrl.types import ModelDims, SequenceBatch

END = -1
MIXERS = ("vdn", "qmix", "qplex", "qfix_vdn", "qfix_qmix", "adaptive")
COMPLETE = ("qplex", "adaptive")  # must learn every game
FIXED = ("qfix_vdn", "qfix_qmix")  # complete, too; must learn all games but the second
N_UPDATES = 6000
BATCH_SIZE = 32
RATE = 1e-4
MIXER_SCALE = 50.0  # the mixer's steps, in units of the cameras'
CAMERAS_PART, MIXER_PART = (0.65, 0.8), (0.9, 1.0)
"""Shares of the updates where a step size begins to fall, and where it is zero."""

TABLE_BAR, LOSS_BAR = 0.5, 1e-2


class Game(NamedTuple):
    """Two agents, S states; rewards and following states by the joint action."""

    reward: Tensor  # [S, A, A] float32
    next_state: Tensor  # [S, A, A] int64, END where the episode ends

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.reward.shape[0]

    @property
    def n_actions(self) -> int:
        """Actions of an agent, A."""
        return self.reward.shape[1]

    def values(self, gamma: float) -> Tensor:
        """Return the optimal joint values [S, A, A], by value iteration."""
        values = torch.zeros_like(self.reward)
        for _ in range(1000):
            following = values.amax(dim=(1, 2))[self.next_state.clamp_min(0)]
            values = self.reward + gamma * torch.where(self.next_state == END, 0.0, following)
        return values


class GameOutcome(NamedTuple):
    """What one run has learned."""

    optimal: bool  # the greedy joint action is the best one in every state where that is unique
    table_error: float  # largest difference of Q_tot from the optimal values
    td_loss: float  # mean squared TD error over all states and joint actions
    seconds: float
    table: list[list[list[float]]]  # [S, A, A] the learned values Q_tot


def one_step(payoff: list[list[float]]) -> Game:
    """Return the game that ends after one joint action, which pays ``payoff`` [A, A]."""
    reward = torch.tensor([payoff])
    return Game(reward, torch.full(reward.shape, END))


GAMES = {
    "matrix 1": one_step([[8, -12, -12], [-12, 0, 0], [-12, 0, 0.0]]),
    "matrix 2": one_step([[8, -12, -12], [-12, 6, 0], [-12, 0, 6.0]]),
    "two states": Game(
        reward=torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]),
        next_state=torch.tensor([[[0, 0], [0, 1]], [[1, 1], [1, 1]]]),
    ),
}
"""The games of the QPLEX paper (arXiv 2008.01062): two one-step matrix games, and a two-state MMDP.

The MMDP's rules are those of the environment that the paper's authors published (wjh720/QPLEX,
`mmdp_game_1`): in the first state the joint action (0, 0) gives 1 and everything else 0; (1, 1)
leads to the second state, all else stays. The second state gives nothing and is never left.
Unlike there, episodes have no limit of 100 steps, so that the values do not depend on time.
"""


def settings(mixer: str) -> tuple[NetworkConfig, AlgorithmConfig, OptimizerConfig]:
    """Return network, learning rule and gradient method, the same for all games.

    QPLEX's part is the authors': 10 heads, three layers of 64, RMSprop. Where a camera changes its
    best action, its advantages pass through zero and lambda must grow like their inverse: so the
    mixer takes far larger steps than the cameras. With ten times larger ones instead of fifty some
    runs end where a step of the cameras moves their values further than their advantages are
    large: the best action changes all the time and lambda is in the thousands. A short memory of
    RMSprop with a small epsilon, and weights that shrink a little, bring lambda back after it has
    been driven to an extreme. What cameras with small advantages leave to be learned when they come
    to rest, the mixer learns afterwards (`CAMERAS_PART`, `MIXER_PART`).
    """
    mixing = {"type": mixer, "hypernet_size": 64, "n_heads": 10, "attention_layers": 3}
    network = {
        "hrl": {"frame_skip": 1, "fast_interval": 1},
        "q_network": {"type": "mlp", "hidden_size": 32, "encoding": "flat"},
        "state_encoder": {"hidden_size": 16, "embed_size": 16},
        "mixing_network": mixing,
    }
    algorithm = AlgorithmConfig(
        learning_rate=RATE,
        grad_clip=1.0,
        gamma=0.9,
        tau=0.0,
        target_update_interval=50,
        n_step=1,
        ema_decay=0.0,
        difference_reward_weight=0.0,
    )
    recipe = OptimizerConfig(
        optimizer="rmsprop",
        rmsprop_alpha=0.9,
        optimizer_eps=1e-8,
        mixer_learning_rate_scale=MIXER_SCALE,
        mixer_weight_decay=0.1,
        loss="mse",
    )
    return NetworkConfig.model_validate(network), algorithm, recipe


def every_decision(game: Game) -> SequenceBatch:
    """Return all states with all joint actions, [S * A * A] windows of one decision."""
    n_states, n_actions = game.n_states, game.n_actions
    pairs = itertools.product(range(n_states), range(n_actions), range(n_actions))
    state, first, second = torch.tensor(list(pairs)).T
    n = len(state)
    following = game.next_state[state, first, second]
    frames = torch.stack([state, following.clamp_min(0)], dim=1)
    one_hot = torch.eye(n_states)[frames]  # [n, 2, S]
    # context: which agent, which state; one target, always known; actions: one-hot
    parts = (
        torch.eye(2).expand(n, 2, 2, 2),
        one_hot.unsqueeze(2).expand(n, 2, 2, n_states),
        torch.ones(n, 2, 2, 1),
        torch.eye(n_actions).flatten().expand(n, 2, 2, n_actions**2),
    )
    ended = (following == END).unsqueeze(1)
    return SequenceBatch(
        obs=torch.cat(parts, dim=-1),
        state=one_hot,
        avail_actions=torch.ones(n, 2, 2, n_actions, dtype=torch.bool),
        actions=torch.stack([first, second], dim=-1).unsqueeze(1),
        reward=game.reward[state, first, second].unsqueeze(1),
        difference_reward=torch.zeros(n, 1, 2),
        terminated=ended,
        truncated=torch.zeros_like(ended),
        filled=torch.ones_like(ended),
        hidden_state=torch.zeros(n, 2, 0),
    )


def learn(game: Game, mixer: str, seed: int, n_updates: int = N_UPDATES) -> GameOutcome:
    """Return what a fresh model learns from uniformly drawn decisions, by the real learner."""
    started = time.perf_counter()
    torch.manual_seed(seed)
    network, algorithm, recipe = settings(mixer)
    dims = ModelDims(
        n_agents=2,
        n_targets=1,
        n_actions=game.n_actions,
        context_size=2 + game.n_states,
        target_size=1,
        action_size=game.n_actions,
        state_size=game.n_states,
    )
    selection_bits = torch.zeros(game.n_actions, 1, dtype=torch.bool)
    model = build_model(dims, selection_bits, network)
    learner = Learner(model, algorithm, HRLConfig(frame_skip=1), 0, EAGER, recipe)
    decisions = every_decision(game)
    for update in range(n_updates):
        drawn = torch.randint(len(decisions.reward), (BATCH_SIZE,))
        share = update / n_updates
        rate, mixer_rate = RATE * _left(share, CAMERAS_PART), RATE * _left(share, MIXER_PART)
        batch = SequenceBatch(*(field[drawn] for field in decisions))
        learner.update(batch, rate, MIXER_SCALE * mixer_rate)
    return _judge(game, learner.model, decisions, algorithm.gamma, started)


def _left(share: float, part: tuple[float, float]) -> float:
    """Return what is left of a step size: 1 before the part where it falls to 0, linearly."""
    begin, end = part
    return min(max((end - share) / (end - begin), 0.0), 1.0)


@torch.no_grad()
def _judge(
    game: Game, model: QPLEXHRLModel, decisions: SequenceBatch, gamma: float, started: float
) -> GameOutcome:
    """Return the outcome of a run that began at `started` seconds."""
    q_values = model.agent(decisions.obs[:, :1], decisions.hidden_state).q_values  # [n, 1, C, A]
    agent_qs = q_values.gather(-1, decisions.actions.unsqueeze(-1)).squeeze(-1)
    state = decisions.state[:, :1]
    mixed = model.mix(agent_qs, q_values.amax(dim=-1), state, decisions.actions).q_tot
    table = mixed.view(game.reward.shape)
    wanted = game.values(gamma)
    first, second = q_values.view(game.n_states, -1, 2, game.n_actions)[:, 0].argmax(-1).T
    best = wanted.amax(dim=(1, 2))
    optimal = wanted[torch.arange(game.n_states), first, second] >= best - 1e-6
    greedy_values = table[torch.arange(game.n_states), first, second]
    following = greedy_values[game.next_state.clamp_min(0)]
    target = game.reward + gamma * torch.where(game.next_state == END, 0.0, following)
    return GameOutcome(
        bool(optimal.all()),
        (table - wanted).abs().max().item(),
        (table - target).square().mean().item(),
        time.perf_counter() - started,
        table.tolist(),
    )


def solved(name: str, outcome: GameOutcome) -> bool:
    """Return whether a run of the game `name` reached its bar: values, or a vanishing TD loss."""
    if GAMES[name].n_states > 1:
        return outcome.optimal and outcome.td_loss < LOSS_BAR
    return outcome.optimal and outcome.table_error < TABLE_BAR


class GameRun(NamedTuple):
    """One training."""

    game: str
    mixer: str
    seed: int
    n_updates: int


def learn_all(runs: Sequence[GameRun], jobs: int) -> dict[GameRun, GameOutcome]:
    """Return what every run learns, ``jobs`` of them at a time, each in one thread."""
    # Spawned, not forked: a forked child would inherit PyTorch's threads in an unknown state.
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        return dict(zip(runs, pool.map(_learn_run, runs), strict=True))


def _learn_run(run: GameRun) -> GameOutcome:
    return learn(GAMES[run.game], run.mixer, run.seed, run.n_updates)


def updates_of(name: str, mixer: str) -> int:
    """Return the updates of a run: fewer where nothing learned early has to be unlearned."""
    complete = mixer in COMPLETE or mixer in FIXED
    return N_UPDATES if complete and GAMES[name].n_states == 1 else N_UPDATES // 2


def missed_bar(name: str, mixer: str, outcomes: Sequence[GameOutcome]) -> bool:
    """Return whether a mixer's outcomes of a game are not what theory says.

    QPLEX and adaptive must solve all games with all seeds, QFIX all but the second, which some of
    its runs miss. VDN and QMIX must not find the optimum of the first, which they cannot represent.
    All else is only shown.
    """
    if mixer in COMPLETE or (mixer in FIXED and name != "matrix 2"):
        return not all(solved(name, outcome) for outcome in outcomes)
    return name == "matrix 1" and any(outcome.optimal for outcome in outcomes)


def benchmark_didactic(n_seeds: int = 10, mixers: tuple[str, ...] = MIXERS, jobs: int = 1) -> int:
    """Print what every mixer learns of every game; return 1 if a bar is missed, else 0.

    Raises:
        ValueError: there are no seeds or jobs, or a mixer is not known.
    """
    for flag, count in (("--seeds", n_seeds), ("--jobs", jobs)):
        if count < 1:
            raise ValueError(f"{flag} {count}: expected at least 1")
    for mixer in mixers:
        if mixer not in MIXERS:
            raise ValueError(f"--mixers {mixer}: expected some of {', '.join(MIXERS)}")
    table = Table(title="learned from uniformly drawn joint actions")
    columns = ("updates", "solved", "optimal", "worst error", "worst TD loss", "seconds")
    for name in ("game", "mixer", *columns):
        table.add_column(name, justify="right" if name in columns else "left")
    runs = {
        (name, mixer): [
            GameRun(name, mixer, seed, updates_of(name, mixer)) for seed in range(n_seeds)
        ]
        for name, mixer in itertools.product(GAMES, mixers)
    }
    learned = learn_all([run for row in runs.values() for run in row], jobs)
    missed = False
    for (name, mixer), row in runs.items():
        outcomes = [learned[run] for run in row]
        missed |= missed_bar(name, mixer, outcomes)
        table.add_row(
            name,
            mixer,
            f"{updates_of(name, mixer):,}",
            f"{sum(solved(name, outcome) for outcome in outcomes)} of {n_seeds}",
            f"{sum(outcome.optimal for outcome in outcomes)} of {n_seeds}",
            f"{max(outcome.table_error for outcome in outcomes):.2f}",
            f"{max(outcome.td_loss for outcome in outcomes):.2g}",
            f"{sum(outcome.seconds for outcome in outcomes):.0f}",
        )
    Console(width=100).print(table)
    return int(missed)
