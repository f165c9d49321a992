"""The form of a new training: what can be, what cannot, and why."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from textual.widgets import Button, Input, Select
from train_bench import ScriptedRun, TrainBench, train_tab

from tinygpt_tui.corpora.catalog import CorpusEntry
from tinygpt_tui.corpora.download import Downloaded
from tinygpt_tui.errors import DownloadError
from tinygpt_tui.paths import data_folder
from tinygpt_tui.planning.machine import Machine, save_machine
from tinygpt_tui.planning.tokens import suggestion
from tinygpt_tui.runs.text_facts import CorpusFacts
from tinygpt_tui.settings.fields import changed
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.ui.train import corpus as train_corpus
from tinygpt_tui.ui.train.draft import draft_of, form_fields, texts_of
from tinygpt_tui.ui.train.screen import TrainScreen
from tinygpt_tui.workers.text_reader import TextReader

pytestmark = pytest.mark.usefixtures("no_shipped_models")


@pytest.fixture
def sixty_five(tmp_path: Path) -> Path:
    """A text of exactly 65 different characters, as Shakespeare has."""
    path = tmp_path / "sixty-five.txt"
    path.write_text("".join(chr(code) for code in range(48, 48 + 64)) * 200 + "\n")
    return path


async def test_the_shipped_corpus_is_read_and_a_name_suggested() -> None:
    async with train_tab() as bench:
        await bench.read()
        assert bench.form.state.facts is not None
        assert bench.form.state.facts.reference.name == "tales"
        assert bench.form.state.facts.reference.entropy is not None
        assert bench.form.name_row.text == "tales"
        assert bench.start_enabled
        assert "Start" in bench.keys


async def test_a_new_form_reads_its_text_once_and_computes_its_styles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    styled: list[bool] = []
    fractions, update = TextReader.fractions, TrainScreen.update_node_styles

    def reading(reader: TextReader) -> Generator[float, None, CorpusFacts]:
        read.append(reader._given[1])
        return fractions(reader)

    def updating(screen: TrainScreen, animate: bool = True) -> None:
        if screen.is_attached:
            styled.append(animate)
        update(screen, animate)

    monkeypatch.setattr(TextReader, "fractions", reading)
    monkeypatch.setattr(TrainScreen, "update_node_styles", updating)
    async with train_tab() as bench:
        await bench.read()
        await bench.pilot.pause()
        assert read == ["tales"]
        assert not styled
        await bench.pilot.press("f2")
        await bench.until(lambda: not isinstance(bench.app.screen, TrainScreen))
        await bench.pilot.press("f3")
        await bench.until(lambda: bool(styled))  # something else may have changed them meanwhile


async def test_the_empty_line_of_the_list_of_texts_changes_nothing() -> None:
    async with train_tab() as bench:
        await bench.read()
        select = bench.form.query_one("#corpus", Select)
        chosen = select.value
        select.focus()
        await bench.pilot.press("enter", "home", "enter")
        await bench.until(lambda: not select.expanded)
        assert select.value == chosen


@pytest.mark.parametrize(("preset", "count"), [("small", "54,977"), ("tinygpt", "1,220,673"), ("large", "10,788,929")])
async def test_parameters_are_exact(preset: str, count: str, sixty_five: Path) -> None:
    async with train_tab() as bench:
        await bench.choose(sixty_five)
        await bench.until(lambda: bench.form.state.facts is not None and bench.form.state.facts.vocab_size == 65)
        bench.form.query_one("#preset", Select).value = preset
        await bench.until(lambda: bench.text("#form-summary").startswith(f"{count} parameters"))
        assert count in bench.text("#budget")


async def test_parameters_follow_what_is_typed() -> None:
    async with train_tab() as bench:
        await bench.read()
        before = bench.form.state.draft.parameters
        await bench.set("n_layer", "7")
        assert bench.form.state.draft.parameters != before
        assert "changed: n layer" in bench.text("#preset-note")


@pytest.mark.parametrize(
    ("name", "typed", "reason"),
    [
        ("n_layer", "0", "must be at least 1"),
        ("n_layer", "many", "is not a whole number"),
        ("n_layer", "", "is empty"),
        ("n_embd", "97", "must be divisible by n head (4); choose 96 or 100"),
        ("dropout", "1", "must be less than 1"),
        ("learning_rate", "nan", "not a finite number"),
        ("steps", "1.5", "is not a whole number"),
    ],
)
async def test_a_value_that_cannot_be_is_marked(name: str, typed: str, reason: str) -> None:
    async with train_tab() as bench:
        await bench.read()
        await bench.set(name, typed)
        assert reason in bench.problem(name)
        assert not bench.start_enabled
        assert "Start" not in bench.keys
        await bench.sees("✗")


async def test_mended_values_can_be_started() -> None:
    async with train_tab() as bench:
        await bench.read()
        await bench.set("n_embd", "97")
        assert not bench.start_enabled
        await bench.set("n_embd", "100")
        await bench.set("sliding", "no")
        await bench.set("positions", "learned")
        assert bench.start_enabled


async def test_a_text_too_short_for_the_block_size(tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("just a line of text\n" * 4)
    async with train_tab() as bench:
        await bench.choose(short)
        await bench.until(
            lambda: bench.form.state.facts is not None and bench.form.state.facts.reference.name == "short"
        )
        await bench.set("block_size", "200")
        assert "80 characters" in bench.problem("block_size")
        assert not bench.start_enabled
        await bench.set("block_size", "8")
        assert bench.start_enabled


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (bytes(range(256)) * 20, "is not a text file"), (b" \n ", "is empty")]
)
async def test_a_file_that_cannot_be_learnt_from(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    async with train_tab() as bench:
        await bench.choose(path)
        await bench.until(lambda: reason in bench.text(".-facts"))
        await bench.until(lambda: reason in bench.text("#form-summary"))
        assert not bench.start_enabled


async def test_a_folder_its_fields_and_its_documents(tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "r.jsonl").write_text('{"text": "the cat sat", "note": "ab ba"}\n' * 30)
    (folder / "x.pdf").write_bytes(b"%PDF-1.7")
    async with train_tab() as bench:
        await bench.read()
        bench.form.action_choose_file()
        await bench.until(lambda: bench.app.screen.query("#folder"))
        bench.app.screen.query_one("#path", Input).value = str(folder)
        await bench.app.screen.query_one("#path", Input).action_submit()
        await bench.until(lambda: str(folder) in bench.app.screen.query_one("DialogBox").border_title)
        bench.app.screen.query_one("#folder", Button).press()
        await bench.until(lambda: "30 records, field `text` (also: `note`)" in bench.text("#corpus-facts"))
        assert "1 file left out, a PDF: x.pdf" in bench.text("#corpus-facts")
        facts = bench.form.state.facts
        assert facts is not None
        assert (facts.reference.name, facts.vocab_size) == ("letters", len(set("the cat sat")) + 1)  # and the boundary
        assert bench.form.name_row.text == "letters"
        bench.screen.query_one("#corpus-field", Select).value = "note"
        await bench.until(lambda: "field `note` (also: `text`)" in bench.text("#corpus-facts"))
        bench.screen.query_one("#corpus-documents", Select).value = "none"
        await bench.until(lambda: bench.form.state.facts and bench.form.state.facts.characters == "\n ab")
        await bench.set("tokenizer", "bpe:512")
        assert bench.form.state.draft.settings is not None
        assert bench.form.state.draft.settings.tokenizer == "bpe:512"
        await bench.set("tokenizer", "characters:2")
        assert bench.form.state.draft.settings.architecture.vocab_size == 256  # all of it is ASCII
        assert "10,000 different characters: characters:100" in suggestion(1_000_000, different=10_000)
        assert "this text is too short for byte pairs" in suggestion(150)
        assert "bpe:512 to bpe:2048 suit this text" in suggestion(1_000_000)
        assert "bpe:512 to bpe:1024 suit this run" in suggestion(1_000_000, 200_000)
        assert "this run is too short for byte pairs: it reads 5,000 tokens" in suggestion(1_000_000, 5000)


async def test_conversations_are_turns_or_plain_text(tmp_path: Path) -> None:
    turns = '[{"role": "user", "content": "the cat"}, {"role": "assistant", "content": "sat"}]'
    (tmp_path / "talk.jsonl").write_text(f'{{"messages": {turns}}}\n' * 30)
    async with train_tab() as bench:
        await bench.choose(tmp_path / "talk.jsonl")
        await bench.until(lambda: "30 conversations in `talk.jsonl`, roles user and assistant" in bench.text(".-facts"))
        bench.screen.query_one("#corpus-turns", Select).value = "none"
        await bench.until(lambda: "30 records of `talk.jsonl`, field `messages`" in bench.text(".-facts"))


async def test_replies_are_chosen_where_there_are_turns(tmp_path: Path) -> None:
    """Also where no turn is of the usual role, and a reading failed for that."""
    turns = '[{"role": "buyer", "content": "the cat"}, {"role": "seller", "content": "sat"}]'
    (tmp_path / "shop.jsonl").write_text(f'{{"messages": {turns}}}\n' * 30)
    async with train_tab() as bench:
        await bench.read()
        box = bench.screen.query_one("#corpus-replies", Input)
        assert not box.region  # Tales is no conversation
        await bench.choose(tmp_path / "shop.jsonl")
        await bench.until(lambda: "--replies seller" in bench.text(".-facts"))
        await bench.until(lambda: box.region)
        box.focus()
        box.value = "seller"
        await bench.press("enter")
        await bench.until(lambda: "the replies of seller are learned: 30 of 60 turns" in bench.text(".-facts"))
        assert box.has_focus
        box.value = "seller, buyer"
        await bench.press("tab")
        await bench.until(lambda: "the replies of seller and buyer are learned: 60" in bench.text(".-facts"))
        facts = bench.form.state.facts
        assert facts is not None
        assert facts.roles is not None
        assert facts.roles.replies == ("seller", "buyer")


async def test_another_encoding_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(("Über den Wäldern läuft ein schöner Fluß, größer als alle Bäche. " * 40).encode("cp1252"))
    async with train_tab() as bench:
        await bench.choose(path)
        await bench.until(lambda: "is not UTF-8" in bench.text(".-facts"))
        assert bench.start_enabled


async def test_a_wrong_guess_of_the_encoding_is_seen_and_set_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    polish = "Zażółć gęślą jaźń, powiedział i wyszedł wcześnie rano.\n" * 40
    (tmp_path / "polish.txt").write_bytes(polish.encode("iso8859-2"))
    async with train_tab() as bench:
        encoding = bench.screen.query_one("#corpus-encoding", Select)
        await bench.read()
        assert not encoding.region  # nothing was guessed
        await bench.choose(tmp_path / "polish.txt")
        await bench.until(lambda: bench.form.state.facts is not None and bench.form.state.facts.guessed)
        await bench.sees("gę¶l±")  # the guess, for all to see
        await bench.until(lambda: encoding.region)
        guess, texts = bench.form.state.facts, bench.screen.query_one(train_corpus.TrainCorpus)
        chosen, earlier = texts._chosen, train_corpus.TextReader(tmp_path / "polish.txt", "polish", None)
        assert chosen is not None
        assert guess is not None
        held, read = threading.Event(), train_corpus.TextReader.fractions

        def held_up(reader: train_corpus.TextReader) -> Iterator[float]:
            held.wait(60)
            return read(reader)

        monkeypatch.setattr(train_corpus.TextReader, "fractions", held_up)
        encoding.value = "iso8859-2"
        await bench.until(lambda: texts._reader is not None)
        texts.post_message(train_corpus.TrainCorpus._Arrived(chosen, guess, earlier))  # was on its way
        await bench.pilot.pause()
        held.set()
        await bench.until(lambda: bench.form.state.facts is not None and "ż" in bench.form.state.facts.characters)
        assert bench.form.state.facts is not None
        assert bench.form.state.facts.reference.encoding == "iso8859-2"  # as the run will read it
        assert "gę¶l±" not in bench.shown
        encoding.value = "utf-8"
        await bench.sees("is not utf-8:")
        encoding.value = "auto"
        await bench.until(lambda: bench.form.state.facts is not None and bench.form.state.facts.guessed)


async def test_a_path_can_be_typed_absolute_or_from_the_folder_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    for path in (tmp_path / "here.txt", tmp_path / "below" / "there.txt"):
        path.write_text("to be or not to be\n" * 100, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for typed, name in ((str(tmp_path / "here.txt"), "here"), ("below/there.txt", "there")):
        async with train_tab() as bench:
            await bench.pilot.press("alt+o")
            await bench.until(lambda: bench.app.screen.is_modal)
            await bench.pilot.press(*typed, "enter")
            await bench.until(lambda: not bench.app.screen.is_modal)
            await bench.until(
                lambda name=name: bench.form.state.facts and bench.form.state.facts.reference.name == name
            )


async def test_a_path_that_is_not_there_stays_in_the_dialog(tmp_path: Path) -> None:
    async with train_tab() as bench:
        await bench.pilot.press("alt+o")
        await bench.until(lambda: bench.app.screen.is_modal)
        bench.app.screen.query_one("#path", Input).value = str(tmp_path / "nothing.txt")
        await bench.pilot.press("enter")
        await bench.sees("✗ there is no file")
        await bench.pilot.press("escape")
        await bench.until(lambda: not bench.app.screen.is_modal)


@pytest.mark.parametrize(
    ("name", "reason"), [("", "needs a name"), ("a/b", "letters, digits"), ("taken", "taken-2 is free")]
)
async def test_a_name_that_cannot_be(name: str, reason: str) -> None:
    ScriptedRun("taken").end("finished", 10)
    async with train_tab() as bench:
        await bench.read()
        bench.form.query_one("#name", Input).value = name
        await bench.until(lambda: reason in bench.form.name_row.problem)
        assert not bench.start_enabled


async def test_a_typed_name_outlives_another_corpus(sixty_five: Path) -> None:
    async with train_tab() as bench:
        await bench.read()
        bench.form.query_one("#name", Input).value = "mine"
        await bench.choose(sixty_five)
        await bench.until(lambda: bench.form.state.facts is not None and bench.form.state.facts.vocab_size == 65)
        assert bench.form.name_row.text == "mine"


async def test_the_focus_explains_itself() -> None:
    async with train_tab() as bench:
        await bench.read()
        bench.screen.query_one("#setting-block_size").focus()
        await bench.until(lambda: "how many tokens the model sees" in bench.text("#form-hint"))
        assert "1 to 8,192" in bench.text("#form-hint")
        await bench.pilot.press("f1")
        await bench.sees("block size")


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (50, 12), (20, 5), (3, 2)])
async def test_no_size_breaks_the_form(size: tuple[int, int]) -> None:
    async with train_tab(size) as bench:
        await bench.read()
        if size[0] >= 80:
            await bench.sees("Start ^g")
        await bench.pilot.resize_terminal(140, 40)
        await bench.sees("Start ^g")


def fetching(*parts: Downloaded | Exception) -> object:
    """A download that goes as told."""

    def download(entry: CorpusEntry) -> Iterator[Downloaded]:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part

    return download


async def choose_shakespeare(bench: TrainBench) -> None:
    bench.form.query_one("#corpus", Select).value = "shakespeare"
    await bench.until(lambda: "not on this machine yet" in bench.text(".-facts"))
    assert not bench.start_enabled


async def test_a_download_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    error = DownloadError("it could not be fetched", "check the connection")
    monkeypatch.setattr(train_corpus, "download", fetching(Downloaded(10, 100), error))
    async with train_tab() as bench:
        await bench.read()
        await choose_shakespeare(bench)
        await bench.pilot.click("#corpus-download")
        await bench.until(lambda: "check the connection" in bench.text(".-facts"))
        assert not bench.form.corpus.fetching


@pytest.mark.parametrize("address", ["https://here.org/a/notes.txt", "hf:here/notes"])
async def test_an_address_is_downloaded_and_read(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(entry: CorpusEntry) -> Iterator[Downloaded]:
        assert entry.row.url == address
        place = data_folder() / entry.row.file
        yield Downloaded(10, 0)
        file = place / "00000.txt" if address.startswith("hf:") else place
        file.parent.mkdir(parents=True)
        file.write_text("the notes of a day\n" * 400)
        yield Downloaded(7600, 7600, str(place))

    monkeypatch.setattr(train_corpus, "download", download)
    async with train_tab() as bench:
        await bench.read()
        await bench.choose(address)
        await bench.until(lambda: address in bench.text(".-facts"))
        await bench.pilot.click("#corpus-download")
        await bench.until(lambda: bench.form.state.facts and bench.form.state.facts.reference.name == "notes")
        assert bench.form.corpus.is_own


async def test_the_row_in_use_is_told_by_more_than_colour() -> None:
    def bold(name: str) -> bool:
        return bool(bench.row(name).query_one(".-title").rich_style.bold)

    async with train_tab() as bench:
        await bench.read()
        rows = ["n_layer", "n_head"]
        for wanted in rows:
            bench.row(wanted).focus_box()
            await bench.until(lambda wanted=wanted: [row for row in rows if bold(row)] == [wanted])


async def test_a_download_is_cancelled_with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    going, slow = [True], threading.Event()

    def endless(entry: CorpusEntry) -> Iterator[Downloaded]:
        try:
            while True:
                yield Downloaded(10, 100)
                slow.wait(0.02)
        finally:
            going[0] = False

    monkeypatch.setattr(train_corpus, "download", endless)
    async with train_tab() as bench:
        await bench.read()
        await choose_shakespeare(bench)
        await bench.pilot.click("#corpus-download")
        await bench.until(lambda: "Cancel" in bench.keys)
        await bench.pilot.press("escape")
        await bench.until(lambda: "cancelled" in bench.text(".-facts") and not going[0])
        assert "Cancel" not in bench.keys


def test_every_setting_has_a_field_and_comes_back_as_it_was() -> None:
    for preset in ALL_PRESETS.values():
        training = changed(preset.training, {"learning_rate": 0.00123456789})  # more digits than a table would show
        assert draft_of(texts_of(training), None, type(training.architecture)).settings == training
    trained = set(TrainingSettings.__struct_fields__) - {"architecture"}
    assert trained <= form_fields(type(preset.training.architecture)).keys()


async def test_the_cost_follows_what_is_typed_and_the_machine() -> None:
    async with train_tab() as bench:
        await bench.read()
        assert "of time, a rough guess" in bench.text("#budget")
        before = bench.text("#form-summary")
        await bench.set("steps", "50000")
        assert bench.text("#form-summary") != before
        assert " h " in bench.text("#form-summary")
        save_machine(Machine(compute=0.01, memory=0.01, calls=0.01))
        bench.form.update_machine()
        assert "as measured here" in bench.text("#budget")
        assert " h " not in bench.text("#form-summary")


async def test_so_many_minutes_choose_the_net_and_what_was_changed_stays(tmp_path: Path) -> None:
    diary = tmp_path / "diary.txt"
    diary.write_text("".join(f"day {day}: the weather was fine, and nothing else.\n" for day in range(700)))
    async with train_tab() as bench:
        await bench.read()
        bench.form.query_one("#preset", Select).value = "timed"
        await bench.until(lambda: bench.form.state.draft.settings and bench.form.state.draft.settings.minutes == 3)
        assert "by the clock" in bench.text("#budget")
        large = bench.form.state.draft.parameters
        await bench.set("learning_rate", "0.01")
        await bench.set("minutes", "0.2")
        assert bench.form.state.draft.parameters < large
        assert bench.text("#form-summary").split(" · ")[1] == "12 s"
        await bench.choose(diary)
        await bench.until(
            lambda: bench.form.state.facts is not None and bench.form.state.facts.reference.name == "diary"
        )
        settings = bench.form.state.draft.settings
        assert settings is not None
        assert settings.architecture.dropout > 0
        assert (settings.learning_rate, settings.minutes) == (0.01, 0.2)
        assert bench.form.state.preset_name == ""
        assert "changed: learning rate" in bench.text("#preset-note") or "minutes" in bench.text("#preset-note")


async def test_what_may_be_wrong_is_said_also_on_a_small_screen(tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("a few words, and then a few more words.\n" * 40 + "é")
    async with train_tab((80, 24)) as bench:
        await bench.choose(short)
        await bench.until(
            lambda: bench.form.state.facts is not None and bench.form.state.facts.reference.name == "short"
        )
        await bench.sees("! the text is short")
        await bench.pilot.resize_terminal(140, 40)
        await bench.sees("occurs only once (é)")
        assert not bench.screen.query_one("#form-warning").display


async def test_another_net_brings_its_own_settings(tmp_path: Path) -> None:
    async with train_tab((80, 24)) as bench:
        await bench.read()
        await bench.set("beta1", "0.8")  # all settings are open now
        for preset, title, own, others in (
            ("rnn-nano", "n hidden", "n_hidden", "n_head"),
            ("cnn", "kernel size", "kernel_size", "n_hidden"),
            ("backpack", "n sense", "n_sense", "kernel_size"),
            ("bigram", "block size", "block_size", "n_layer"),
            ("quick", "ngram rows", "ngram_rows", "n_sense"),
        ):
            bench.form.query_one("#preset", Select).value = preset
            await bench.until(lambda own=own: bench.screen.query(f"#setting-{own}"))
            await bench.until(lambda others=others: not bench.screen.query(f"#setting-{others}"))
            assert bench.screen.query("#setting-beta1")
            assert bench.form.state.preset_name == preset
            assert bench.start_enabled
            settings = bench.form.settings
            assert settings is not None
            assert type(settings.architecture) is type(ALL_PRESETS[preset].training.architecture)
            bench.screen.query_one(f"#setting-{own}").focus()  # it may have been scrolled away
            await bench.sees(title)
        bench.form.query_one("#preset", Select).value = "backpack"
        await bench.until(lambda: bench.screen.query("#setting-n_sense"))
        await bench.set("n_sense", "5")
        assert "must be divisible by n sense (5); choose 95 or 100" in bench.problem("n_embd")
        await bench.set("n_sense", "6")
        assert "changed: n sense" in bench.text("#preset-note")
        assert bench.start_enabled


async def test_another_training_s_settings_may_be_another_net_s() -> None:
    async with train_tab() as bench:
        await bench.read()
        bench.form.fill(ALL_PRESETS["lstm"].training, {"steps": "7"})
        await bench.until(lambda: bench.screen.query("#setting-n_hidden"))
        await bench.until(lambda: "another architecture than the preset's: lstm" in bench.text("#preset-note"))
        assert bench.form.state.preset_name == ""
        assert bench.form.settings is not None
        assert bench.form.settings.steps == 7
        assert bench.form.settings.architecture.n_hidden == 188


async def test_every_setting_can_be_reached_on_a_small_screen() -> None:
    async with train_tab((80, 24)) as bench:
        await bench.read()
        await bench.set("patience", "3")
        bench.screen.query_one("#setting-patience").focus()
        await bench.sees("patience: stops after this many evaluations without a better one")  # the hint below
        await bench.until(lambda: any(line.split()[:2] == ["patience", "3"] for line in bench.shown.splitlines()))
        await bench.set("stop_at_loss", "1.5")
        bench.screen.query_one("#setting-compile").focus()
        await bench.until(lambda: any(line.split()[:2] == ["compile", "‹"] for line in bench.shown.splitlines()))
        settings = bench.form.settings
        assert settings is not None
        assert (settings.patience, settings.stop_at_loss) == (3, 1.5)


async def test_a_recurrent_net_learns_in_fp32() -> None:
    texts = texts_of(ALL_PRESETS["lstm"].training) | {"precision": "bf16"}
    net = type(ALL_PRESETS["lstm"].training.architecture)
    assert draft_of(texts, None, net).problems == {"precision": "a recurrent model trains in fp32; choose auto or fp32"}
