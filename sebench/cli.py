"""The command line. Thin: each command imports what it needs and prints what it made and where it lies."""

from __future__ import annotations

import errno
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sebench import locales
from sebench.config.specs import SetSpec
from sebench.errors import ConfigError, RestartNeeded, SebenchError
from sebench.sections import LISTS, ONE, one_of

if TYPE_CHECKING:
    from sebench.artefacts import Store
    from sebench.config.entries import Config
    from sebench.plan.plan import Plan

app = typer.Typer(
    help="Ablation tables of speech enhancement as build targets.", no_args_is_help=True, add_completion=False
)
corpus_app = typer.Typer(help="Corpora: get what is published.", no_args_is_help=True)
app.add_typer(corpus_app, name="corpus")
check_app = typer.Typer(
    help="Check a loss or a model against its contract, or a rendered set against its plan.", no_args_is_help=True
)
app.add_typer(check_app, name="check")

StudyArgument = Annotated[str | None, typer.Argument(help="study; config/config.yaml says which if absent")]
Scale = Annotated[str | None, typer.Option(help="smoke, demo, small or paper")]
Corpus = Annotated[str | None, typer.Option(help="replaces the study's corpus")]
ConfigDir = Annotated[Path, typer.Option("--config-dir", help="configuration folder")]
Results = Annotated[Path | None, typer.Option(help="results folder")]
Force = Annotated[bool, typer.Option("--force", help="replace files that are there; what is read never is")]
Params = Annotated[Path | None, typer.Option(help="file with studies, scale, corpus, profile, as params.yaml")]
CONFIG = Path("config")
RUN_HELP = "a run: its folder, the folder's name, its id, the beginning of one, or its row's label"
_FULL = "free some space (`sebench gc --dry-run` lists what no study needs) and give the same command again"
_NAME = "a folder or file of this name is in the way, or not there: check the path"
_CLOSED = "make the results folder writable, or name another one with --results"
#: What a person can do about a folder that cannot be written to; nothing that is complete there is lost.
FOLDER_HINTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.ENOENT: _NAME,
    errno.ENOTDIR: _NAME,
    errno.EISDIR: _NAME,
    errno.EEXIST: _NAME,
    errno.ENAMETOOLONG: "a shorter name is accepted",
}


def _load(config_dir: Path, results: Path | None) -> tuple[Config, Store]:
    from sebench.artefacts import Store
    from sebench.config.load import load_config
    from sebench.files import expanded

    if config_dir.exists() and not config_dir.is_dir():
        raise SebenchError(f"--config-dir {config_dir}: is a file; accepted: a folder with config.yaml")
    config = load_config(config_dir, strict=False)
    root = expanded(results, "--results") if results else Path(config.settings.results)
    if root.exists() and not root.is_dir():
        raise SebenchError(f"results in {root}: is a file; accepted: a folder, also one that is not there yet")
    return config, Store(root)


def _plans(
    config: Config, store: Store, study: str | None, scale: str | None, corpus: str | None
) -> tuple[list[Plan], str | None]:
    from sebench.plan.build import build_plan, warn_of_the_unused

    names = dict.fromkeys(name.strip() for name in study.split(",")) if study else config.settings.study
    chosen = corpus or config.settings.corpus
    plans = [build_plan(config, name, scale or config.settings.scale, chosen, store) for name in names]
    warn_of_the_unused(config)
    return plans, chosen


@app.command()
def run(
    study: StudyArgument = None,
    scale: Scale = None,
    corpus: Corpus = None,
    cores: Annotated[str, typer.Option("--cores", "-c", help="cores, or 'all'")] = "all",
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
    profile: Annotated[str, typer.Option(help="Snakemake profile, such as slurm")] = "",
    snakemake: Annotated[str, typer.Option(help="further arguments for Snakemake, in one quoted string")] = "",
    params: Params = None,
) -> None:
    """Make a study: everything that is missing, through Snakemake; then print its tables."""
    from sebench.config.params import read_params
    from sebench.plan.summary import said_of_files
    from sebench.run import driver
    from sebench.run.options import snakemake_words
    from sebench.tables.show import show_tables

    if params is not None:
        read = read_params(params)
        study, scale = study or ",".join(read.studies), scale or read.scale
        corpus, profile = corpus or read.corpus or None, profile or read.profile
    extra = snakemake_words(cores, profile, snakemake)
    print("planning", flush=True)
    config, store = _load(config_dir, results)
    plans, chosen = _plans(config, store, study, scale, corpus)
    settings = {
        "study": ",".join(plan.study.name for plan in plans),
        "scale": plans[0].scale,
        "results": str(store.root),
        "config_dir": str(config_dir),
    }
    if chosen:
        settings["corpus"] = chosen
    if params is not None:
        store.make_folders()  # they are outputs for DVC, also where these studies have nothing for one
    status = driver.run(plans, store, settings, cores, extra)
    for plan in plans:
        show_tables(plan, store)
    corpora = {node.key: node for plan in plans for node in plan.nodes.of_kind("corpus")}
    for line in said_of_files(list(corpora.values()), store):
        print(line)
    if status:
        raise typer.Exit(status)


