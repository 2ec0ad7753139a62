"""The command line: doctor, assets, recommend, evaluate, serve. Bad use or data ends with one line and exit code 2."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
import warnings
from pathlib import Path

import pandas as pd

from llmrec_lab import __version__
from llmrec_lab.catalog import Catalog, Interactions
from llmrec_lab.columns import ITEM, TITLE, USER
from llmrec_lab.errors import AssetError, DataError, LabError
from llmrec_lab.text import clean, language

ENCODERS = {"en": "minilm", "zh": "e5"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what stands behind `llmrec`; those of the process if left out.

    Returns:
        The exit code: 0, 1 if `doctor` found something to mend, 2 for bad use or bad data.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # says so before it is asked, which avoids a warning
    try:
        options = parser().parse_args(arguments)
        code = options.run(options)
        sys.stdout.flush()
        return code
    except LabError as problem:
        print(f"llmrec: {clean(problem)}", file=sys.stderr)  # clean: one line, whatever the message quotes
    except KeyboardInterrupt:
        print("llmrec: interrupted; run it again to go on", file=sys.stderr)
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        drop_output()
        return 0
    except OSError as problem:
        print(f"llmrec: {problem.strerror or clean(problem)}; make room, or name another place", file=sys.stderr)
        drop_output()
    return 2


def drop_output() -> None:
    """Send what is not printed yet nowhere: there is no reader, or no room."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; argparse would print its usage first."""

    def error(self, message: str):
        raise DataError(f"{message}; see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = Parser("llmrec", description="Recommendation with language models, offline.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="check that everything the course needs is there")
    doctor.set_defaults(run=run_doctor)
    assets = commands.add_parser("assets", help="fetch and verify the models and the data, and list them")
    assets.add_argument("--encode", action="store_true", help="also encode the films, so that the first answer is quick")
    assets.set_defaults(run=run_assets)
    recommend = commands.add_parser("recommend", help="recommend items for a sentence, or for a known user")
    recommend.add_argument("text", metavar="TEXT", help="what you like, in English or Chinese; or a user id")
    recommend.add_argument("--k", type=int, help="how many items (default 10)")
    recommend.add_argument("--lang", choices=["auto", "en", "zh"], default="auto", help="language of TEXT (default auto)")
    recommend.set_defaults(run=run_recommend)
    evaluate = commands.add_parser("evaluate", help="rank what users met next, and compare with other recommenders")
    evaluate.add_argument("--targets", type=int, default=1, help="how many last items of a user to ask for (default 1)")
    evaluate.add_argument("--users", type=int, default=10_000, help="of more users, ask so many (default 10,000)")
    evaluate.add_argument("--encoder", default="minilm", help="reads the titles: minilm (default), or e5 for many languages")
    evaluate.set_defaults(run=run_evaluate)
    serve = commands.add_parser("serve", help="serve the live page, whose list follows every click")
    serve.add_argument("--host", default="127.0.0.1", help="the address to serve at (default 127.0.0.1: this machine only)")
    serve.add_argument("--port", type=int, default=8000, help="the port (default 8000; 0 finds a free one)")
    serve.add_argument("--encoder", default="minilm", help="reads the words: minilm (default), or e5 for many languages")
    serve.add_argument("--log", metavar="FILE", help="where events are kept (default events.db in the folder LLMREC_HOME)")
    serve.set_defaults(run=run_serve)
    for command in (recommend, evaluate, serve):
        command.add_argument("--items", metavar="FILE.csv", help="your own items: columns item_id, title, and more text")
        command.add_argument("--interactions", metavar="FILE.csv", help="your own events: user_id, item_id, timestamp")
        command.add_argument("--data", metavar="PATH", help="MovieLens or Amazon files, or a name to fetch, such as ml-1m")
    for command in (recommend, evaluate):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return top


