"""Is every question of an audit found by its name, in its order, under the words that files hold?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import polyculture as pc
from polyculture.auditing import sections
from polyculture.auditing.sections import SECTIONS
from polyculture.errors import InputError
from polyculture.results import Audit
from polyculture.results.section import STORED_NAMES
from polyculture.testing import tiny_predictions


@pytest.fixture(scope="module")
def audit() -> Audit:
    return pc.audit(tiny_predictions((3, 2, 1), instances=60))


def test_each_question_is_one_file_of_its_name() -> None:
    files = [path.stem for path in Path(sections.__path__[0]).glob("[!_]*.py")]
    assert sorted(SECTIONS) == sorted(files)


def test_questions_stand_in_the_order_of_their_places(audit: Audit) -> None:
    places = [spec.place for spec in SECTIONS.values()]
    assert places == sorted(set(places))
    asked_for = ("similarity_by_scale", "within")
    assert [section.name for section in audit.sections] == [name for name in SECTIONS if name not in asked_for]
    assert all(section.title == SECTIONS[section.name].title for section in audit.sections)


def test_every_code_belongs_to_one_question() -> None:
    codes = [spec.code for spec in SECTIONS.values() if spec.code]
    assert len(codes) == len(set(codes)) == 7
    assert all(spec.finding for spec in SECTIONS.values() if spec.code)


def test_files_keep_the_words_they_had_and_are_read_under_the_new_ones(audit: Audit) -> None:
    text = audit.to_json()
    stored = [section["name"] for section in json.loads(text)["chapters"]]
    assert stored == [STORED_NAMES.get(section.name, section.name) for section in audit.sections]
    assert {"beyond", "together", "queue"} < set(stored)
    assert [s.name for s in Audit.from_json(text).sections] == [s.name for s in audit.sections]


def test_a_section_is_found_by_its_former_word_too(audit: Audit) -> None:
    assert audit.section("beyond") is audit.section("pair_excess")
    with pytest.raises(InputError, match=r"no section 'pair_exces'.*pair_excess"):
        audit.section("pair_exces")
