"""The Recommender: what it adds up is what it ranks by, it keeps its word about users, and what was saved comes back."""

import copy
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmrec_lab.baselines import Popularity
from llmrec_lab.catalog import Catalog, Interactions
from llmrec_lab.datasets.splits import leave_last_out
from llmrec_lab.errors import AssetError, DataError
from llmrec_lab.fusion import standardize
from llmrec_lab.interests import unit_rows
from llmrec_lab.metrics import hits_from_ranks, paired_interval, recall, target_rank
from llmrec_lab.ranking import top_k
from llmrec_lab.recommender import Recommender, RecommenderConfig
from llmrec_lab.storage import catalog_frame

WISHES = ["horror", "comedy and animation", "science fiction, but no horror", "Paris", "宇宙", "zebra"]


@pytest.fixture
def plain(tiny, word_counts):
    """A recommender of the tiny world that was not fitted."""
    return Recommender(tiny[0], word_counts)


@pytest.fixture
def lab(tiny, word_counts):
    """A recommender of the tiny world that was fitted."""
    return Recommender(tiny[0], word_counts).fit(tiny[1])


@pytest.fixture(scope="module")
def crowd_data():
    """30 items, 60 users who like items of one of three kinds, most popular first."""
    rng = np.random.default_rng(7)
    kinds = np.array(["ocean", "desert", "jungle"])[np.arange(30) % 3]
    items = pd.DataFrame({"item_id": [f"i{n}" for n in rng.permutation(30)], "kind": kinds})
    items["title"] = [f"{kind} story {number}" for number, kind in enumerate(kinds)]
    rows = []
    for user in range(60):
        liked = np.flatnonzero(kinds == kinds[user % 3])
        popular = 1 / (1 + np.arange(len(liked)))
        chosen = rng.choice(liked, 5, replace=False, p=popular / popular.sum())
        rows += [(f"u{user}", items["item_id"][item], 100 * user + at) for at, item in enumerate(chosen)]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return Catalog.from_frame(items, ["title"], ["kind"]), Interactions.from_frame(log)


@pytest.fixture(scope="module")
def crowd(crowd_data, word_counts):
    """A fitted recommender of the crowd; tests must not fit it again."""
    return Recommender(crowd_data[0], word_counts).fit(crowd_data[1])


def events(*rows):
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


def same_slate(one, other):
    assert one.item_ids.tolist() == other.item_ids.tolist()
    assert one.titles.tolist() == other.titles.tolist()
    assert one.part_names.tolist() == other.part_names.tolist()
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.parts, other.parts)


# Sentences


def test_it_works_from_text_alone(plain):
    assert plain.recommend("a comedy in Paris", k=1).titles.tolist() == ["Amélie"]
    assert plain.recommend("horror", k=1).titles.tolist() == ["Alien"]


def test_a_real_encoder_finds_what_no_word_names(tiny, minilm):
    slate = Recommender(tiny[0], minilm).recommend("robots and replicants", k=1)
    assert slate.titles.tolist() == ["Blade Runner"]


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("fitted", [False, True])
def test_the_parts_of_a_sentences_slate_sum_to_its_scores(plain, lab, wish, fitted):
    slate = (lab if fitted else plain).recommend(wish, k=5)
    assert sorted(slate.item_ids) == ["alien", "amelie", "blade-runner", "spirited-away", "totoro"]
    assert slate.parts.shape == (5, len(slate.part_names))
    np.testing.assert_allclose(slate.parts.sum(axis=1), slate.scores, atol=1e-6)
    assert (np.diff(slate.scores) <= 0).all()


def test_a_sentence_gets_k_different_items(crowd):
    for k in (1, 2, 7, 30):
        slate = crowd.recommend("ocean and desert", k=k)
        assert len(slate) == len(set(slate.item_ids)) == k


def test_two_interests_share_the_slate(crowd):
    titles = crowd.recommend("ocean and desert", k=10).titles
    assert sum("ocean" in title for title in titles) == sum("desert" in title for title in titles) == 5


def test_fitting_adds_popularity_to_a_sentence(plain, lab):
    before, after = (dict(zip(r.recommend("zebra", k=5).item_ids, r.recommend("zebra", k=5).scores)) for r in (plain, lab))
    gains = {item: round(after[item] - before[item], 6) for item in before}
    expected = 0.05 * np.log1p([3, 2, 1, 1, 1]) / np.log1p(3)
    assert gains == dict(zip(lab.catalog.item_ids, expected.round(6)))


