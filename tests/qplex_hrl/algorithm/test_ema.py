"""The moving average of weights, against its definition."""

import torch
from torch import nn

from qplex_hrl.algorithm.ema import WeightEMA, follow


def test_the_average_is_that_of_the_definition_and_apart_from_the_network() -> None:
    network = nn.Linear(3, 2)
    ema = WeightEMA(network, 0.3)
    expected = network.weight.detach().clone()
    for n in range(1, 6):
        with torch.no_grad():
            network.weight += n
        ema.update(network, n)
        decay = min(0.3, n / (n + 4))
        expected = decay * expected + (1 - decay) * network.weight.detach()
        torch.testing.assert_close(ema.network.weight, expected)
    assert not any(parameter.requires_grad for parameter in ema.network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_following_moves_by_a_share_of_the_way() -> None:
    follower, leader = nn.Linear(1, 1), nn.Linear(1, 1)
    for network, value in ((follower, 1.0), (leader, 5.0)):
        for parameter in network.parameters():
            parameter.data.fill_(value)
    follow(follower, leader, share=0.25)
    assert follower.weight.item() == follower.bias.item() == 2.0
    assert leader.weight.item() == 5.0
