from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from medlink.encoder.adapter import Adapter
from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.transformer_tower import TransformerTower
from medlink.errors import SettingError
from medlink.linking.linker import Linker
from medlink.refinement.settings import Mode, RefineSettings
from medlink.refinement.views import AdapterViews, FullViews, SurfaceViews, Texts, Views, adapt
from tests.tiny_release import WIDTH, pushing_adapter

TEXTS = ("kidney cysts", "fits", "abnormality of the genitourinary system", "fits", "é")
SETTINGS = {
    Mode.SURFACE: RefineSettings(adapter_rate=1e-3, n_hidden=8),
    Mode.ADAPTER: RefineSettings(mode=Mode.ADAPTER, n_hidden=8),
    Mode.FULL: RefineSettings(mode=Mode.FULL, trained_layers=1, chunk_size=2),
}
KINDS: dict[Mode, type[SurfaceViews | AdapterViews | FullViews]] = {
    Mode.SURFACE: SurfaceViews,
    Mode.ADAPTER: AdapterViews,
    Mode.FULL: FullViews,
}


@pytest.fixture(params=[False, True], ids=["no adapter", "an adapter"])
def adapted(request: pytest.FixtureRequest, parent: Linker) -> Linker:
    return replace(parent, adapter=pushing_adapter()) if request.param else parent


def texts_of(parent: Linker, *, device: str = "cpu") -> Texts:
    return Texts.of(TEXTS, parent.encoder.encode(TEXTS), device=device)


