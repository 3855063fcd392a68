"""Figures that need a feature network, each under the network's name, and figures of all answers together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from irodori.benchmark.cases import Case
from irodori.benchmark.figures import SET_TRACKS
from irodori.benchmark.measure import Evidence
from irodori.benchmark.pictures import read_answer, read_color
from irodori.benchmark.results import Row
from irodori.errors import ConfigError, InputError, WeightsError
from irodori.image import to_tensor
from irodori.metrics.distributions import SetComparison, ndb_jsd, pixel_vector
from irodori.metrics.perceptual import LayerWeights, embedding_similarity, lpips, lpips_name, read_lpips_weights
from irodori.metrics.similarity import content_relevance, style_relevance
from irodori.nn.feature_files import SOURCES, find_features
from irodori.nn.features import EMBEDDINGS, FEATURES, Embedding, Features, load_embedding, load_features
from irodori.weights import file_hash

LPIPS_WEIGHTS = "lpips_vgg16"
NOT_FOR_PAIRS, NOT_FOR_SETS = {"inception_v3_fid"}, {"clip_vit_b32"}
"""Embeddings that nobody compares single pictures, or sets of pictures, with."""
BINS = 100
"""Of NDB, as Richardson and Weiss have them; a track with fewer references gets none."""

Measure = Callable[[Evidence], float | None]


@dataclass(frozen=True)
class FeatureFile:
    """A feature network and the file of its weights."""

    name: str
    path: Path
    sha256: str


def find_feature_file(text: str) -> FeatureFile:
    """``NAME``, ``FILE`` or ``NAME=FILE`` to a network's file.

    A name is looked for where `irodori benchmark features` keeps its files; a file's name begins with the network's.
    Raises ConfigError or WeightsError when there is none.
    """
    known = (*FEATURES, *EMBEDDINGS, LPIPS_WEIGHTS)
    name, equals, file = text.partition("=")
    path: Path | None = Path(file if equals else text)
    if not equals and text in known:
        name, path = text, find_features(text)
        if path is None:
            remedy = f"run 'irodori benchmark features fetch {text}'" if text in SOURCES else f"write {text}=FILE"
            raise WeightsError(f"the weights of {text} are not here: {remedy}")
    elif not equals:
        fitting = sorted((one for one in known if Path(text).name.startswith(one)), key=len)
        name = fitting[-1] if fitting else ""
    if name not in known:
        raise ConfigError(
            f"'{text}' names no feature network: write NAME=FILE with one of {', '.join(dict.fromkeys(known))}"
        )
    if path is None or not path.is_file():
        raise WeightsError(f"{path}: no such weight file")
    return FeatureFile(name, path, file_hash(path))


class DeepFigures:
    """Measures of single answers by name, as ``lpips[vgg16, lin]``; networks are loaded once."""

    def __init__(self, files: Sequence[FeatureFile]) -> None:
        learned = {file.name: read_lpips_weights(file.path) for file in files if file.name == LPIPS_WEIGHTS}
        self.measures: dict[str, Measure] = {}
        for file in files:
            if file.name in FEATURES:
                weights = learned.get(f"lpips_{file.name}")
                self.measures |= _by_place(load_features(file.name, file.path), weights)
            if file.name in EMBEDDINGS and file.name not in NOT_FOR_PAIRS:
                self.measures |= _as_wholes(load_embedding(file.name, file.path))


def _by_place(features: Features, weights: LayerWeights | None) -> dict[str, Measure]:
    return {
        lpips_name(features, weights): _to_truth(partial(lpips, features, weights=weights)),
        f"content_relevance[{features.name}]": _to_truth(partial(content_relevance, features)),
        f"style_relevance[{features.name}]": _to_reference(partial(style_relevance, features)),
    }


def _as_wholes(embed: Embedding) -> dict[str, Measure]:
    return {f"embedding_similarity[{embed.name}]": _to_truth(partial(embedding_similarity, embed))}


def _to_truth(measure: Callable[[Tensor, Tensor], float]) -> Measure:
    def measured(evidence: Evidence) -> float | None:
        return None if evidence.scene.truth is None else measure(evidence.image, evidence.scene.truth)

    return measured


def _to_reference(measure: Callable[[Tensor, Tensor], float]) -> Measure:
    def measured(evidence: Evidence) -> float | None:
        return None if evidence.scene.reference is None else measure(evidence.image, evidence.scene.reference)

    return measured


# --- sets ------------------------------------------------------------------------------------------------------------


def set_figures(
    root: Path,
    cases: Sequence[Case],
    rows: Sequence[Row],
    images: Path,
    files: Sequence[FeatureFile],
    known: Mapping[str, Any],
    progress: bool,
) -> dict[str, Any]:
    """Figures of all good answers of a track against its references, by track: FID and KID by network, NDB and JSD.

    rows: the scores of the cases.  known: what was found before, kept where nothing changed.
    """
    found: dict[str, Any] = {}
    for track in SET_TRACKS:
        chosen = [case for case, row in zip(cases, rows, strict=True) if case.track == track and row.status == "ok"]
        if not chosen:
            continue
        content = [[row.key for row in rows if row.track == track], [file.sha256 for file in files], BINS]
        key = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        kept = known.get(track, {})
        found[track] = (
            kept if kept.get("key") == key else {"key": key, **_compare(root, chosen, images, files, progress)}
        )
    return found


def _compare(
    root: Path, cases: Sequence[Case], images: Path, files: Sequence[FeatureFile], progress: bool
) -> dict[str, Any]:
    networks = [file for file in files if file.name in EMBEDDINGS and file.name not in NOT_FOR_SETS]
    comparisons = {file.name: SetComparison(load_embedding(file.name, file.path)) for file in networks}
    references = list(dict.fromkeys(name for case in cases for name in case.references))
    true = (read_color(root, name) for name in references)
    vectors = _shown(tqdm(true, "references", len(references), disable=not progress), comparisons, True)
    answers = _shown(
        tqdm(_answers(images, cases), "all together", len(cases), disable=not progress), comparisons, False
    )
    figures: dict[str, float | None] = {"ndb": None, "jsd": None}
    if len(references) >= BINS:
        bins = ndb_jsd(vectors, answers, BINS)
        figures = {"ndb": float(bins.ndb), "jsd": bins.jsd}
    for name, comparison in comparisons.items():
        try:
            distance = comparison.compute()
        except InputError:  # a single picture is no set
            figures |= {f"fid[{name}]": None, f"kid[{name}]": None}
        else:
            figures |= {f"fid[{name}]": distance.fid, f"kid[{name}]": distance.kid}
    rounded = {name: None if value is None else round(value, 6) for name, value in figures.items()}
    return {"figures": rounded, "pictures": len(cases), "references": len(references)}


def _answers(images: Path, cases: Sequence[Case]) -> Iterator[Tensor]:
    for case in cases:
        yield to_tensor(read_answer(images / case.answer))[0]


def _shown(pictures: Iterable[Tensor], comparisons: Mapping[str, SetComparison], is_true: bool) -> Tensor:
    """Shows pictures to all comparisons, one after the other; returns their small copies, ``(N, D)``."""
    vectors = []
    for picture in pictures:
        vectors.append(pixel_vector(picture))
        for comparison in comparisons.values():
            comparison.update(picture, is_true)
    return torch.stack(vectors) if vectors else torch.zeros(0, 1)