def test_a_concept_counts_as_much_as_the_configuration_says(tiny, word_counts):
    heavy = Recommender(tiny[0], word_counts, RecommenderConfig(facet_weight=3.0))
    slate = heavy.recommend("horror", k=1)
    parts = dict(zip(slate.part_names, slate.parts[0]))
    assert parts["genre horror"] == pytest.approx(3.0 * heavy.interests("horror").codes[0].max())


@pytest.mark.parametrize("text", ["", "  ", "?!", "\x00"])
def test_an_empty_sentence_is_refused(lab, text):
    with pytest.raises(DataError, match="the text has no words"):
        lab.recommend(text, k=3)


@pytest.mark.parametrize("who", [None, 7, ["ada"]])
def test_what_is_neither_sentence_nor_id_is_refused(lab, who):
    with pytest.raises(DataError, match=f"came as {type(who).__name__}; pass a string"):
        lab.recommend(who, k=3)


# k


@pytest.mark.parametrize("k", [0, -1, 2.0, True, "3", None])
def test_k_must_be_a_whole_number_of_at_least_1(lab, k):
    for call in (lambda: lab.recommend("horror", k=k), lambda: lab.recommend("ada", k=k)):
        with pytest.raises(DataError, match="k came as .*; pass a whole number of at least 1"):
            call()
    with pytest.raises(DataError, match="k came as .*; pass a whole number of at least 1"):
        lab.recommend_users(["ada"], k=k)


def test_a_k_beyond_the_catalog_warns_and_returns_all(lab):
    with pytest.warns(UserWarning, match="k=6, but the catalog has 5 items; all are returned"):
        assert len(lab.recommend("horror", k=6)) == 5
    with pytest.warns(UserWarning, match="k=99, but the catalog has 5 items"):
        assert len(lab.recommend_users(["bo"], k=99)) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.recommend("horror", k=5)


def test_what_all_items_share_is_taken_off_their_vectors(tiny, word_counts, plain):
    raw = word_counts.encode(tiny[0].texts)
    np.testing.assert_allclose(plain.vectors, unit_rows(raw - raw.mean(axis=0)), atol=1e-6)


# Users


