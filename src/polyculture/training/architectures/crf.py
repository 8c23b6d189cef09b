"""Conditional random fields: a net that tags complete sequences, not one token at a time."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form
from polyculture.models.sequences import present

from .recurrent import BidirectionalReader

DECODERS = ("marginal", "viterbi")


def crf(form: Form, outputs: int, *, width: int = 32, dropout: float = 0.1, decode: str = "marginal") -> nn.Module:
    """A linear-chain conditional random field over a bidirectional LSTM.

    It predicts the probabilities of each token's tags given the full sequence (``decode="marginal"``), or
    probability 1 on the tags of the most probable sequence (``"viterbi"``). Its cross-entropy is that of complete
    sequences. InputError for inputs that are not sequences of tokens to tag.
    Source: Lafferty, McCallum and Pereira 2001; Lample et al. 2016.
    """
    if form.kind != "tags":
        raise InputError(f"'crf' was given inputs of kind {form.kind!r}", "sequences of tokens to tag", "use 'lstm'")
    if decode not in DECODERS:
        raise InputError(f"decode is {decode!r}", " or ".join(repr(name) for name in DECODERS))
    return CrfTagger(form, outputs, width, dropout, decode)


class LinearChain(nn.Module):  # type: ignore[misc]
    """Scores of sequences of tags: of the first tag, of transitions (from × to), of the last tag."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(tags))
        self.step = nn.Parameter(torch.zeros(tags, tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def log_partition(self, scores: Float[Tensor, "n l c"], mask: Bool[Tensor, "n l"]) -> Float[Tensor, " n"]:
        """Logarithm of the sum over all sequences of tags of e to their score.

        Parameters
        ----------
        scores : of each tag of each token.
        mask : of the tokens, from the first on and without gaps; false at padding.
        """
        return (self._forward_sums(scores, mask)[:, -1] + self.end).logsumexp(dim=1)

    def score(
        self, scores: Float[Tensor, "n l c"], mask: Bool[Tensor, "n l"], tags: Int64[Tensor, "n l"]
    ) -> Float[Tensor, " n"]:
        """Score of one sequence of tags; `tags` at padding are ignored."""
        tags = tags.clamp(min=0)
        tokens = scores.gather(2, tags[..., None])[..., 0]
        steps = self.step[tags[:, :-1], tags[:, 1:]]
        final = tags.gather(1, mask.sum(dim=1, keepdim=True) - 1)[:, 0]
        return self.start[tags[:, 0]] + (tokens * mask).sum(dim=1) + (steps * mask[:, 1:]).sum(dim=1) + self.end[final]

    def marginals(self, scores: Float[Tensor, "n l c"], mask: Bool[Tensor, "n l"]) -> Float[Tensor, "n l c"]:
        """Probability of each tag of each token given the full sequence, by forward-backward (Rabiner 1989)."""
        return (self._forward_sums(scores, mask) + self._backward_sums(scores, mask)).softmax(dim=2)

    def best(self, scores: Float[Tensor, "n l c"], mask: Bool[Tensor, "n l"]) -> Int64[Tensor, "n l"]:
        """The most probable sequence of tags (Viterbi 1967), the lowest codes if tied; −1 at padding."""
        scores_to_tag, origins = self.start + scores[:, 0], []
        stay = torch.arange(scores.shape[2], device=scores.device).expand_as(scores_to_tag)
        for t in range(1, scores.shape[1]):
            extended, origin = (scores_to_tag[:, :, None] + self.step).max(dim=1)
            scores_to_tag = torch.where(mask[:, t, None], extended + scores[:, t], scores_to_tag)
            origins.append(torch.where(mask[:, t, None], origin, stay))
        path = [(scores_to_tag + self.end).argmax(dim=1)]
        for origin in reversed(origins):
            path.append(origin.gather(1, path[-1][:, None])[:, 0])
        return torch.stack(path[::-1], dim=1).masked_fill(~mask, -1)

    def exported(self) -> nn.Module:
        """The same as loops of a graph."""
        from polyculture.models.graphs.nets.loops import ScannedChain

        return ScannedChain(self)

    def _forward_sums(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Forward variables: log-sum over paths to each tag (n × l × c); at padding those of the last token."""
        sums = [self.start + scores[:, 0]]
        for t in range(1, scores.shape[1]):
            extension = (sums[-1][:, :, None] + self.step).logsumexp(dim=1) + scores[:, t]
            sums.append(torch.where(mask[:, t, None], extension, sums[-1]))
        return torch.stack(sums, dim=1)

    def _backward_sums(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Backward variables: log-sum over paths from each tag of each token to the end (n × l × c)."""
        end = self.end.expand(scores.shape[0], -1)
        sums = [end]
        for t in range(scores.shape[1] - 1, 0, -1):
            extension = (self.step + (scores[:, t] + sums[-1])[:, None]).logsumexp(dim=2)
            sums.append(torch.where(mask[:, t, None], extension, end))
        return torch.stack(sums[::-1], dim=1)


class CrfTagger(nn.Module):  # type: ignore[misc]
    """A bidirectional LSTM scores the tags of every token, a chain scores their transitions."""

    def __init__(self, form: Form, outputs: int, width: int, dropout: float, decode: str) -> None:
        super().__init__()
        self.form, self.decode = form, decode
        self.reader = BidirectionalReader("LSTM", form, width)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, outputs))
        self.chain = LinearChain(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × steps × outputs scores of each token, without transitions."""
        return self.head(self.reader(inputs)[0])

    def nll(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of the true sequences of tags, per token; targets are −1 at padding."""
        scores, mask = self(inputs), self._mask(inputs)
        surplus = self.chain.log_partition(scores, mask) - self.chain.score(scores, mask, targets)
        return surplus.sum() / mask.sum()

    def probabilities(self, inputs: Tensor) -> Tensor:
        """n × steps × outputs: of each tag given the full sequence, or 1 for the tags of the best sequence."""
        scores, mask = self(inputs), self._mask(inputs)
        if self.decode == "marginal":
            return self.chain.marginals(scores, mask)
        best = self.chain.best(scores, mask).clamp(min=0)
        return nn.functional.one_hot(best, scores.shape[2]).to(scores.dtype)

    def _mask(self, inputs: Tensor) -> Tensor:
        mask = present(self.form, inputs)
        assert mask is not None  # tags always have a mask
        return mask