@app.command()
def collect(
    study: Annotated[str, typer.Argument(help="study")],
    folder: Annotated[Path, typer.Argument(help="folder to write to")],
    scale: Scale = None,
    corpus: Corpus = None,
    force: Force = False,
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
    params: Params = None,
) -> None:
    """Write what a finished study shows as files for DVC: tables, metrics.json, training curves."""
    from sebench.config.params import read_params
    from sebench.tables.collect import collect as write

    if params is not None:
        read = read_params(params)
        scale, corpus = scale or read.scale, corpus or read.corpus or None
    config, store = _load(config_dir, results)
    made, _ = _plans(config, store, study, scale, corpus)
    if len(made) != 1:
        raise SebenchError(f"{study}: {len(made)} studies; accepted: one, since each has a folder of its own")
    write(made[0], store, folder, force=force)
    print(f"wrote {folder}/")


@app.command()
def plan(
    study: StudyArgument = None,
    scale: Scale = None,
    corpus: Corpus = None,
    why: Annotated[bool, typer.Option("--why", help="for each new cell, the key that made it new")] = False,
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
) -> None:
    """Say what would run: cells new, done and shared, jobs per rule, disk, time. Nothing is run."""
    from sebench.plan.summary import summarise
    from sebench.plan.why import reasons

    config, store = _load(config_dir, results)
    plans, chosen = _plans(config, store, study, scale, corpus)
    for found in plans:
        lines = reasons(found, store) if why else summarise(config, found, chosen, store, os.cpu_count() or 1)
        for line in lines:
            print(line)


@app.command()
def table(
    study: StudyArgument = None,
    scale: Scale = None,
    corpus: Corpus = None,
    format: Annotated[str, typer.Option("--format", help="terminal, markdown, csv, latex or json")] = "terminal",
    name: Annotated[str | None, typer.Option("--table", help="one table of the study")] = None,
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
) -> None:
    """Print a study's tables: ours beside the paper's. What is not computed yet is a hole that says so."""
    from sebench.tables.show import show_tables

    config, store = _load(config_dir, results)
    plans, _ = _plans(config, store, study, scale, corpus)
    for found in plans:
        show_tables(found, store, format=format, only=name)


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help=one_of(LISTS))],
    config_dir: ConfigDir = CONFIG,
) -> None:
    """List what there is."""
    from rich.console import Console
    from rich.table import Table

    from sebench.catalogue import rows, section_of
    from sebench.plan.build import warn_of_the_unused

    config, _ = _load(config_dir, None)
    warn_of_the_unused(config)
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("name", "made of", "what it is"):
        grid.add_column(column, overflow="fold")
    for row in rows(config, section_of(what)):
        grid.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160, markup=False, emoji=False).print(grid)


@app.command()
def show(
    what: Annotated[str, typer.Argument(help=one_of(tuple(ONE.values())))],
    name: str,
    config_dir: ConfigDir = CONFIG,
) -> None:
    """Show one entry: parameters, formula and source, what it needs."""
    from sebench.catalogue import describe, section_of

    config, _ = _load(config_dir, None)
    for heading, text in describe(config, section_of(what), name):
        print(f"{heading:<22} {text}")


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="delete without asking")] = False,
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
) -> None:
    """List, and delete on request, what no current study needs at any scale."""
    from sebench.run.gc import delete, unneeded

    config, store = _load(config_dir, results)
    if config.problems:  # what a study needs that cannot be read, nobody knows
        raise ConfigError(config.problems)
    items, notes = unneeded(config, store)
    for note in notes:
        print(f"kept, since it cannot be judged: {note}")
    for item in items:
        part = f", {len(item.files)} of its files" if item.files else ""
        print(f"{item.size / 1e6:10.2f} MB  {item.path}{part}")
    print(f"{sum(item.size for item in items) / 1e6:10.2f} MB in {len(items)} files and folders that no study needs")
    if items and not dry_run and (yes or typer.confirm("delete them?")):
        delete(items)
        print("deleted")


