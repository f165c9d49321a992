"""Each lesson's checks: facts that pass, and near misses that must not."""

from __future__ import annotations

import msgspec
import pytest
from train_bench import ScriptedRun, beginning, steps

from tinygpt_tui.lessons import checks
from tinygpt_tui.lessons.answers import HEADS, NUMBERS, typed_head, typed_numbers
from tinygpt_tui.lessons.course import Course, is_right
from tinygpt_tui.lessons.facts import Coloured, Facts, Inspected, Looked, Raced, RunViewed, Seen, Trained, Wrote
from tinygpt_tui.lessons.gather import RunReader, read_models
from tinygpt_tui.lessons.lesson import Lesson
from tinygpt_tui.lessons.pack import read_pack
from tinygpt_tui.lessons.predictions import Outcome
from tinygpt_tui.lessons.progress import Progress

LESSONS = {lesson.id: lesson for lesson in read_pack()}
TINY = "shakespeare-small"
LOOP = "ROMEO:\n" + "the " * 60
TEXT = "To be, or not to be, that is the question: whether it is nobler in the mind to suffer the slings of fortune"
FLOORS = {1: 2.9, 2: 2.1, 3: 1.6, 5: 1.0}


def wrote(**changes: object) -> Wrote:
    return msgspec.structs.replace(Wrote("shakespeare", TEXT, 60, window=128), **changes)


def looked(offset: int, top: float, *, right: bool = True, **changes: object) -> Looked:
    found = Looked(offset, "e", top if right else 0.1, 1 if right else 3, top, 0.6 if right else 3.3)
    return msgspec.structs.replace(found, **changes)


def run(**changes: object) -> Trained:
    made = Trained("tales-1", "tales", 1.0, 140, 4.0, 0.02, 58, "seconds", 1_050_238, first_loss=4.06, best_loss=1.02)
    return msgspec.structs.replace(made, **{"floors": FLOORS, **changes})


OWN = {"corpus": "diary", "own_text": True, "characters": 6000, "vocabulary": 61, "first_loss": 4.25, "best_loss": 3.2}
SMALL = {**OWN, "characters": 500, "overfits_from": 6}
HEADS_SEEN = tuple((layer, head, 0.5 if (layer, head) == (2, 3) else 0.1) for layer in (1, 2, 3, 4) for head in (1, 2))
BACK = (*HEADS_SEEN, (2, 3, 0.5))
GUESSES = ("h", "e", "e", "e", " ")
ATTENTION = Inspected("attention", "shakespeare", 15, back=BACK)
LENS = Inspected("guesses", "shakespeare", 15, guesses=GUESSES)
VIEWED = RunViewed("shakespeare", "chart")
IN_BITS = RunViewed("shakespeare", "chart", "bits")
LADDER = RunViewed("shakespeare", "chart", overlays=("the lecture",))
KINGS = "ROMEO: 7 kings"
UNTRAINED = tuple(looked(at, 0.02, untrained=True, model="shakespeare") for at in range(3))
SURE = tuple(looked(at, 0.64, right=at < 7) for at in range(10))


def of(*parts: Wrote | Seen | Trained) -> Facts:
    """Return facts of these, in this order."""
    return Facts(
        wrote=tuple(one for one in parts if isinstance(one, Wrote)),
        trained=tuple(one for one in parts if isinstance(one, Trained)),
        seen=tuple(one for one in parts if not isinstance(one, Wrote | Trained)),
    )