def test_each_part_of_a_users_scores_is_zero_on_average(crowd):
    items = [item for item, kind in zip(crowd.catalog.item_ids, crowd.catalog.facets["kind"]) if kind[0] != "jungle"]
    history = Interactions.from_frame(events(*[("x", item, at) for at, item in enumerate(items)])).histories(crowd.catalog)
    lab = copy.copy(crowd)
    lab.fusion = copy.copy(crowd.fusion)
    lab.fusion.weights = np.arange(1.0, 9.0)  # none is 0, and no two are equal
    parts = lab.user_parts(history)
    assert sum(name.startswith("text like") for name in parts.names) >= 2
    np.testing.assert_allclose(parts.values.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(parts.values.sum(axis=1), lab.fusion.scores(history)[0], atol=1e-6)


def test_the_parts_of_a_users_slate_sum_to_its_scores(crowd):
    for user in crowd.histories.user_ids[:20]:
        slate = crowd.recommend(user, k=20)
        np.testing.assert_allclose(slate.parts.sum(axis=1), slate.scores, atol=1e-6)
        assert (np.diff(slate.scores) <= 0).all()


def test_seen_items_are_left_out(crowd, crowd_data):
    seen = crowd_data[1].frame.groupby("user_id")["item_id"].apply(set)
    table = crowd.recommend_users(list(seen.index), k=25)
    assert len(table) == 25 * len(seen)
    for user, rows in table.groupby("user_id"):
        assert not seen[user] & set(rows["item_id"])
    assert not seen["u3"] & set(crowd.recommend("u3", k=25).item_ids)


def test_a_user_who_has_seen_all_but_two_gets_two(lab):
    assert set(lab.recommend("ada", k=5).item_ids) == {"totoro", "amelie"}
    assert lab.recommend_users(["chen"], k=5)["item_id"].tolist() == ["spirited-away"]


def test_users_get_the_kind_they_like(crowd, crowd_data):
    kinds = dict(zip(crowd_data[0].item_ids, crowd_data[0].facets["kind"]))
    for user in range(9):
        best = crowd.recommend(f"u{user}", k=3).item_ids
        assert {kinds[item][0] for item in best} == {["ocean", "desert", "jungle"][user % 3]}


def test_one_user_alone_gets_the_rows_it_gets_among_many(crowd):
    users = crowd.histories.user_ids.tolist()
    together = crowd.recommend_users(users, k=10).set_index("user_id")
    for user in users[::7]:
        alone, slate = crowd.recommend_users([user], k=10), crowd.recommend(user, k=10)
        assert alone["item_id"].tolist() == together.loc[user, "item_id"].tolist() == slate.item_ids.tolist()
        np.testing.assert_allclose(alone["score"], together.loc[user, "score"], atol=5e-6)
        np.testing.assert_allclose(alone["score"], slate.scores, atol=5e-6)
        assert alone["rank"].tolist() == list(range(1, 11))


def test_users_in_another_order_get_the_same_rows(crowd):
    users = crowd.histories.user_ids.tolist()
    forward, backward = crowd.recommend_users(users, k=4), crowd.recommend_users(users[::-1], k=4)
    assert list(dict.fromkeys(backward["user_id"])) == users[::-1]
    both = [table.sort_values(["user_id", "rank"]).reset_index(drop=True) for table in (forward, backward)]
    pd.testing.assert_frame_equal(*both, atol=5e-6, rtol=0)


def test_users_in_many_blocks_get_the_same_rows(crowd, monkeypatch):
    users = crowd.histories.user_ids.tolist()
    whole = crowd.recommend_users(users, k=4)
    monkeypatch.setattr("llmrec_lab.recommender.BLOCK", 7)
    pd.testing.assert_frame_equal(crowd.recommend_users(users, k=4), whole, atol=5e-6, rtol=0)


def test_a_user_who_is_asked_for_twice_is_answered_twice(lab):
    table = lab.recommend_users(["bo", "ada", "bo"], k=2)
    assert table["user_id"].tolist() == ["bo", "bo", "ada", "ada", "bo", "bo"]
    assert table["item_id"][:2].tolist() == table["item_id"][4:].tolist()


def test_nobody_gets_an_empty_table_with_the_same_columns(lab):
    assert lab.recommend_users([], k=2).columns.tolist() == lab.recommend_users(["bo"], k=2).columns.tolist()
    assert len(lab.recommend_users([], k=2)) == 0


def test_users_it_was_not_fitted_on_bring_their_history(crowd, crowd_data):
    frame = crowd_data[1].frame
    twin = frame[frame["user_id"] == "u5"].assign(user_id="newcomer")
    found = crowd.recommend_users(["newcomer"], k=10, histories=twin)
    known = crowd.recommend_users(["u5"], k=10)
    assert found["item_id"].tolist() == known["item_id"].tolist()
    np.testing.assert_allclose(found["score"], known["score"], atol=5e-6)


def test_a_given_history_replaces_the_known_one_and_is_not_kept(crowd):
    item = crowd.catalog.item_ids[0]
    before = crowd.recommend_users(["u1"], k=25)
    assert item not in set(crowd.recommend_users(["u1"], 25, events(("u1", item, 1)))["item_id"])
    pd.testing.assert_frame_equal(crowd.recommend_users(["u1"], k=25), before)


def test_a_user_of_unknown_items_alone_gets_what_is_popular(crowd):
    weights = dict(zip(crowd.fusion.parts, crowd.fusion.weights))
    nobody = crowd.histories.of_users(["ghost"])
    popular = [
        weights[name] * standardize(crowd.fusion.parts[name].scores(nobody))[0] for name in ("popularity", "popular lately")
    ]
    expected = crowd.catalog.item_ids[top_k(sum(popular), 10, crowd.order)].tolist()
    assert weights["popularity"] > 0
    for histories in (events(("ghost", "nowhere", 1)), events(("ghost", "nowhere", 1), ("u1", "i0", 2))):
        assert crowd.recommend_users(["ghost"], k=10, histories=histories)["item_id"].tolist() == expected


@pytest.mark.filterwarnings("ignore:.*items outside the catalog")
def test_a_user_who_was_fitted_with_unknown_items_alone_is_known(crowd_data, word_counts):
    catalog, interactions = crowd_data
    log = pd.concat([interactions.frame, events(("ghost", "nowhere", 1))])
    lab = Recommender(catalog, word_counts).fit(Interactions.from_frame(log))
    slate, table = lab.recommend("ghost", k=10), lab.recommend_users(["ghost"], k=10)
    assert lab.knows("ghost") and not any(name.startswith("meaning") for name in slate.part_names)
    assert slate.item_ids.tolist() == table["item_id"].tolist()
    np.testing.assert_allclose(slate.parts.sum(axis=1), slate.scores, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*items outside the catalog")
def test_events_with_items_outside_the_catalog_change_no_score(crowd, crowd_data, word_counts):
    catalog, interactions = crowd_data
    strange = events(*[(f"u{user}", "nowhere", 10**6) for user in range(60)])
    lab = Recommender(catalog, word_counts).fit(Interactions.from_frame(pd.concat([interactions.frame, strange])))
    np.testing.assert_array_equal(lab.fusion.weights, crowd.fusion.weights)
    pd.testing.assert_frame_equal(lab.recommend_users(["u1"]), crowd.recommend_users(["u1"]))


def test_an_unknown_user_is_refused_by_name(lab):
    with pytest.raises(DataError, match="unknown user 'dora'; pass their events as histories="):
        lab.recommend_users(["ada", "dora"], k=2)
    with pytest.raises(DataError, match="unknown user 'ada'"):
        lab.recommend_users(["ada"], k=2, histories=events(("dora", "alien", 1)))


def test_one_string_instead_of_a_list_of_users_is_refused(lab):
    with pytest.raises(DataError, match="user_ids came as the string 'ada'; pass a list"):
        lab.recommend_users("ada", k=2)


def test_ids_of_any_type_are_asked_for_as_strings_or_as_they_are(word_counts):
    catalog = Catalog.from_frame(pd.DataFrame({"item_id": [3, 1, 2], "title": ["sun", "moon", "star"]}))
    log = pd.DataFrame({"user_id": [7, 7, 8, 8], "item_id": [3, 1, 1, 2], "timestamp": [1, 2, 3, 4]})
    lab = Recommender(catalog, word_counts).fit(Interactions.from_frame(log))
    assert lab.recommend_users([7, "8"], k=1)["user_id"].tolist() == ["7", "8"]
    assert lab.recommend("7", k=1).item_ids.tolist() == ["2"]


def test_users_before_fit_are_told_what_to_do(plain, tiny):
    with pytest.raises(DataError, match=r"recommend_users needs what people did; call fit\(interactions\) first"):
        plain.recommend_users(["ada"], k=2)
    with pytest.raises(DataError, match=r"a user's slate needs what people did; call fit\(interactions\) first"):
        plain.fit_prior(tiny[1]).recommend("ada", k=2)


# Odd worlds


def test_interactions_that_meet_no_item_are_refused(plain, tiny):
    with pytest.raises(DataError, match="none of the 1 interactions is with an item of the catalog; check the item ids"):
        plain.fit(Interactions.from_frame(events(("u", "nowhere", 1))))
    with pytest.raises(DataError, match="none of the 0 interactions"):
        plain.fit(Interactions(tiny[1].frame[:0]))


def test_tables_instead_of_nouns_are_refused(plain, tiny, word_counts):
    with pytest.raises(DataError, match="interactions came as DataFrame; make them with Interactions.from_frame"):
        plain.fit(tiny[1].frame)
    with pytest.raises(DataError, match="the catalog came as DataFrame; make one with Catalog.from_frame"):
        Recommender(catalog_frame(tiny[0]), word_counts)


def test_a_catalog_of_one_item_recommends_it_until_it_is_seen(word_counts):
    catalog = Catalog.from_frame(pd.DataFrame({"item_id": ["only"], "title": ["the one"]}))
    lab = Recommender(catalog, word_counts)
    assert lab.recommend("anything", k=1).item_ids.tolist() == ["only"]
    lab.fit(Interactions.from_frame(events(("u", "only", 1))))
    assert len(lab.recommend("u", k=1)) == 0 and len(lab.recommend_users(["u"], k=1)) == 0
    assert str(lab.recommend("u", k=1)) == ""


def test_one_user_is_enough_to_fit(tiny, word_counts):
    frame = tiny[1].frame
    lab = Recommender(tiny[0], word_counts).fit(Interactions(frame[frame["user_id"] == "ada"].reset_index(drop=True)))
    assert np.isfinite(lab.fusion.weights).all()
    assert set(lab.recommend("ada", k=2).item_ids) == {"totoro", "amelie"}


def test_users_with_one_event_each_are_enough_to_fit(tiny, word_counts):
    lab = Recommender(tiny[0], word_counts).fit(Interactions.from_frame(events(("u", "alien", 1), ("v", "amelie", 1))))
    assert lab.recommend_users(["u", "v"], k=4)["score"].notna().all()


def test_a_user_id_that_is_also_a_word_is_the_user(lab):
    assert "popularity" in lab.recommend("bo", k=1).part_names
    assert not any(name.startswith("meaning") for name in lab.recommend("bo", k=1).part_names)


def test_a_catalog_whose_items_are_all_alike_has_an_order(word_counts):
    catalog = Catalog.from_frame(pd.DataFrame({"item_id": ["b", "c", "a"], "title": ["same"] * 3}))
    slate = Recommender(catalog, word_counts).recommend("same", k=3)
    assert slate.item_ids.tolist() == ["a", "b", "c"] and np.isfinite(slate.scores).all()


def test_vectors_that_are_not_finite_are_refused(tiny, word_counts):
    lab = Recommender(tiny[0], word_counts)
    lab.vectors = lab.vectors.copy()
    lab.vectors[1] = np.nan
    with pytest.raises(DataError, match="score nan at position 1 has no place in an order"):
        lab.recommend("horror", k=2)


# Purity


def test_recommending_twice_gives_the_same_and_changes_nothing(lab):
    def state():
        arrays = {"vectors": lab.vectors, "prior": lab.prior, "weights": lab.fusion.weights, "items": lab.histories.items}
        return copy.deepcopy(arrays) | {"log": lab.interactions.frame.copy()}

    lab.recommend("horror", k=3)  # makes the concepts
    before, first = state(), [lab.recommend(who, k=3) for who in ("horror and comedy", "bo")]
    table = lab.recommend_users(["bo", "ada"], k=2)
    for who in ("comedy", "ada", "chen", "Paris"):
        lab.recommend(who, k=1)
    for slate, who in zip(first, ("horror and comedy", "bo")):
        same_slate(lab.recommend(who, k=3), slate)
    pd.testing.assert_frame_equal(lab.recommend_users(["bo", "ada"], k=2), table)
    after = state()
    pd.testing.assert_frame_equal(after.pop("log"), before.pop("log"))
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])