def run_doctor(options) -> int:
    """Print an OK or FAIL line per requirement, with the mend; 1 if any failed."""
    from llmrec_lab.doctor import examine

    findings = examine()
    for finding in findings:
        print(f"{'OK  ' if finding.ok else 'FAIL'} {finding.what}" + ("" if finding.ok else f": {finding.mend}"))
    return 0 if all(finding.ok for finding in findings) else 1


def run_assets(options) -> int:
    """Fetch what is missing, then print a row per file."""
    from llmrec_lab.assets import repair

    rows = pd.DataFrame(repair(quiet=not sys.stderr.isatty()))
    rows["MB"] = (rows["bytes"] / 1e6).round(1)
    rows["sha256"] = rows["sha256"].str[:12]
    print(rows[["asset", "file", "MB", "sha256", "state", "source", "license"]].to_string(index=False))
    if options.encode:
        encode_films()
    return 0


def encode_films() -> None:
    """Join the films, convert e5, and encode the catalog and its concepts with both encoders; quick when that was done."""
    from llmrec_lab.datasets.films import load_films
    from llmrec_lab.encoder import load_encoder
    from llmrec_lab.recommender import Recommender

    catalog = load_films().catalog
    for name in ENCODERS.values():
        encoder = load_encoder(name)
        if not sys.stderr.isatty() and not encoder.is_cached(list(catalog.texts)):
            print(f"encoding {len(catalog):,} films with {name}: a minute or two, once", file=sys.stderr)
        _ = Recommender(catalog, encoder, progress=sys.stderr.isatty()).concepts


def run_recommend(options) -> int:
    """Print a slate, as text or JSON."""
    start = time.perf_counter()
    from llmrec_lab.quick import QuickEncoder
    from llmrec_lab.recommender import Recommender

    text = clean(options.text)
    if options.k is not None and options.k < 1:
        raise DataError(f"--k came as {options.k}; pass a whole number of at least 1")
    catalog, interactions = read_data(options)
    k = options.k or min(10, len(catalog))
    spoken = language(text) if options.lang == "auto" else options.lang
    lab = Recommender(catalog, QuickEncoder(ENCODERS[spoken]), progress=sys.stderr.isatty())
    if interactions is not None:
        lab.fit_prior(interactions)
        if lab.knows(text):
            lab.fit(interactions)
    slate = lab.recommend(text, k)
    if options.json:
        interests = None if lab.knows(text) else lab.interests(text)
        print(json.dumps(as_json(text, interests, slate, time.perf_counter() - start), ensure_ascii=False, indent=2))
    else:
        print(slate if len(slate) else f"nothing is left to recommend: {text} has seen every item")
    return 0


def run_evaluate(options) -> int:
    """Print the tables of an evaluation, as text or JSON."""
    from llmrec_lab.encoder import load_encoder
    from llmrec_lab.evaluation import evaluate

    if options.users < 1:
        raise DataError(f"--users came as {options.users}; pass a whole number of at least 1")
    catalog, interactions = read_data(options)
    if interactions is None:
        raise DataError("--items came without --interactions; name the file of who met what when")
    bar = sys.stderr.isatty()
    found = evaluate(catalog, interactions, load_encoder(options.encoder), options.targets, options.users, progress=bar)
    today = datetime.date.today().isoformat()
    print(json.dumps({"date": today} | found.to_json(), ensure_ascii=False, indent=2) if options.json else found)
    return 0


def run_serve(options) -> int:
    """Serve the live page until it is interrupted."""
    try:
        from llmrec_lab.serve import listen, serve
    except ModuleNotFoundError as problem:
        raise AssetError(f"the live page needs {problem.name}; pip install '.[serve]' in the checkout") from None
    from llmrec_lab.assets import home
    from llmrec_lab.event_log import SQLiteLog
    from llmrec_lab.quick import QuickEncoder
    from llmrec_lab.recommender import Recommender
    from llmrec_lab.tokens import load_secret

    path = Path(options.log or home() / "events.db")
    secret = load_secret(path.with_suffix(".secret"))
    with listen(options.host, options.port) as listening, SQLiteLog(path) as log:  # before the data, which takes seconds
        catalog, interactions = read_data(options)
        lab = Recommender(catalog, QuickEncoder(options.encoder), progress=sys.stderr.isatty())
        serve(lab if interactions is None else lab.fit(interactions), log, secret, listening, options.host)
    return 0


