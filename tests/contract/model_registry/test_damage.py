"""What is damaged or was cut off midway, the same on every store: it is refused, passed over or completed."""

from __future__ import annotations

import json

import pytest

from model_registry.alias import RoutingConfig
from model_registry.errors import (
    ArtifactMismatchError,
    InvalidAliasError,
    NoEarlierVersionError,
    VersionDamagedError,
    VersionNotFoundError,
)
from model_registry.reader import RegistryReader
from model_registry.stores.base import ObjectStore
from registry_kit import CutOffError, CutOffStore, make_candidate, make_writer, publish_two


@pytest.mark.fault(12)
@pytest.mark.parametrize("body", [b"pickle X", b"pickle", b"pickle 2"], ids=["one bit", "truncated", "swapped"])
def test_fault_12_a_pickle_that_is_not_the_manifests_is_never_returned(store: ObjectStore, body: bytes) -> None:
    publish_two(store)
    store.put("late-payer/versions/1/model.pkl", body)
    reader = RegistryReader(store)
    store.put("late-payer/versions/1/serving-form.npz", body)
    with pytest.raises(ArtifactMismatchError, match="wasn't unpickled"):
        reader.get_artifact(reader.get_manifest(1))
    with pytest.raises(ArtifactMismatchError, match="wasn't unpickled"):
        reader.get_serving_form(reader.get_manifest(1))


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    "change",
    [
        lambda document: b"",
        lambda document: b"{",
        lambda document: b"[]",
        lambda document: b"<html>Service Unavailable</html>",
        lambda document: json.dumps({**document, "format": 99}).encode(),
        lambda document: json.dumps({**document, "version": 0}).encode(),
        lambda document: json.dumps({**document, "alias": "other"}).encode(),
        lambda document: (
            json.dumps(document)
            .replace('"additional_version_weights": {}', '"additional_version_weights": {"2": NaN}')
            .encode()
        ),
        lambda document: json.dumps({**document, "routing_config": {"additional_version_weights": {"2": 2}}}).encode(),
        lambda document: json.dumps(
            {**document, "routing_config": {"additional_version_weights": {"x": 0.5}}}
        ).encode(),
    ],
    ids=["empty", "torn", "array", "html", "future", "version 0", "other alias", "NaN", "weight 2", "version x"],
)
def test_fault_16_a_bad_alias_document_is_refused_by_readers_and_not_overwritten(
    store: ObjectStore, change: object
) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    document = writer.reader.get_alias("live").alias.to_document()
    store.put("late-payer/aliases/live.json", change(document))  # type: ignore[operator]
    with pytest.raises(InvalidAliasError):
        writer.reader.get_alias("live")
    with pytest.raises(InvalidAliasError):
        writer.assign("live", 2)


def cut_off(store: ObjectStore, step: int, *, effective: bool) -> CutOffStore:
    def die() -> None:
        raise CutOffError

    return CutOffStore(store, step, die=die, effective=effective)


@pytest.mark.fault(17)
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
def test_fault_17_a_publish_cut_off_at_any_write_leaves_old_or_new_and_rerun_converges(
    store: ObjectStore, effective: bool
) -> None:
    make_writer(store).publish(make_candidate(b"pickle 1"))
    reader = RegistryReader(store)
    for step in (1, 2, 3):
        before = reader.list_versions()
        candidate = make_candidate(f"candidate {step}".encode())
        with pytest.raises(CutOffError):
            make_writer(cut_off(store, step, effective=effective)).publish(candidate)
        assert reader.list_versions() in (before, [*before, before[-1] + 1])
        assert make_writer(store).publish(candidate).manifest.version == before[-1] + 1
        assert reader.list_versions() == [*before, before[-1] + 1]
        assert reader.get_artifact(reader.get_manifest(before[-1] + 1)) == candidate.pickle


@pytest.mark.fault(17)
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_fault_17_an_alias_update_cut_off_at_any_write_leaves_old_or_new_and_no_gap(
    store: ObjectStore, step: int, effective: bool
) -> None:
    publish_two(store)
    make_writer(store).assign("live", 1)
    reader = RegistryReader(store)
    # The first write, of the current revision's history entry, is refused where that is there: so take it away, as an
    # update that was cut off before its last write would have left it.
    store.delete("late-payer/aliases/live/history/00000001.json")
    with pytest.raises(CutOffError):
        make_writer(cut_off(store, step, effective=effective)).assign("live", 2)
    assert reader.get_alias("live").alias.version in (1, 2)
    make_writer(store).assign("live", 2)
    history = reader.history("live")
    assert [entry.revision for entry in history] == list(range(1, len(history) + 1))
    assert (history[0].version, history[-1].version) == (1, 2)
    rolled_back = make_writer(store).roll_back("live")
    assert rolled_back.version == 1