def test_a_caller_may_write_into_a_slate(lab):
    kept = lab.recommend("ada", k=2)
    lab.recommend("ada", k=2).parts[:] = -1
    table = lab.recommend_users(["ada"], k=2)
    table["score"] = -1.0
    same_slate(lab.recommend("ada", k=2), kept)


def test_fitting_twice_is_fitting_once(tiny, lab, word_counts):
    again = Recommender(tiny[0], word_counts).fit(tiny[1]).fit(tiny[1])
    np.testing.assert_array_equal(again.fusion.weights, lab.fusion.weights)
    same_slate(again.recommend("bo", k=3), lab.recommend("bo", k=3))


def test_the_weights_are_learned_from_earlier_items_only(crowd, crowd_data, word_counts, monkeypatch):
    fitted_on = []
    original = Popularity.fit
    monkeypatch.setattr(Popularity, "fit", lambda self, h: fitted_on.append(len(h.items)) or original(self, h))
    Recommender(crowd_data[0], word_counts).fit(crowd_data[1])
    assert fitted_on == [4 * 60, 5 * 60]  # without each user's last item to weigh, with it to recommend


# Save and load


def saved(recommender, folder):
    recommender.save(folder)
    return Recommender.load(folder, recommender.encoder)


def test_a_loaded_recommender_gives_the_same_slates(crowd, tmp_path):
    back = saved(crowd, tmp_path)
    for who in ("ocean and desert", "jungle, but no ocean", "u1", "u17"):
        same_slate(back.recommend(who, k=8), crowd.recommend(who, k=8))
    users = crowd.histories.user_ids.tolist()
    pd.testing.assert_frame_equal(back.recommend_users(users), crowd.recommend_users(users))
    assert back.config == crowd.config


