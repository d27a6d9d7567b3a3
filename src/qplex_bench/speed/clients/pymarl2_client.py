"""A client of PyMARL2 that times its QPLEX learner; run by an interpreter that has what it needs.

Usage: `python pymarl2_client.py SHAPES`, with PyMARL2's `src` on PYTHONPATH; SHAPES is a JSON
object with the fields of `benchmark_learner.Shapes`. For every line on standard input it does one
update of a batch that is already in memory and prints the seconds of wall and of processor time
that it took. It imports PyMARL2 and PyTorch only: not this package, which that environment need not
hold.
"""

import contextlib
import json
import logging
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import torch


def main() -> None:
    """Update until the input ends."""
    shapes = json.loads(sys.argv[1])
    torch.set_num_threads(shapes["n_threads"])
    torch.manual_seed(0)
    # Its QPLEX learner moves a tensor to the GPU whatever the configuration says.
    setattr(torch.Tensor, "cuda", lambda tensor: tensor)  # noqa: B010  # mypy
    with contextlib.redirect_stdout(sys.stderr):  # it prints its sizes
        learner, batch = build(shapes)
        learner.train(batch, 0, 0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for n_updates, _ in enumerate(sys.stdin, 1):
        wall, processor = time.perf_counter(), time.process_time()
        learner.train(batch, 0, 8 * n_updates)  # 8 episodes an update, as it is configured
        processor = time.process_time() - processor
        sys.stdout.write(f"{time.perf_counter() - wall} {processor}\n")
        sys.stdout.flush()


# Any: PyMARL2 has no types.
def build(shapes: dict[str, int]) -> tuple[Any, Any]:
    """Return the learner and a batch of random episodes."""
    # Its package of learners imports its environments, and those StarCraft: no learner needs them.
    games = ModuleType("envs.matrix_game")
    games.__dict__["print_matrix_status"] = None
    sys.modules.update({"envs": ModuleType("envs"), "envs.matrix_game": games})
    from components.episode_buffer import EpisodeBatch
    from components.transforms import OneHot
    from controllers.basic_controller import BasicMAC
    from learners.dmaq_qatten_learner import DMAQ_qattenLearner

    n_agents, n_actions = shapes["n_agents"], shapes["n_actions"]
    scheme = {
        "state": {"vshape": shapes["state_size"]},
        "obs": {"vshape": shapes["obs_size"], "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": torch.long},
        "avail_actions": {"vshape": (n_actions,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
    batch = EpisodeBatch(
        scheme,
        {"agents": n_agents},
        shapes["n_sequences"],
        shapes["length"] + 1,
        preprocess={"actions": ("actions_onehot", [OneHot(out_dim=n_actions)])},
        device="cpu",
    )
    frames = (shapes["n_sequences"], shapes["length"] + 1)
    batch.update(
        {
            "state": torch.randn(*frames, shapes["state_size"]),
            "obs": torch.randn(*frames, n_agents, shapes["obs_size"]),
            "actions": torch.randint(n_actions, (*frames, n_agents, 1)),
            "avail_actions": torch.ones(*frames, n_agents, n_actions, dtype=torch.int),
            "reward": torch.randn(*frames, 1),
            "terminated": torch.zeros(*frames, 1, dtype=torch.uint8),
        }
    )
    args = SimpleNamespace(
        n_agents=n_agents,
        n_actions=n_actions,
        state_shape=shapes["state_size"],
        rnn_hidden_dim=shapes["hidden_size"],
        mixing_embed_dim=shapes["embed_size"],
        hypernet_embed=shapes["hypernet_size"],
        adv_hypernet_embed=shapes["hypernet_size"],
        num_kernel=shapes["n_heads"],
        # From here on the values of its src/config/algs/qplex.yaml and default.yaml, but for the
        # inputs that would make an observation longer than ours.
        obs_agent_id=False,
        obs_last_action=False,
        agent="rnn",
        agent_output_type="q",
        action_selector="epsilon_greedy",
        epsilon_start=1.0,
        epsilon_finish=0.05,
        epsilon_anneal_time=100_000,
        mixer="dmaq",
        adv_hypernet_layers=2,
        is_minus_one=True,
        weighted_head=True,
        is_adv_attention=True,
        is_stop_gradient=True,
        double_q=True,
        td_lambda=0.6,
        gamma=0.99,
        lr=0.001,
        grad_norm_clip=10,
        target_update_interval=200,
        learner_log_interval=2000,
        use_cuda=False,
        device="cpu",
    )
    mac = BasicMAC(batch.scheme, {"agents": n_agents}, args)
    logger = SimpleNamespace(log_stat=lambda *_: None, console_logger=logging.getLogger())
    return DMAQ_qattenLearner(mac, batch.scheme, logger, args), batch


if __name__ == "__main__":
    main()
