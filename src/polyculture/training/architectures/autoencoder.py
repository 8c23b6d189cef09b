"""A classifier that must also reconstruct its input."""

from __future__ import annotations

from torch import Tensor, nn

from polyculture.models.encoder import Form

from .stems import as_vector


def autoencoder(
    form: Form, outputs: int, *, width: int = 64, code: int = 16, reconstruction: float = 1.0, dropout: float = 0.1
) -> nn.Module:
    """An autoencoder that predicts from its code; `reconstruction` is the weight of its squared error.

    Source: Hinton and Salakhutdinov 2006; jointly with the labels as in Le, Patterson and White 2018.
    """
    return Autoencoder(form, outputs, (width, code), reconstruction, dropout)


class Autoencoder(nn.Module):  # type: ignore[misc]
    """Input → code → input again, and scores from the code; for tags of every token.

    Reconstructed is the output of the first layer: the input itself where it is numbers.
    """

    def __init__(self, form: Form, outputs: int, sizes: tuple[int, int], reconstruction: float, dropout: float) -> None:
        super().__init__()
        self.stem, features = as_vector(form)
        width, code = sizes
        self.encoder = nn.Sequential(
            *(nn.Dropout(dropout), nn.Linear(features, width), nn.ReLU(), nn.Linear(width, code))
        )
        self.decoder = nn.Sequential(nn.ReLU(), nn.Linear(code, width), nn.ReLU(), nn.Linear(width, features))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(code, outputs))
        self.reconstruction = reconstruction

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores, for tags n × steps × outputs."""
        return self.head(self.encoder(self.stem(inputs)))

    def extra_loss(self, inputs: Tensor) -> Tensor:
        """Weighted mean squared error of the reconstruction, which is added to the objective."""
        features = self.stem(inputs)
        error = self.decoder(self.encoder(features)) - features.detach()  # otherwise embeddings would collapse to zero
        return self.reconstruction * error.square().mean()
