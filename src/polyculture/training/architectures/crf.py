"""Conditional random fields: a net that tags complete sequences, not one token at a time."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form

from .recurrent import BidirectionalReader
from .sequences import present

DECODERS = ("marginal", "viterbi")


def crf(form: Form, outputs: int, *, width: int = 32, dropout: float = 0.1, decode: str = "marginal") -> nn.Module:
    """A linear-chain conditional random field over a bidirectional LSTM.

    Its answers are the probabilities of each token's tags given the whole sequence (``decode="marginal"``), or
    probability 1 on the tags of the most probable sequence (``"viterbi"``). What its cross-entropy is of are whole
    sequences. InputError for inputs that are not sequences of tokens to tag.
    Source: Lafferty, McCallum and Pereira 2001; Lample et al. 2016.
    """
    if form.kind != "tags":
        raise InputError(f"'crf' was given inputs of kind {form.kind!r}", "sequences of tokens to tag", "use 'lstm'")
    if decode not in DECODERS:
        raise InputError(f"decode is {decode!r}", " or ".join(repr(name) for name in DECODERS))
    return CrfTagger(form, outputs, width, dropout, decode)


class LinearChain(nn.Module):  # type: ignore[misc]
    """Scores of sequences of tags: of starting with each, of going from one to another (from × to), of ending."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(tags))
        self.step = nn.Parameter(torch.zeros(tags, tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def log_partition(self, scores: Float[Tensor, "n l c"], there: Bool[Tensor, "n l"]) -> Float[Tensor, " n"]:
        """Logarithm of the sum over all sequences of tags of e to their score.

        Parameters
        ----------
        scores : of each tag of each token.
        there : which tokens there are, from the first on and without gaps.
        """
        return (self._before(scores, there)[:, -1] + self.end).logsumexp(dim=1)

    def score(
        self, scores: Float[Tensor, "n l c"], there: Bool[Tensor, "n l"], tags: Int64[Tensor, "n l"]
    ) -> Float[Tensor, " n"]:
        """Score of one sequence of tags; what `tags` say where no token is does not matter."""
        tags = tags.clamp(min=0)
        tokens = scores.gather(2, tags[..., None])[..., 0]
        steps = self.step[tags[:, :-1], tags[:, 1:]]
        final = tags.gather(1, there.sum(dim=1, keepdim=True) - 1)[:, 0]
        return (
            self.start[tags[:, 0]] + (tokens * there).sum(dim=1) + (steps * there[:, 1:]).sum(dim=1) + self.end[final]
        )

    def marginals(self, scores: Float[Tensor, "n l c"], there: Bool[Tensor, "n l"]) -> Float[Tensor, "n l c"]:
        """Probability of each tag of each token given the whole sequence, by forward-backward (Rabiner 1989)."""
        return (self._before(scores, there) + self._after(scores, there)).softmax(dim=2)

    def best(self, scores: Float[Tensor, "n l c"], there: Bool[Tensor, "n l"]) -> Int64[Tensor, "n l"]:
        """The most probable sequence of tags (Viterbi 1967), the lowest codes if tied; −1 where no token is."""
        reached, came_from = self.start + scores[:, 0], []
        stay = torch.arange(scores.shape[2], device=scores.device).expand_as(reached)
        for t in range(1, scores.shape[1]):
            ways, origin = (reached[:, :, None] + self.step).max(dim=1)
            reached = torch.where(there[:, t, None], ways + scores[:, t], reached)
            came_from.append(torch.where(there[:, t, None], origin, stay))
        path = [(reached + self.end).argmax(dim=1)]
        for origin in reversed(came_from):
            path.append(origin.gather(1, path[-1][:, None])[:, 0])
        return torch.stack(path[::-1], dim=1).masked_fill(~there, -1)

    def _before(self, scores: Tensor, there: Tensor) -> Tensor:
        """Log-sum of all ways to each tag of each token (n × l × c); after the end that of the last token."""
        ways = [self.start + scores[:, 0]]
        for t in range(1, scores.shape[1]):
            longer = (ways[-1][:, :, None] + self.step).logsumexp(dim=1) + scores[:, t]
            ways.append(torch.where(there[:, t, None], longer, ways[-1]))
        return torch.stack(ways, dim=1)

    def _after(self, scores: Tensor, there: Tensor) -> Tensor:
        """Log-sum of all ways from each tag of each token to the end (n × l × c)."""
        end = self.end.expand(len(scores), -1)
        ways = [end]
        for t in range(scores.shape[1] - 1, 0, -1):
            longer = (self.step + (scores[:, t] + ways[-1])[:, None]).logsumexp(dim=2)
            ways.append(torch.where(there[:, t, None], longer, end))
        return torch.stack(ways[::-1], dim=1)


class CrfTagger(nn.Module):  # type: ignore[misc]
    """A bidirectional LSTM scores the tags of every token, a chain scores how they follow each other."""

    def __init__(self, form: Form, outputs: int, width: int, dropout: float, decode: str) -> None:
        super().__init__()
        self.form, self.decode = form, decode
        self.reader = BidirectionalReader("LSTM", form, width)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, outputs))
        self.chain = LinearChain(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × steps × outputs scores of each token by itself."""
        return self.head(self.reader(inputs)[0])

    def nll(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of the true sequences of tags, per token; −1 stands where no token is."""
        scores, there = self(inputs), self._there(inputs)
        surplus = self.chain.log_partition(scores, there) - self.chain.score(scores, there, targets)
        return surplus.sum() / there.sum()

    def probabilities(self, inputs: Tensor) -> Tensor:
        """n × steps × outputs: of each tag given the whole sequence, or 1 for the tags of the best sequence."""
        scores, there = self(inputs), self._there(inputs)
        if self.decode == "marginal":
            return self.chain.marginals(scores, there)
        best = self.chain.best(scores, there).clamp(min=0)
        return nn.functional.one_hot(best, scores.shape[2]).to(scores.dtype)

    def _there(self, inputs: Tensor) -> Tensor:
        there = present(self.form, inputs)
        assert there is not None  # tokens to tag always may end
        return there