@app.command()
def enhance(
    run: Annotated[str, typer.Argument(help=RUN_HELP)],
    source: Annotated[Path, typer.Argument(help="recording: any rate, any length, any number of channels")],
    target: Annotated[Path, typer.Argument(help="file to write: .wav, .flac, .ogg, ...")],
    force: Force = False,
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
) -> None:
    """Enhance a recording with a trained run, on the device of SEBENCH_DEVICE, else the first GPU, else the CPU."""
    from sebench.enhancement.files import enhance_file
    from sebench.enhancement.find import find_run

    _, store = _load(config_dir, results)
    enhance_file(store.folder(find_run(store, run)), source, target, force=force)
    print(f"wrote {target}")


@app.command()
def score(
    estimates: Annotated[list[Path], typer.Argument(help="audio files, or folders of them")],
    metric: Annotated[list[str], typer.Option("--metric", help="a metric, or pesqnet:RUN; may be given several times")],
    clean: Annotated[Path | None, typer.Option(help="folder with a clean file for each, or one file for all")] = None,
    noisy: Annotated[Path | None, typer.Option(help="the same of the unprocessed mixtures")] = None,
    to: Annotated[Path | None, typer.Option("--csv", help="file to write to as well")] = None,
    align: Annotated[
        str | None, typer.Option(help="cut or pad: for estimates up to 0.1 s longer or shorter than their reference")
    ] = None,
    force: Force = False,
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
) -> None:
    """Score audio files by any metric, or by what a trained predictor says of them."""
    from rich.progress import track

    from sebench.scoring import files as scoring
    from sebench.targets import check_target

    config, store = _load(config_dir, results)
    asked = scoring.asked_metrics(config, store, metric)
    found = scoring.audio_in(estimates)
    if to is not None:
        check_target(to, scoring.files_read(found, clean, noisy), force)
    values = scoring.score_files(asked, found, clean, noisy, scoring.checked_align(align))
    scored = list(track(values, "scoring", len(found), transient=True, disable=not sys.stdout.isatty()))
    for line in scoring.in_lines(asked, scored):
        print(line)
    if to is not None:
        scoring.write_scores(to, asked, scored)
        print(f"wrote {to}")
    if not any(count for _, count in scoring.means(asked, scored)):
        raise SebenchError(f"nothing was scored: none of {len(scored)} files has a value; the reasons stand above")


@app.command()
def retry(
    run: Annotated[str, typer.Argument(help=f"{RUN_HELP}; it failed")],
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
) -> None:
    """Clear a recorded failure, with all that follows from it, so that the next run tries again."""
    from sebench.enhancement.find import find_run
    from sebench.run.clear import clear_failure

    _, store = _load(config_dir, results)
    for path in clear_failure(store, find_run(store, run)):
        print(f"removed {path}")


@app.command()
def export(
    what: Annotated[str, typer.Argument(help="a rendered set: its folder's name or id")],
    index: Annotated[int, typer.Argument(help="row")],
    folder: Annotated[Path, typer.Argument(help="folder to write to")],
    force: Force = False,
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
) -> None:
    """Write one mixture of a rendered set as WAV files: noisy, clean, noise."""
    from sebench.synthesis.find import find_set
    from sebench.synthesis.store import AudioStore

    _, store = _load(config_dir, results)
    node = find_set(store, what)
    audio = AudioStore.open(store, node)
    if not 0 <= index < len(audio):
        raise SebenchError(f"{node.stem} has no row {index}; accepted: 0 to {len(audio) - 1}")
    for path in audio.export_wav(index, folder, force=force):
        print(f"wrote {path}")


@check_app.command(name="set")
def check_set(
    what: Annotated[str, typer.Argument(help="a rendered set: its folder's name or id")],
    config_dir: ConfigDir = CONFIG,
    results: Results = None,
) -> None:
    """Measure a rendered set again: SNR, level, peak and length of each mixture, against its plan."""
    from sebench.files import read_parquet
    from sebench.synthesis.find import find_set
    from sebench.synthesis.verify import verify_set

    _, store = _load(config_dir, results)
    node = find_set(store, what)
    index = read_parquet(store.outputs(node)["index.parquet"])
    verify_set(index, store.state(node), SetSpec.of(node.spec).sample_rate)
    print(f"{node.stem}: {len(index)} mixtures are what their plan says")


@check_app.command(name="loss")
def check_loss(
    name: Annotated[str, typer.Argument(help="an entry, a registered loss, or package.module:Class")],
    config_dir: ConfigDir = CONFIG,
) -> None:
    """Hold a loss to the contract of all losses: shape, gradients, silence, padding, bfloat16, what it declares."""
    from sebench.checking import check_losses

    config, _ = _load(config_dir, None)
    for line in check_losses(config, name):
        print(line)


@check_app.command(name="degradation")
def check_degradation(
    name: Annotated[str, typer.Argument(help="an entry, a registered degradation, or package.module:Class")],
    config_dir: ConfigDir = CONFIG,
) -> None:
    """Hold a degradation to the contract of all degradations: length, finite samples, silence, repeatability, delay."""
    from sebench import checking

    config, _ = _load(config_dir, None)
    for line in checking.check_degradation(config, name):
        print(line)