# By lesson: what passes, with the right answers; near misses of the task; near misses of the answer.
CASES: dict[str, tuple[Facts, tuple[str, ...], list[Facts], tuple[str, ...]]] = {
    "01-tokens": (
        of(wrote(unknown="7", prompt=KINGS)),
        ("65",),
        [
            of(wrote(prompt=KINGS)),
            of(wrote(unknown="7", prompt=KINGS, model="tales")),
            of(wrote(unknown="7", prompt="7")),
            of(wrote(unknown="78", prompt="ROMEO: 78 kings")),
        ],
        ("66", "x"),
    ),
    "02-guessing": (
        of(looked(1, 0.5, bits=4.0)),
        ("4", "4,0 bits", "4.04"),
        [of(looked(1, 0.5, bits=3.9)), of(wrote()), of(wrote(), looked(1, 0.5, bits=4.0, old=True))],
        ("4.2", "3.9"),
    ),
    "03-temperature": (
        of(wrote(text=LOOP, model=TINY, temperature=0.0), wrote(model=TINY, temperature=1.5, top_p=0.5)),
        ("1", "rank 1"),
        [
            of(wrote(text=LOOP, model=TINY, temperature=0.1), wrote(model=TINY, temperature=1.5, top_p=0.5)),
            of(wrote(model=TINY, temperature=0.0), wrote(model=TINY, temperature=1.5, top_p=0.5)),
            of(wrote(text=LOOP, model=TINY, temperature=0.0), wrote(model=TINY, temperature=1.4, top_p=0.5)),
            of(wrote(text=LOOP, model=TINY, temperature=0.0), wrote(model=TINY, temperature=1.5, top_p=0.6)),
            of(wrote(text=LOOP, temperature=0.0), wrote(model=TINY, temperature=1.5, top_p=0.5)),
            of(wrote(text=LOOP, model=TINY, temperature=0.0), wrote(temperature=1.5, top_p=0.5)),
            of(
                wrote(text=LOOP, model=TINY, temperature=0.0, untrained=True),
                wrote(model=TINY, temperature=1.5, top_p=0.5),
            ),
            of(
                wrote(text=LOOP, model=TINY, temperature=0.0),
                wrote(model=TINY, temperature=1.5, top_p=0.5, untrained=True),
            ),
        ],
        ("2", "10"),
    ),
    "04-window": (
        of(wrote(model="tales", text="a" * 513, window=512, prompt="Tom")),
        ("8",),
        [
            of(wrote(model="tales", text="a" * 512, window=512, prompt="Tom")),
            of(wrote(model="tales", text="a" * 513, window=512, prompt="Tom and")),
            of(wrote(model="tales", text="a" * 513, window=512)),
            of(wrote(text="a" * 600, prompt="Tom")),
        ],
        ("128", "9"),
    ),
    "05-untrained": (
        of(wrote(untrained=True), *UNTRAINED),
        ("6", "6.02", "6,0"),
        [
            of(wrote(untrained=True), *UNTRAINED[:2]),
            of(wrote(untrained=True), *UNTRAINED[:2], looked(2, 0.02, model="shakespeare")),
            of(wrote(untrained=True), *UNTRAINED[:2], looked(2, 0.02, untrained=True, model="tales")),
            of(wrote(untrained=True), *UNTRAINED[:2], looked(2, 0.02, untrained=True, model="shakespeare", old=True)),
            of(wrote(), *UNTRAINED),
            of(wrote(untrained=True, tokens=49), *UNTRAINED),
        ],
        ("4.17", "5.8"),
    ),
    "06-training": (
        of(run()),
        ("4.06", "4,0586"),
        [of(run(best_loss=1.61)), of(run(corpus="shakespeare")), of(run(floors={}))],
        ("4.17", "1.02"),
    ),
    "07-overfitting": (of(run(**SMALL)), ("6",), [of(run()), of(run(**OWN))], ("7", "12")),
    "08-yardsticks": (
        of(VIEWED),
        ("0.17", "0,170"),
        [
            of(RunViewed("tales", "chart")),
            of(RunViewed("shakespeare", "log")),
            of(RunViewed("shakespeare", "chart", yardsticks=False)),
        ],
        ("0.19", "1.39"),
    ),
    "09-learning-rate": (
        of(run(), run(learning_rate=0.0002, best_loss=1.25)),
        ("1.02",),
        [
            of(run(), run(learning_rate=0.0021)),
            of(run(), run(learning_rate=0.0002, corpus="shakespeare")),
            of(run(), run(learning_rate=0.0002, recipe="quick")),
            of(run(), run(learning_rate=0.0002, best_loss=None)),
        ],
        ("1.25", "1.04"),
    ),
    "10-attention": (
        of(ATTENTION),
        ("2.3", "layer 2, head 3", "2 3"),
        [
            of(Inspected("guesses", "shakespeare", 15)),
            of(Inspected("attention", "tales", 15)),
            of(Inspected("attention", "shakespeare", 9)),
            of(Inspected("attention", "shakespeare", 15, untrained=True)),
        ],
        ("3.2", "2", "2.1"),
    ),
    "11-lens": (of(LENS), ("4",), [of(ATTENTION), of(Inspected("guesses", "tales", 15))], ("1", "3")),
    "12-parameters": (
        of(Inspected("parameters", "shakespeare", 1)),
        ("197,120", "197120", "197.120"),
        [of(LENS), of(Inspected("parameters", "tales", 1))],
        ("788,480", "197", "24.5"),
    ),
    "13-rnn": (
        of(Raced("ROMEO:", ("shakespeare", "shakespeare-rnn"))),
        ("11", "11.3"),
        [of(Raced("", ("shakespeare", "shakespeare, untrained"))), of(Raced("", ("tales", "shakespeare-rnn")))],
        ("12", "10"),
    ),
    "14-ladder": (
        of(LADDER),
        ("2.5",),
        [of(VIEWED), of(RunViewed("shakespeare", "chart", overlays=("TinyGPT",)))],
        ("2.28", "2.06"),
    ),
    "15-compression": (
        of(Coloured(200), IN_BITS),
        ("2.01", "2.0"),
        [of(Coloured(199), IN_BITS), of(Coloured(200), VIEWED), of(IN_BITS), of(Coloured(200, old=True), IN_BITS)],
        ("1.39", "8"),
    ),
    "16-tokenizers": (
        of(Inspected("walk", "shakespeare", 41)),
        ("41",),
        [of(Inspected("walk", "shakespeare", 29)), of(Inspected("attention", "shakespeare", 41))],
        ("40", "10"),
    ),
    "17-own-text": (
        of(run(**OWN)),
        ("61",),
        [of(run()), of(run(**{**OWN, "characters": 2999})), of(run(**{**OWN, "best_loss": None}))],
        ("58", "62"),
    ),
    "18-fine-tuning": (
        of(run(**OWN), run(**OWN | {"start": "shakespeare-small", "first_loss": 3.7})),
        ("3.70", "3,71"),
        [of(run(**OWN)), of(run(start="tales")), of(run(**OWN | {"start": "shakespeare-small", "steps": 19}))],
        ("4.25", "3.2"),
    ),
    "19-calibration": (
        of(wrote(temperature=1.0), *SURE),
        ("70", "60 %", "80"),
        [
            of(wrote(), *SURE),
            of(wrote(temperature=1.0, top_p=0.9), *SURE),
            of(wrote(temperature=1.0), *SURE[:9]),
            of(wrote(temperature=1.0), *SURE[:9], looked(20, 0.81)),
            of(wrote(temperature=1.0), *SURE[:9], SURE[0]),
            of(wrote(temperature=1.0), *SURE[:9], looked(20, 0.64, old=True)),
        ],
        ("50", "90"),
    ),
    "20-bigger": (
        of(Raced("ROMEO:", ("shakespeare-small", "shakespeare"))),
        ("0.76", "0,756 nats"),
        [of(Raced("ROMEO:", ("shakespeare-small", "shakespeare, untrained"))), of(Raced("", ("shakespeare", "tales")))],
        ("0.80", "2.15"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def models() -> Facts:
    """The models that come with the program."""
    return Facts(models=read_models())


def at_the_task(lesson: Lesson, facts: Facts) -> Course:
    """Return a course whose open lesson waits for its task, with these things seen."""
    course = Course((lesson,), Progress())
    course.open(lesson)
    course.read()
    course.predict("x")
    course.add_seen(facts.seen)
    return course


def test_every_lesson_has_a_case() -> None:
    assert set(CASES) == set(LESSONS)


@pytest.mark.parametrize("name", CASES)
def test_what_was_really_done_passes_and_a_near_miss_never(name: str, models: Facts) -> None:
    lesson, (facts, right, near, wrong) = LESSONS[name], CASES[name]
    known = msgspec.structs.replace(facts, models=models.models)
    course = at_the_task(lesson, known)
    assert course.check_task(known)
    assert course.state.stage == "question"
    assert near
    for miss in [*near, Facts()]:
        other = at_the_task(lesson, miss)
        assert not other.check_task(miss), miss
        assert other.state.stage == "task"
    for text in right:
        assert is_right(lesson, text, known), text
    for text in (*wrong, "", "no number"):
        assert not is_right(lesson, text, known), text


@pytest.mark.parametrize("name", CASES)
def test_each_part_of_a_task_is_needed(name: str, models: Facts) -> None:
    """Without any one of the facts the task is not done."""
    lesson, (facts, *_) = LESSONS[name], CASES[name]
    parts = [*facts.wrote, *facts.seen, *facts.trained]
    alone = {"18-fine-tuning": 1}.get(name, 0)  # facts that the task does not need
    for at in range(alone, len(parts)):
        rest = of(*parts[:at], *parts[at + 1 :])
        assert not at_the_task(lesson, rest).check_task(rest), parts[at]


@pytest.mark.parametrize("name", CASES)
def test_what_is_missing_of_a_task_is_named_until_it_is_done(name: str) -> None:
    lesson, (facts, *_) = LESSONS[name], CASES[name]
    course = at_the_task(lesson, facts)
    assert course.still_to_do(Facts(wrote=facts.wrote, trained=facts.trained)) == []
    nothing = at_the_task(lesson, Facts())
    assert nothing.still_to_do(Facts()) == lesson.texts.steps
    assert len(lesson.texts.steps) == len(lesson.done)


@pytest.mark.parametrize(
    ("name", "predicted", "outcome"),
    [
        ("02-guessing", "4 bits", Outcome(True, 4.0, 0.0)),
        ("02-guessing", "16", Outcome(False, 4.0, 12.0)),
        ("02-guessing", "many", Outcome(False, 4.0)),
        ("03-temperature", "the same again and again", Outcome()),
        ("06-training", "4.1", Outcome(True, 4.06, pytest.approx(0.04))),
        ("07-overfitting", "Training", Outcome(True)),
        ("07-overfitting", "both, training and validation", Outcome(False)),
        ("07-overfitting", "?", Outcome()),
        ("11-lens", "not sure", Outcome()),
        ("11-lens", "No.", Outcome(True)),
    ],
)
def test_a_prediction_is_compared_with_what_came_out(name: str, predicted: str, outcome: Outcome) -> None:
    lesson, (facts, right, *_) = LESSONS[name], CASES[name]
    course = Course((lesson,), Progress())
    course.open(lesson)
    course.read()
    course.predict(predicted)
    course.add_seen(facts.seen)
    assert course.check_task(facts)
    assert course.state.outcome == Outcome()  # only at the end: it may be the answer
    assert course.answer(right[0], facts)
    assert course.state.outcome == outcome


def test_every_prediction_can_be_compared_but_one() -> None:
    """What a model writes that always takes the most likely letter can be put in many words."""
    loose = [
        name
        for name, lesson in LESSONS.items()
        if lesson.texts.predict and lesson.predicted is None and not lesson.texts.right_words
    ]
    assert loose == ["03-temperature"]


def test_every_check_and_every_answer_is_used_or_documented() -> None:
    used = {one.check for lesson in LESSONS.values() for one in lesson.done}
    assert set(checks.CHECKS) - used <= {"trained_below", "looked_sure_and_wrong"}
    assert set(NUMBERS) | set(HEADS) == {lesson.answer.of for lesson in LESSONS.values()}


@pytest.mark.parametrize(("loss", "seconds", "passes"), [(1.69, 60.0, True), (1.7, 60.0, False), (1.69, 60.1, False)])
def test_a_loss_within_a_time(loss: float, seconds: float, passes: bool) -> None:
    facts = of(run(best_loss=loss, seconds=seconds))
    assert checks.trained_below(facts, loss=1.7, seconds=60.0) is passes


def test_a_letter_where_the_model_was_sure_and_wrong() -> None:
    assert checks.looked_sure_and_wrong(of(looked(0, 0.9, right=False)), probability=0.9)
    assert not checks.looked_sure_and_wrong(of(looked(0, 0.89, right=False), looked(1, 0.95)), probability=0.9)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,437", [1437.0, 1.437]),
        ("1,4", [1.4]),
        ("2.147", [2147.0, 2.147]),
        ("1.328.192", [1328192.0]),
        ("-1", [-1.0]),
        ("1.2.3", []),
        ("abc", []),
    ],
)
def test_numbers_as_people_type_them(text: str, numbers: list[float]) -> None:
    assert typed_numbers(text) == numbers


def test_a_head_needs_two_numbers() -> None:
    assert typed_head("layer 2, head 3") == (2, 3)
    assert typed_head("23") is None


def test_a_reset_forgets_one_lesson_only() -> None:
    lessons = read_pack()[:2]
    course = Course(lessons, Progress(), now=lambda: 5.0)
    for lesson in lessons:
        course.open(lesson)
        course.read()
        course.hint()
    course.reset(lessons[0])
    assert course.progress.lessons.keys() == {course.key(lessons[1])}
    course.reset(lessons[1])
    assert course.lesson is lessons[1]
    assert course.state.stage == "idea"
    assert course.state.hints == 0


def test_the_same_place_of_another_text_counts_and_it_is_said_how_many_were_seen() -> None:
    lesson = LESSONS["19-calibration"]
    texts = [looked(at, 0.64, text=letter) for letter in "ab" for at in range(4)]
    course = at_the_task(lesson, facts := of(*texts, looked(3, 0.64, text="b"), looked(5, 0.9)))
    assert course.still_to_do(facts)[-1] == f"{lesson.texts.steps[-1]} (8/10)"


def test_a_number_counts_as_the_microscope_shows_it() -> None:
    surprised, likely = checks.CHECKS["looked_surprised"], checks.CHECKS["looked_between"]
    assert [surprised(of(looked(1, 0.5, bits=bits)), bits=4.0) for bits in (3.96, 3.94)] == [True, False]
    assert [likely(of(looked(1, top)), low=0.5, high=0.8, count=1) for top in (0.4996, 0.499)] == [True, False]


def test_a_toy_task_is_not_a_text_of_the_learners_own() -> None:
    for name in ("diary", "reverse"):
        run = ScriptedRun(name)
        settings = run.folder.read_settings()
        run.folder.write_settings(
            msgspec.structs.replace(settings, corpus=msgspec.structs.replace(settings.corpus, name=name))
        )
        run.write([*beginning(), *steps(1, 20)])
        run.end("finished", 20)
    assert {one.corpus: one.own_text for one in RunReader().read()} == {"diary": True, "reverse": False}
