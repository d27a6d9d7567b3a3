"""A client of upstream MATE that times its frames; run by upstream's own interpreter.

Usage: `python upstream_client.py CONFIG FRAMES`, with upstream on PYTHONPATH. For every line on
standard input it plays FRAMES frames of greedy cameras against greedy targets on one core and
prints the seconds they took. It imports upstream only: not this package, which upstream's
environment need not hold.
"""

import sys
import time


def main() -> None:
    """Play until the input ends."""
    import mate  # the user's own copy of upstream

    config, n_frames = sys.argv[1], int(sys.argv[2])
    env = mate.make("MultiAgentTracking-v0", config=config)
    cameras = mate.GreedyCameraAgent().spawn(env.num_cameras)
    targets = mate.GreedyTargetAgent().spawn(env.num_targets)
    env.seed(0)

    def start() -> tuple[tuple[object, object], tuple[None, None]]:
        camera_obs, target_obs = env.reset()
        mate.group_reset(cameras, camera_obs)
        mate.group_reset(targets, target_obs)
        return (camera_obs, target_obs), (None, None)

    observations, infos = start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        started = time.perf_counter()
        for _ in range(n_frames):
            camera_action = mate.group_step(env, cameras, observations[0], infos[0])
            target_action = mate.group_step(env, targets, observations[1], infos[1])
            observations, _, done, infos = env.step((camera_action, target_action))
            if done:
                observations, infos = start()
        sys.stdout.write(f"{time.perf_counter() - started}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
