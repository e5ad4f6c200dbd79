"""Trains the text encoder: `python train_text.py CHECKPOINT --vocabulary vocab.txt`.

Captions are composed as fast as they are read, so no two epochs are alike. From every token's last hidden state, [PAD]
included, a linear reading must tell each attribute of the scene, or that the caption leaves it open; the mean of the
tokens must tell the same. So wherever the denoiser looks, it finds what was asked for. A quarter of the captions is
masked and restored instead, which keeps the characters themselves apart. Some captions contain characters that no
training caption uses; they must make no difference.

With --check the checkpoint's accuracy on captions of held-out scenes is printed as JSON.
"""
from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import BertModel, BertTokenizer

import architecture
import captions
import scene as scenes
import training

BATCH = 48  # for each process
MASKED_PART = 4  # one caption in so many is masked
MASK_CHANCE = 0.15
STRANGER_CHANCE = 0.15
RESTORING_WEIGHT = 0.1
LOSSES = ("tokens", "mean", "restored")

VALUES: dict[str, tuple] = {
    "medium": scenes.MEDIA,
    "subject": scenes.SUBJECTS,
    "season": scenes.SEASONS,
    "time": scenes.TIMES,
    "weather": scenes.WEATHERS,
    "sky": scenes.SKIES,
    "colour": scenes.COLOURS,
    "count": (1, 2, 3, 4, 5),
    "position": scenes.POSITIONS,
}
WIDTHS = [len(values) + 1 for values in VALUES.values()]  # the last of each stands for "left open"


def labels(scene: scenes.Scene, mentions: frozenset[str]) -> list[int]:
    """One class for each attribute."""
    return [
        values.index(getattr(scene, name)) if name in mentions and getattr(scene, name) is not None else len(values)
        for name, values in VALUES.items()
    ]


class Reader(nn.Module):
    """The encoder, the linear readings of its states, and the restoring of masked tokens."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.encoder = architecture.build_text_encoder(vocabulary_size)
        self.reading = nn.Linear(architecture.TEXT_WIDTH, sum(WIDTHS))
        self.restoring = nn.Linear(architecture.TEXT_WIDTH, architecture.TEXT_WIDTH)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.encoder(tokens).last_hidden_state


def reading_loss(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The mean cross entropy over the attributes; logits (..., all classes), wanted (..., attributes)."""
    parts = logits.split(WIDTHS, dim=-1)
    return sum(F.cross_entropy(part.flatten(0, -2), wanted[..., i].flatten()) for i, part in enumerate(parts)) / len(parts)


