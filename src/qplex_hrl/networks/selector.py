"""Target selection in two layers: a first selector sets priorities, a second one acts on them.

Both work once per decision; their names here, slow and fast, are those of their order.

Shapes as in ``encoders``: entities first, [T, L, n, H] with n = B * C cameras.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from qplex_hrl.networks.attention import attend
from qplex_hrl.networks.cores import RecurrentCore, Restarts, over_time
from qplex_hrl.networks.encoders import Encoding
from qplex_hrl.networks.row_kernels import kernels_serve


class Selection(NamedTuple):
    """A soft choice among the known targets and "search"."""

    probs: Tensor  # [T+1, L, n], the last entry is "search"
    summary: Tensor  # [L, n, H], embedding of what is selected


def selection_entropy(probs: Tensor) -> Tensor:
    """Return the entropy in nats, [...], of distributions [..., T+1] that may contain zeros."""
    # The floor keeps the gradient finite where a target is masked: p log p has none at zero.
    return -(probs * probs.clamp_min(1e-8).log()).sum(dim=-1)


class TargetAttention(nn.Module):
    """Attention over target embeddings and a learned "search" entry.

    ``p = softmax(q . e_t / sqrt(d))`` per head (Vaswani et al. 2017, eq. 1), where a head's keys
    and values are its slice of d = H / n_heads entries of the embeddings: their last layer is the
    key and value projection, shared by both selectors.
    """

    def __init__(self, query_size: int, hidden_size: int, n_heads: int) -> None:
        """Create the query projection and the search entry.

        Raises:
            ValueError: ``hidden_size`` is not a multiple of ``n_heads``.
        """
        super().__init__()
        if hidden_size % n_heads:
            msg = f"hidden_size = {hidden_size} is not a multiple of n_heads = {n_heads}"
            raise ValueError(msg)
        self._heads = (n_heads, hidden_size // n_heads)
        self.query = nn.Linear(query_size, hidden_size)
        self.search_key = nn.Parameter(torch.zeros(hidden_size))
        self.search_value = nn.Parameter(torch.randn(hidden_size) * hidden_size**-0.5)

    def forward(
        self, query_input: Tensor, targets: Tensor, known: Tensor, prior: Tensor | None = None
    ) -> Selection:
        """Return the selection.

        Args:
            query_input: [L, n, X].
            targets: [T, L, n, H] embeddings.
            known: [T, L, n] bool; unknown targets get probability 0.
            prior: [T+1, L, n] added to the logits.
        """
        query = self.query(query_input) * self._heads[1] ** -0.5
        if kernels_serve(query, targets):
            if prior is None:
                prior = query.new_zeros(len(targets) + 1, *query.shape[:2])
            probs, summary = attend(
                query.flatten(0, 1),
                targets.flatten(1, 2),
                known.flatten(1, 2),
                self.search_key,
                self.search_value,
                prior.flatten(1, 2),
                self._heads[0],
            )
            return Selection(probs.mean(dim=1).view(prior.shape), summary.view(query.shape))
        weights, summary = self._attend(query, targets, known, prior)
        return Selection(weights.mean(dim=-1), summary)

    def _attend(
        self, query: Tensor, targets: Tensor, known: Tensor, prior: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return probabilities [T+1, L, n, heads] and summaries [L, n, H] as tensor operations."""
        target_logits = self._by_head(targets * query).sum(-1)
        target_logits = target_logits.masked_fill(~known.unsqueeze(-1), -torch.inf)
        search_logits = self._by_head(query * self.search_key).sum(-1)
        logits = torch.cat([target_logits, search_logits.unsqueeze(0)])
        if prior is not None:
            logits = logits + prior.unsqueeze(-1)
        weights = logits.softmax(dim=0)
        chosen = (weights[:-1].unsqueeze(-1) * self._by_head(targets)).sum(dim=0)
        search = weights[-1].unsqueeze(-1) * self._by_head(self.search_value)
        return weights, (chosen + search).flatten(-2)

    def _by_head(self, values: Tensor) -> Tensor:
        """Return [..., H] as [..., heads, d]."""
        return torch.unflatten(values, -1, self._heads)


class HierarchicalSelector(nn.Module):
    """Both selectors of one camera.

    The fast logits contain the slow probabilities, times a learned scale.
    """

    def __init__(self, hidden_size: int, n_heads: int, *, recurrent: bool) -> None:
        """Create both selectors.

        Args:
            hidden_size: H.
            n_heads: attention heads of each selector.
            recurrent: the slow query comes from a GRU over decisions (HierarchicalRNN), not from
                the present context alone (AttentionRNN).
        """
        super().__init__()
        self.slow_core = RecurrentCore(hidden_size, hidden_size) if recurrent else None
        self.slow_attention = TargetAttention(hidden_size, hidden_size, n_heads)
        self.fast_attention = TargetAttention(2 * hidden_size, hidden_size, n_heads)
        self.priority_scale = nn.Parameter(torch.ones(()))

    @property
    def recurrent_size(self) -> int:
        """Length of the slow recurrent state, 0 without memory."""
        return 0 if self.slow_core is None else self.slow_core.recurrent_size

    def select_slow(
        self, encoding: Encoding, hidden_state: Tensor, restarts: Restarts = ()
    ) -> tuple[Selection, Tensor]:
        """Return the slow choice and the new slow state.

        Args:
            encoding: [L, n, ...].
            hidden_state: [n, recurrent_size] before the first of them.
            restarts: decisions before which rows begin anew.
        """
        query = encoding.context
        if self.slow_core is not None:
            query, hidden_state = over_time(self.slow_core, query, hidden_state, restarts)
        return self.slow_attention(query, encoding.targets, encoding.known), hidden_state

    def select_fast(self, encoding: Encoding, slow: Selection) -> Selection:
        """Return the fast choice of every decision, given the slow one there."""
        query = torch.cat([encoding.context, slow.summary], dim=-1)
        prior = self.priority_scale * slow.probs
        selection: Selection = self.fast_attention(query, encoding.targets, encoding.known, prior)
        return selection