def test_a_recommender_that_was_not_fitted_is_kept_too(plain, tmp_path):
    back = saved(plain, tmp_path)
    same_slate(back.recommend("comedy in Paris", k=5), plain.recommend("comedy in Paris", k=5))
    assert back.fusion is None and back.interactions is None


def test_popularity_alone_is_kept_too(plain, tiny, tmp_path):
    plain.fit_prior(tiny[1])
    back = saved(plain, tmp_path)
    same_slate(back.recommend("comedy in Paris", k=5), plain.recommend("comedy in Paris", k=5))
    assert back.fusion is None and back.knows("ada")


def test_a_catalog_without_facets_is_kept_too(word_counts, tmp_path):
    catalog = Catalog.from_frame(pd.DataFrame({"item_id": ["b", "a"], "title": ["a western", "a musical"]}))
    lab = Recommender(catalog, word_counts).fit(Interactions.from_frame(events(("u", "a", 1), ("v", "b", 2))))
    back = saved(lab, tmp_path)
    for who in ("western", "u"):
        same_slate(back.recommend(who, k=2), lab.recommend(who, k=2))


def test_glosses_noun_ids_and_settings_are_kept(tiny, word_counts, tmp_path):
    catalog = replace(tiny[0], glosses={("genre", "horror"): "fear, and “quotes”"}, noun="film")
    lab = Recommender(catalog, word_counts, RecommenderConfig(facet_weight=0.25, prior_weight=0.01)).fit(tiny[1])
    back = saved(lab, tmp_path)
    assert (back.catalog.glosses, back.catalog.noun, back.config) == (catalog.glosses, "film", lab.config)
    assert back.catalog.item_ids.tolist() == catalog.item_ids.tolist()
    pd.testing.assert_frame_equal(back.catalog.facets, catalog.facets)
    same_slate(back.recommend("a night of fear", k=3), lab.recommend("a night of fear", k=3))