@check_app.command(name="model")
def check_model(
    name: Annotated[str, typer.Argument(help="an entry, a registered model, or package.module:Class")],
    config_dir: ConfigDir = CONFIG,
) -> None:
    """Hold a model to the contract of all models: shapes, views, determinism, gradients, look-ahead, streaming."""
    from sebench import checking

    config, _ = _load(config_dir, None)
    for line in checking.check_model(config, name):
        print(line)


@check_app.command(name="stage")
def check_stage(
    name: Annotated[str, typer.Argument(help="a registered kind of stage, or package.module:Class")],
    config_dir: ConfigDir = CONFIG,
) -> None:
    """Hold a kind of stage to the contract of all: resumed = uninterrupted, what is frozen stays, what is published."""
    from sebench import checking

    _load(config_dir, None)  # its `python_path` says where packages from outside are
    for line in checking.check_stage(name):
        print(line)


@corpus_app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="corpus, as in config/corpora")],
    to: Annotated[Path | None, typer.Option(help="folder to unpack to; data/NAME if absent")] = None,
    base_url: Annotated[str, typer.Option(help="address of a folder with the archives, such as a mirror's")] = "",
    keep_archives: Annotated[bool, typer.Option(help="leave the archives beside what was unpacked")] = False,
    config_dir: ConfigDir = CONFIG,
) -> None:
    """Fetch a corpus's published archives, check and unpack them. Interrupted, the same command goes on."""
    from sebench.corpora.fetch import fetch_corpus

    config, _ = _load(config_dir, None)
    fetch_corpus(config, name, to, base_url, keep_archives)


@app.command()
def versions(
    update: Annotated[
        bool, typer.Option("--update", help="write the lock, after a decision about each version")
    ] = False,
) -> None:
    """Compare the code of items and algorithms with the versions they carry."""
    from sebench.config import versions as lock

    found = list(lock.stale())
    for line in found:
        print(line)
    if update:
        lock.update()
        print(f"wrote {lock.LOCK}")
    elif found:
        raise typer.Exit(1)
    else:
        print("every version belongs to its code")


@app.command(hidden=True)
def step(
    kind: str,
    stem: str,
    results: Annotated[str, typer.Option()] = "results",
    threads: Annotated[int, typer.Option()] = 1,
) -> None:
    """Make one artefact from its frozen file: what the rules call."""
    from sebench.process.cluster import requeue
    from sebench.process.workers import seconds_alive
    from sebench.run.steps import run_step

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        run_step(kind, stem, results, threads)
        logging.info("done %.2f s after this process started", seconds_alive())
    except RestartNeeded as error:
        if error.progressed and requeue():
            logging.info("%s", error)
        raise


#: Options for which an empty text is what they have without being given.
MAY_BE_EMPTY = ("--profile", "--snakemake", "--base-url")


def _refuse_empty_words(words: list[str]) -> None:
    """An empty word, as of a variable that is not set, would be taken for the working folder or for no word at all."""
    for before, word in zip(["", *words], words, strict=False):
        option, _, value = word.partition("=") if word.startswith("--") else (before, "", word)
        if not value and (not word or "=" in word) and option not in MAY_BE_EMPTY:
            place = f"{option}: " if option.startswith("-") else ""
            raise SebenchError(f"{place}an empty word; accepted: a name or a path (a variable that is not set?)")


def main() -> None:
    """Entry point: errors made for people are printed without a traceback."""
    locales.open_what_is_closed()
    locales.use_utf8()
    locales.go_on_unread()
    locales.print_what_can_be_shown()
    try:
        _refuse_empty_words(sys.argv[1:])
        app(standalone_mode=True)
    except RestartNeeded as error:
        print(f"sebench: stopped: {error}", file=sys.stderr)
        sys.exit(RestartNeeded.exit_code)
    except SebenchError as error:
        print(f"sebench: {error}", file=sys.stderr)
        sys.exit(1)
    except (ImportError, MemoryError) as error:
        if (getattr(error, "name", None) or "").startswith("sebench"):
            raise
        print(f"sebench: not possible on this machine: {type(error).__name__}: {error}".strip(": "), file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        # Of the machine or of a path that a person gave: what it says, and of what, is all that can be acted on.
        told = f"{error.filename or 'reading or writing'}: {error.strerror}" if error.strerror else str(error)
        hint = FOLDER_HINTS.get(error.errno or 0)
        print(f"sebench: {' '.join(told.split())}" + (f"; {hint}" if hint else ""), file=sys.stderr)
        sys.exit(1)