def read_data(options) -> tuple[Catalog, Interactions | None]:
    """The catalog and the interactions that the options name: the user's files, a published data set, or the films."""
    if options.data is not None:
        if options.items is not None or options.interactions is not None:
            raise DataError("--data came with --items or --interactions; name one or the other")
        from llmrec_lab.datasets.formats import load_dataset

        data = load_dataset(options.data)
        return data.catalog, data.interactions
    if options.items is not None:
        interactions = None if options.interactions is None else Interactions.from_frame(read_csv(options.interactions))
        return catalog_from_csv(read_csv(options.items)), interactions
    if options.interactions is not None:
        raise DataError("--interactions came without --items; name the file of the items too")
    from llmrec_lab.datasets.films import load_films

    films = load_films()
    return films.catalog, films.interactions


def read_csv(path: str) -> pd.DataFrame:
    """A CSV file with its cells as they stand; ids such as 007 keep their zeros."""
    try:
        with open(path, "rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            header = stream.readline().decode("utf-8", "replace")
            if "," not in header and (";" in header or "\t" in header):
                raise ValueError("its columns are not separated by commas")
            stream.seek(0)
            types = {USER: str, ITEM: str, TITLE: str}
            return pd.read_csv(stream, dtype=types, na_values=[""], keep_default_na=False, index_col=False)
    except (OSError, ValueError, pd.errors.ParserWarning) as problem:  # errors of parsing and encoding are ValueErrors
        reason = problem.strerror if isinstance(problem, OSError) else str(problem).splitlines()[0]
        raise DataError(f"cannot read {path}: {reason}; pass a CSV file in UTF-8 with a header line") from None


def catalog_from_csv(frame: pd.DataFrame) -> Catalog:
    """A catalog from a table: every column of words is read, and those whose values repeat become facets.

    Args:
        frame: needs item_id and title.

    Returns:
        A Catalog.

    Example:
        >>> frame = pd.DataFrame({"item_id": ["1", "2"], "title": ["A", "B"], "kind": ["tea", "tea"], "price": [1.0, 2.0]})
        >>> catalog = catalog_from_csv(frame)
        >>> catalog.texts.tolist(), list(catalog.facets)
        (['A tea', 'B tea'], ['kind'])
    """
    words = [name for name in frame if name not in (ITEM, TITLE) and not pd.api.types.is_numeric_dtype(frame[name])]
    facets = [
        name for name in words if frame[name].nunique() <= len(frame) / 2 and frame[name].astype(str).str.len().mean() < 40
    ]
    return Catalog.from_frame(frame, [TITLE, *words] if TITLE in frame else None, facets)


def as_json(text: str, interests, slate, seconds: float) -> dict:
    """The object that `--json` prints."""
    items = [
        {"item_id": item_id, "title": title, "score": float(score), "parts": dict(zip(slate.part_names, map(float, parts)))}
        for item_id, title, score, parts in zip(slate.item_ids, slate.titles, slate.scores, slate.parts)
    ]
    wanted = [] if interests is None else zip(interests.labels, map(float, interests.weights))
    listed = [{"label": label, "weight": weight} for label, weight in wanted]
    return {"query": text, "interests": listed, "items": items, "seconds": round(seconds, 3)}


def run() -> None:
    """`main` as the `llmrec` command; leaves without taking torch apart, which needs half a second and changes nothing."""
    sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a title shows ? for a letter
    warnings.formatwarning = lambda message, *_, **__: f"llmrec: {message}\n"
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