def test_a_real_encoder_is_found_again_by_its_name(tiny, minilm, tmp_path):
    lab = Recommender(tiny[0], minilm).fit(tiny[1])
    lab.save(tmp_path)
    same_slate(Recommender.load(tmp_path).recommend("robots", k=3), lab.recommend("robots", k=3))


def test_a_later_save_replaces_an_earlier_one(crowd, plain, tmp_path):
    crowd.save(tmp_path)
    back = saved(plain, tmp_path)
    assert len(back.catalog) == 5 and back.interactions is None
    same_slate(back.recommend("horror", k=5), plain.recommend("horror", k=5))
    same_slate(saved(crowd, tmp_path).recommend("u1", k=5), crowd.recommend("u1", k=5))


def test_saving_leaves_no_other_files_and_no_pickle(lab, tmp_path):
    lab.save(tmp_path / "deep" / "folder")
    names = sorted(path.name for path in (tmp_path / "deep" / "folder").iterdir())
    assert names == ["arrays.safetensors", "catalog.parquet", "interactions.parquet", "recommender.json"]


@pytest.mark.parametrize("name", ["arrays.safetensors", "catalog.parquet", "interactions.parquet"])
@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_flipped_byte_is_refused_with_the_name_of_the_file(lab, word_counts, tmp_path, name, place):
    lab.save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[place] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AssetError, match=f"{name} in .* is not what was saved; save the recommender again"):
        Recommender.load(tmp_path, word_counts)


@pytest.mark.parametrize("change", ["weights", "truncated", "empty", "list", "text"])
def test_a_changed_description_is_refused(lab, word_counts, tmp_path, change):
    lab.save(tmp_path)
    path = tmp_path / "recommender.json"
    text = path.read_text(encoding="utf-8")
    about = json.loads(text)
    del about["sha256"]
    changed = {"weights": json.dumps(about), "truncated": text[:-40], "empty": "", "list": "[]", "text": '"text"'}[change]
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(AssetError, match="recommender.json in .* is not what was saved"):
        Recommender.load(tmp_path, word_counts)


def test_any_flipped_byte_of_the_description_is_refused(lab, word_counts, tmp_path):
    lab.save(tmp_path)
    path = tmp_path / "recommender.json"
    content = path.read_bytes()
    for place in range(0, len(content), 17):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(AssetError, match="recommender.json in .* is not what was saved"):
            Recommender.load(tmp_path, word_counts)


@pytest.mark.parametrize("name", ["arrays.safetensors", "catalog.parquet", "interactions.parquet", "recommender.json"])
def test_a_missing_file_is_refused_by_name(lab, word_counts, tmp_path, name):
    lab.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(AssetError, match=f"holds no saved recommender: {name}: No such file"):
        Recommender.load(tmp_path, word_counts)