@pytest.mark.parametrize("mode", list(Mode))
def test_views_begin_as_the_parents_vectors(adapted: Linker, mode: Mode) -> None:
    views: Views = KINDS[mode](adapted, SETTINGS[mode])
    texts = texts_of(adapted)
    with torch.no_grad():
        queries, keys = views.query(texts).numpy(), views.key(texts).numpy()
    np.testing.assert_allclose(queries, adapted.query_encoder.encode(TEXTS), atol=2e-6)
    np.testing.assert_allclose(keys, adapted.encoder.encode(TEXTS), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("mode", list(Mode))
def test_gradients_reach_what_is_trained_and_nothing_else(adapted: Linker, mode: Mode) -> None:
    views = KINDS[mode](adapted, SETTINGS[mode])
    texts = texts_of(adapted)
    wanted = torch.randn(len(TEXTS), adapted.encoder.width, generator=torch.Generator().manual_seed(0))
    views.backward((views.query(texts) * wanted).sum() + (views.key(texts) * wanted.flip(0)).sum())
    trained = [*views.dense, *views.sparse]
    assert trained
    # Of an adapter that moves nothing yet, what leads in gets no gradient at first.
    idle = isinstance(views, SurfaceViews | AdapterViews) and adapted.adapter is None
    reached = [p.grad is not None and bool(p.grad.to_dense().abs().sum() > 0) for p in trained]
    assert reached.count(False) == int(idle)
    assert texts.vectors.grad is None
    if isinstance(views, FullViews):
        frozen = [p for p in views.tower.parameters() if not p.requires_grad]
        assert frozen
        assert all(p.grad is None for p in frozen)


def test_only_the_upper_layers_of_the_transformer_are_trained(parent: Linker) -> None:
    one = FullViews(parent, SETTINGS[Mode.FULL])
    both = FullViews(parent, RefineSettings(mode=Mode.FULL, trained_layers=2))
    everything = FullViews(parent, RefineSettings(mode=Mode.FULL, trained_layers=9))
    names = [{n for n, p in views.tower.named_parameters() if p.requires_grad} for views in (one, both, everything)]
    assert all("layer.1." in name for name in names[0])
    assert any("layer.0." in name for name in names[1])
    assert not any("embeddings" in name for name in names[1])
    assert any("embeddings" in name for name in names[2])


def test_gradients_of_chunks_are_those_of_the_whole(adapted: Linker) -> None:
    def gradients(chunk_size: int) -> list[torch.Tensor]:
        views = FullViews(adapted, RefineSettings(mode=Mode.FULL, chunk_size=chunk_size))
        texts = texts_of(adapted)
        loss = (views.query(texts) @ views.key(texts.take([4, 2, 0])).T).square().sum()
        views.backward(loss)
        return [parameter.grad for parameter in views.dense if parameter.grad is not None]

    whole, chunked = gradients(64), gradients(2)
    assert whole
    for one, other in zip(whole, chunked, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_full_views_compute_in_bfloat16_and_keep_float32(parent: Linker) -> None:
    exact, rough = (FullViews(parent, SETTINGS[Mode.FULL], dtype=dtype) for dtype in ("float32", "bfloat16"))
    texts = texts_of(parent)
    with torch.no_grad():
        near, far = exact.key(texts), rough.key(texts)
    assert far.dtype == torch.float32
    assert not near.equal(far)
    torch.testing.assert_close(near, far, atol=0.02, rtol=0)
    assert {parameter.dtype for parameter in rough.dense} == {torch.float32}


def test_full_views_read_as_many_pieces_as_the_encoder(parent: Linker) -> None:
    long = ("abnormality of the cardiovascular or the genitourinary system, " * 2,)
    texts = Texts.of(long, parent.encoder.encode(long))
    with torch.no_grad():
        vectors = FullViews(parent, SETTINGS[Mode.FULL]).key(texts)
    np.testing.assert_allclose(vectors.numpy(), texts.vectors.numpy(), atol=2e-6)


@pytest.mark.parametrize("mode", list(Mode))
def test_views_are_where_they_are_told_to_be(adapted: Linker, mode: Mode) -> None:
    views = KINDS[mode](adapted, SETTINGS[mode], device="meta")
    texts = texts_of(adapted, device="meta")
    assert {parameter.device.type for parameter in (*views.dense, *views.sparse)} == {"meta"}
    if mode is Mode.FULL:
        return  # transformers look at the values of their masks
    for vectors in (views.query(texts), views.key(texts)):
        assert vectors.device.type == "meta"
        assert vectors.shape == (len(TEXTS), adapted.encoder.width)


def test_adapt_is_what_the_adapter_does() -> None:
    numbers = np.random.default_rng(0).normal(size=(7, WIDTH))
    unit = (numbers / np.linalg.norm(numbers, axis=1, keepdims=True)).astype(np.float32)
    adapter = pushing_adapter()
    moved = adapt(torch.from_numpy(unit), torch.from_numpy(adapter.w_in), torch.from_numpy(adapter.w_out))
    np.testing.assert_allclose(moved.numpy(), adapter.apply(unit), atol=1e-6)


def test_adapter_is_given_as_it_was_taken(parent: Linker) -> None:
    given = pushing_adapter()
    taken = AdapterViews(replace(parent, adapter=given), SETTINGS[Mode.ADAPTER]).adapter()
    assert taken.fingerprint == given.fingerprint
    fresh = AdapterViews(parent, SETTINGS[Mode.ADAPTER]).adapter()
    assert fresh.fingerprint == Adapter.identity(WIDTH, 8, seed=0).fingerprint


def test_surface_views_have_an_adapter_where_one_is_asked_for_or_there(parent: Linker) -> None:
    assert SurfaceViews(parent, RefineSettings()).adapter() is None
    assert SurfaceViews(parent, SETTINGS[Mode.SURFACE]).adapter() is not None
    kept = SurfaceViews(replace(parent, adapter=pushing_adapter()), RefineSettings()).adapter()
    assert kept is not None
    assert kept.fingerprint == pushing_adapter().fingerprint


def test_each_depth_needs_its_tower(parent: Linker) -> None:
    assert isinstance(parent.encoder, CombinedEncoder)
    surface, semantic = parent.encoder.surface, parent.encoder.semantic
    with pytest.raises(SettingError, match="no surface tower"):
        SurfaceViews(replace(parent, encoder=semantic), RefineSettings())
    with pytest.raises(SettingError, match="no transformer"):
        FullViews(replace(parent, encoder=surface), SETTINGS[Mode.FULL])
    with pytest.raises(SettingError, match="no share"):
        AdapterViews(replace(parent, encoder=CombinedEncoder(surface, semantic, 1.0)), SETTINGS[Mode.ADAPTER])
    assert SurfaceViews(replace(parent, encoder=surface), SETTINGS[Mode.SURFACE]).adapter() is None
    assert isinstance(FullViews(replace(parent, encoder=semantic), SETTINGS[Mode.FULL]).tower, TransformerTower)


def test_texts_are_taken_in_the_order_asked_for() -> None:
    texts = Texts.of(("a", "b", "c"), np.eye(3, dtype=np.float32))
    some = texts.take([2, 0, 2])
    assert some.texts == ("c", "a", "c")
    assert some.vectors.argmax(dim=1).tolist() == [2, 0, 2]
    assert len(texts.take([])) == 0