@pytest.mark.fault(17)
@pytest.mark.parametrize("effective", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_fault_17_a_delete_cut_off_at_any_write_can_be_run_again(
    store: ObjectStore, step: int, effective: bool
) -> None:
    publish_two(store)
    make_writer(store).assign("live", 2)
    with pytest.raises(CutOffError):
        make_writer(cut_off(store, step, effective=effective)).delete_version(1)
    try:
        make_writer(store).delete_version(1)
    except VersionNotFoundError:
        assert (step, effective) == (4, True)
    assert RegistryReader(store).list_versions() == [2]
    assert store.list_keys("late-payer/versions/1/") == ["late-payer/versions/1/deleted.json"]


@pytest.mark.fault(16)
def test_fault_16_a_lost_alias_document_does_not_make_the_history_lie(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    for version in (1, 2, 1):
        writer.assign("live", version, reason=f"to {version}")
    store.delete("late-payer/aliases/live.json")
    again = make_writer(store, "later").assign("live", 2, reason="again")
    assert again.revision == 4
    history = [(entry.revision, entry.version, entry.reason) for entry in writer.reader.history("live")]
    assert history == [(1, 1, "to 1"), (2, 2, "to 2"), (3, 1, "to 1"), (4, 2, "again")]


@pytest.mark.fault(16)
def test_fault_16_damaged_neighbours_block_neither_publish_nor_roll_back(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    for version in (1, 2, 1, 2):
        writer.assign("live", version)
    store.put("late-payer/aliases/live/history/00000003.json", b"{")
    assert writer.roll_back("live").version == 1
    store.put("late-payer/versions/2/manifest.json", b"{")
    assert writer.publish(make_candidate(b"pickle 2")).manifest.version == 3


@pytest.mark.fault(12)
@pytest.mark.parametrize("file", ["model.pkl", "serving-form.npz"])
def test_fault_12_a_damaged_version_is_not_put_in_charge(store: ObjectStore, file: str) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    store.put(f"late-payer/versions/2/{file}", b"damaged!")
    with pytest.raises(ArtifactMismatchError):
        writer.assign("live", 2)
    with pytest.raises(ArtifactMismatchError):
        writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}))
    assert writer.reader.get_alias("live").alias.revision == 1


def test_an_alias_document_with_a_key_twice_is_never_written_over(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    key = "late-payer/aliases/live.json"
    damaged = store.get(key).body.replace(b'"version": 1', b'"version": 1, "version": 2')
    store.put(key, damaged)
    with pytest.raises(InvalidAliasError, match="'version' twice"):
        writer.assign("live", 2)
    assert store.get(key).body == damaged


@pytest.mark.parametrize("file", ["model.pkl", "serving-form.npz"])
@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_a_rollback_passes_over_a_damaged_version_and_says_so(store: ObjectStore, file: str, damage: str) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.publish(make_candidate(b"pickle 3"))
    for version in (1, 2, 3):
        writer.assign("live", version)
    key = f"late-payer/versions/2/{file}"
    store.delete(key)
    if damage == "changed":
        store.put(key, b"something else")
    rolled_back = writer.roll_back("live")
    assert rolled_back.version == 1
    assert rolled_back.reason == "roll back from version 3 (damaged: version 2)"


def test_a_rollback_to_nothing_but_damaged_versions_names_them(store: ObjectStore) -> None:
    publish_two(store)
    writer = make_writer(store)
    writer.assign("live", 1)
    before = writer.assign("live", 2)
    store.delete("late-payer/versions/1/model.pkl")
    with pytest.raises(NoEarlierVersionError, match="damaged: version 1"):
        writer.roll_back("live")
    with pytest.raises(VersionDamagedError, match=r"Version 1 .* is damaged: its file '.*model\.pkl'"):
        writer.assign("live", 1)
    assert writer.reader.get_alias("live").alias == before