def test_a_folder_without_a_recommender_is_refused(word_counts, tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(AssetError, match="holds no saved recommender"):
            Recommender.load(folder, word_counts)


def test_another_encoder_is_refused(lab, word_counts, tmp_path):
    lab.save(tmp_path)
    with pytest.raises(AssetError, match="saved with other weights of 'word-counts'; pass the same encoder"):
        Recommender.load(tmp_path, type(word_counts)("other weights"))


# The real films


@pytest.fixture(scope="module")
def evaluated(films, minilm):
    """The recommender that learned from all but each user's last film, and the split."""
    split = leave_last_out(films.interactions.histories(films.catalog))
    train = split.train
    frame = pd.DataFrame(
        {
            "user_id": train.user_ids[train.rows()],
            "item_id": films.catalog.item_ids[train.items],
            "timestamp": train.timestamps,
        }
    )
    return Recommender(films.catalog, minilm).fit(Interactions.from_frame(frame)), split


def test_the_recommender_beats_popularity_beyond_the_interval(evaluated):
    lab, split = evaluated
    asked = split.train.of_users(split.train.user_ids[split.rows])

    def hit_rates(scores):
        ranks = target_rank(np.round(scores, 6), split.targets, split.seen(), lab.order)  # full ranking, seen items out
        return recall(hits_from_ranks(ranks, 10))

    ours, popular = hit_rates(lab.fusion.scores(asked)), hit_rates(Popularity().fit(split.train).scores(asked))
    difference = paired_interval(ours, popular)
    print(f"hit rate at 10: {ours.mean():.3f}, popularity {popular.mean():.3f}, difference {difference}")
    assert ours.mean() >= 0.11
    assert difference.low > 0


def test_a_real_users_slate_and_row_of_the_table_agree(evaluated):
    lab, split = evaluated
    users = split.train.user_ids[split.rows][:25].tolist()
    table = lab.recommend_users(users, k=10).set_index("user_id")
    for user in users:
        slate = lab.recommend(user, k=10)
        assert slate.item_ids.tolist() == table.loc[user, "item_id"].tolist()
        np.testing.assert_allclose(slate.scores, table.loc[user, "score"], atol=5e-6)
        np.testing.assert_allclose(slate.parts.sum(axis=1), slate.scores, atol=1e-6)


def test_an_encoder_given_by_name_is_refused(tiny):
    with pytest.raises(DataError, match="the encoder came as 'minilm'; pass load_encoder"):
        Recommender(tiny[0], "minilm")


def test_recommend_user_refuses_a_stranger(tiny, word_counts):
    with pytest.raises(DataError, match="unknown user 'nobody'"):
        Recommender(tiny[0], word_counts).fit(tiny[1]).recommend_user("nobody", k=1)


def test_a_sentence_that_is_also_an_id_can_be_read_as_a_sentence(tiny, word_counts):
    lab = Recommender(tiny[0], word_counts).fit(tiny[1])
    assert any(name.startswith("meaning of") for name in lab.recommend_text("ada", k=1).part_names)


def test_events_outside_the_catalog_are_counted_in_a_warning(tiny, word_counts):
    log = pd.concat([tiny[1].frame, tiny[1].frame.assign(item_id="elsewhere")])
    with pytest.warns(UserWarning, match="8 of 16 interactions are with items outside the catalog"):
        Recommender(tiny[0], word_counts).fit_prior(Interactions.from_frame(log))


def test_a_facet_may_be_called_title(tiny, word_counts, tmp_path):
    frame = pd.DataFrame({"item_id": ["a", "b"], "title": ["Tea", "Cup"]})
    lab = Recommender(Catalog.from_frame(frame, facets=["title"]), word_counts)
    lab.save(tmp_path)
    assert str(Recommender.load(tmp_path, word_counts).recommend("tea", 2)) == str(lab.recommend("tea", 2))


def test_a_disk_that_fills_while_saving_leaves_the_earlier_save(tiny, word_counts, tmp_path, monkeypatch):
    Recommender(tiny[0], word_counts).save(tmp_path)
    write = Path.write_bytes

    def full(path, content):
        if path.name.startswith("recommender"):
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(AssetError, match="No space left on device; what was saved before is untouched"):
        Recommender(tiny[0], word_counts).fit(tiny[1]).save(tmp_path)
    assert Recommender.load(tmp_path, word_counts).interactions is None
    assert not list(tmp_path.glob("*.new"))