class Captions:
    """An endless supply of labelled captions as token numbers."""

    def __init__(self, tokenizer: BertTokenizer, seed: str) -> None:
        self.tokenizer, self.rng = tokenizer, random.Random(seed)
        usual = {mark for _ in range(20_000) for mark in self._compose()[0]}
        self.strangers = sorted(word for word in tokenizer.get_vocab() if len(word) == 1 and word not in usual)

    def _compose(self) -> tuple[str, list[int]]:
        scene = scenes.random_scene(self.rng)
        while scenes.held_out(scene):  # the evaluation asks for these: no part may have seen them
            scene = scenes.random_scene(self.rng)
        text, mentions = captions.caption_with_mentions(scene, self.rng)
        return text, labels(scene, mentions)

    def _with_strangers(self, text: str) -> str:
        if self.rng.random() < STRANGER_CHANCE:
            for _ in range(self.rng.randint(1, 3)):
                at = self.rng.randint(0, len(text))
                text = text[:at] + self.rng.choice(self.strangers) + text[at:]
        return text

    def batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Token numbers (count, length) and classes (count, attributes)."""
        texts, classes = zip(*(self._compose() for _ in range(count)))
        tokens = architecture.tokenize(self.tokenizer, [self._with_strangers(text) for text in texts])
        return tokens, torch.tensor(classes)


def losses(reader: Reader, tokens: torch.Tensor, wanted: torch.Tensor, mask: int, marks: int) -> tuple[torch.Tensor, ...]:
    """The losses of a batch whose first part is to be restored; tokens below `marks` are never masked."""
    hidden = len(tokens) // MASKED_PART
    masked = (torch.rand(hidden, tokens.shape[1]) < MASK_CHANCE) & (tokens[:hidden] >= marks)
    masked[0, 1] = True
    seen = tokens.clone()
    seen[:hidden][masked] = mask
    with torch.autocast("cpu", torch.bfloat16):
        states = reader(seen)
        plain = states[hidden:]
        read = reader.reading(plain)
        read_mean = reader.reading(plain.mean(1))
        words = reader.encoder.embeddings.word_embeddings.weight
        restored = F.gelu(reader.restoring(states[:hidden][masked])) @ words.T
    each = wanted[hidden:, None].expand(-1, tokens.shape[1], -1)
    return (
        reading_loss(read.float(), each),
        reading_loss(read_mean.float()[:, None], wanted[hidden:, None]),
        F.cross_entropy(restored.float(), tokens[:hidden][masked]),
    )


def train(rank: int, shared: training.Shared, arguments: argparse.Namespace) -> None:
    """One process: trains until the budget is spent or a signal says stop."""
    stop = training.StopSignal()
    training.start_process(arguments.seed, rank)
    tokenizer = open_tokenizer(arguments)
    reader = Reader(len(tokenizer))
    ensemble = training.Ensemble(reader, shared, rank, decay=0.99)
    state = training.load(arguments.checkpoint)
    if state:
        ensemble.resume(state)
    course = training.Course(ensemble, training.Budget(arguments.steps, None, state["spent"] if state else 0.0), stop,
                             LOSSES)
    supply = Captions(tokenizer, f"{arguments.seed}/{rank}/{ensemble.step}")

    def checkpoint() -> None:
        training.save(ensemble.state() | dict(spent=course.budget.spent()), arguments.checkpoint)

    while course.goes_on():
        tokens, wanted = supply.batch(BATCH)
        ensemble.zero_gradient()
        parts = losses(reader, tokens, wanted, tokenizer.mask_token_id, len(tokenizer.all_special_ids))
        (parts[0] + parts[1] + RESTORING_WEIGHT * parts[2]).backward()
        ensemble.update(arguments.rate * training.rate_factor(course.fraction, ensemble.step, 100, 0.4))
        course.note(parts)
        if rank == 0 and ensemble.step % 300 == 0:
            checkpoint()
    if rank == 0:
        checkpoint()


def encoder_of(checkpoint: Path, tokenizer: BertTokenizer) -> tuple[BertModel, Reader]:
    """The trained encoder, for use only, and the reader that it is a part of."""
    reader = Reader(len(tokenizer)).eval().requires_grad_(False)
    state = training.load(checkpoint)
    if state is None:
        raise FileNotFoundError(checkpoint)
    reader.load_state_dict(reader.state_dict() | state["average"])
    return reader.encoder, reader


@torch.no_grad()
def check(arguments: argparse.Namespace) -> dict[str, float]:
    """Per attribute: how often the mean of the tokens tells a mentioned value of held-out scenes; `open`: how often it
    tells that nothing is said."""
    tokenizer = open_tokenizer(arguments)
    _, reader = encoder_of(arguments.checkpoint, tokenizer)
    rng = random.Random(12345)
    right: dict[str, list[bool]] = {name: [] for name in (*VALUES, "open")}
    texts, classes = [], []
    while len(texts) < 2000:
        scene = scenes.random_scene(rng)
        if scenes.held_out(scene):
            text, mentions = captions.caption_with_mentions(scene, rng)
            texts.append(text)
            classes.append(labels(scene, mentions))
    read = torch.cat([
        reader.reading(reader(architecture.tokenize(tokenizer, texts[i : i + 50])).mean(1)) for i in range(0, len(texts), 50)
    ])
    for index, (name, part) in enumerate(zip(VALUES, read.split(WIDTHS, dim=-1))):
        for guess, wanted in zip(part.argmax(-1).tolist(), classes):
            key = "open" if wanted[index] == len(VALUES[name]) else name
            right[key].append(guess == wanted[index])
    return {name: round(sum(hits) / len(hits), 4) for name, hits in right.items()}


def open_tokenizer(arguments: argparse.Namespace) -> BertTokenizer:
    """The tokenizer of the vocabulary, kept beside the checkpoint."""
    folder = arguments.checkpoint.parent / "tokenizer"
    if not folder.exists():
        architecture.write_tokenizer(arguments.vocabulary, folder)
    return architecture.load_tokenizer(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--vocabulary", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.check:
        print(json.dumps(check(arguments)))
        return
    size = training.trained_size(Reader(len(open_tokenizer(arguments))))
    training.together(train, size, arguments.processes, arguments)


if __name__ == "__main__":
    main()
