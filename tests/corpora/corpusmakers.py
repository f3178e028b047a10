"""Small corpora in the layouts of real ones, made of short cuts of the sample recordings."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import soundfile
from makers import encode

SECONDS = 0.5
COLUMNS = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment"


@cache
def sound(samples: Path, number: int = 0, kind: str = "flac", seconds: float = SECONDS) -> bytes:
    """A file with the cut of that number; each number gives another cut, at 16 kHz."""
    name = ("librispeech_1255_a.flac", "librispeech_19_a.flac")[number % 2]
    start = 4000 * (number // 2 % 4) + number
    cut, rate = soundfile.read(samples / name, start=start, frames=round(seconds * 16_000), dtype="float32")
    assert (rate, len(cut)) == (16_000, round(seconds * 16_000))
    return encode(kind, cut, rate)


def put(path: Path, content: bytes | str) -> Path:
    """A file with the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def folders(root: Path, samples: Path, speakers: int = 3, files: int = 2) -> Path:
    """A folder per speaker, the first with a folder per session; and what must be ignored."""
    for speaker in range(speakers):
        for number in range(files):
            session = f"day {number}/" if speaker == 0 else ""
            put(root / f"speaker {speaker}/{session}{number}.flac", sound(samples, speaker * files + number))
        put(root / f"speaker {speaker}/notes.txt", "nothing to hear")
        put(root / f"speaker {speaker}/.DS_Store", b"\0\1")
        put(root / f"speaker {speaker}/._0.flac", b"\0\1")
    return root


SPEAKERS = """\
;ID  |SEX| SUBSET           |MINUTES| NAME
19   | F | train-clean-100  | 25.19 | Kara Shallenberg
60   | M | train-clean-100  | 20.18 | Paul | Someone
84   | F | dev-clean        | 08.02 | Christie Nowak
"""


def librispeech(root: Path, samples: Path) -> Path:
    """Two subsets, three speakers, two utterances each."""
    base = root / "LibriSpeech"
    places = [("train-clean-100", 19, 198), ("train-clean-100", 60, 121082), ("dev-clean", 84, 121123)]
    for subset, speaker, chapter in places:
        for number in range(2):
            name = f"{subset}/{speaker}/{chapter}/{speaker}-{chapter}-{number:04}.flac"
            put(base / name, sound(samples, speaker + number))
        put(base / f"{subset}/{speaker}/{chapter}/{speaker}-{chapter}.trans.txt", "SPOKEN WORDS\n")
    put(base / "SPEAKERS.TXT", SPEAKERS)
    return root


def voxceleb1(root: Path, samples: Path) -> Path:
    """dev/wav and test/wav, with the meta table."""
    for split, speaker in (("dev", "id10001"), ("dev", "id10002"), ("test", "id10270")):
        for number in range(2):
            put(root / f"{split}/wav/{speaker}/vid-{number}/0000{number + 1}.wav", sound(samples, number, "wav-16"))
    rows = ["VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet", "id10001\tA.J._Buckley\tm\tIreland\tdev"]
    put(root / "vox1_meta.csv", "\n".join([*rows, "id10270\tEartha_Kitt\tf\tUSA\ttest", ""]))
    return root


def voxceleb2(root: Path, samples: Path) -> Path:
    """dev/aac with M4A, the meta table with commas and spaces."""
    for speaker in ("id00012", "id00015"):
        put(root / f"dev/aac/{speaker}/21Uxsk56VDQ/00001.m4a", sound(samples, int(speaker[-1]), "m4a"))
    put(root / "vox2_meta.csv", "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000012 ,m ,dev \n")
    return root


def commonvoice_files(samples: Path, language: str) -> dict[str, bytes]:
    """Name -> content below a release's folder: two speakers, three listed clips, one that no table lists."""
    lines = {
        "train": [("a" * 8, 1, '"No, he said.', "male_masculine")],
        "dev": [("b" * 8, 2, "Yes.", "female")],
        "test": [],
        "validated": [("a" * 8, 1, '"No, he said.', "male_masculine"), ("a" * 8, 3, "Or so.", "")],
    }
    files = {}
    for table, rows in lines.items():
        text = [f"{who}\tcv_{language}_{n}.mp3\t{said}\t2\t0\t\t{sex}\t\t{language}\t" for who, n, said, sex in rows]
        files[f"{language}/{table}.tsv"] = "\n".join([COLUMNS, *text, ""]).encode()
    for number in range(1, 5):
        files[f"{language}/clips/cv_{language}_{number}.mp3"] = sound(samples, number, "mp3")
    return files


def commonvoice(root: Path, samples: Path, languages: tuple[str, ...] = ("de", "en")) -> Path:
    """A release with several languages."""
    for language in languages:
        for name, content in commonvoice_files(samples, language).items():
            put(root / "cv-corpus-17.0" / name, content)
    return root


def archive(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """A tar archive, gzipped if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def commonvoice_archive(path: Path, samples: Path, language: str = "en", tables_first: bool = True) -> Path:
    """One language of a release as it is downloaded."""
    files = commonvoice_files(samples, language)
    names = sorted(files, key=lambda name: name.endswith(".tsv") != tables_first)
    return archive(path, ((f"cv-corpus-17.0/{name}", files[name]) for name in names))


def kaldi(root: Path, samples: Path, segments: bool = False) -> Path:
    """A data folder with two recordings of two speakers, each in two segments where asked."""
    for number in range(2):
        put(root / f"wav/r{number}.wav", sound(samples, number, "wav-16"))
    put(root / "wav.scp", "r0 wav/r0.wav\nr1 wav/r1.wav\n")
    names = [f"r{number}-{half}" for number in range(2) for half in range(2)] if segments else ["r0", "r1"]
    put(root / "utt2spk", "".join(f"{name} spk{name[1]}\n" for name in names))
    put(root / "utt2lang", "".join(f"{name} fr\n" for name in names))
    put(root / "spk2gender", "spk0 f\nspk1 m\n")
    if segments:
        put(root / "segments", "".join(f"{name} {name[:2]} 0.{name[3]}0 0.{name[3]}5\n" for name in names))
    return root


def cut(name: str, source: str, **changed: Any) -> dict[str, Any]:
    """A MonoCut as lhotse writes it."""
    told = {"id": name, "recording_id": "rec", "start": 0.0, "duration": 0.25, "channel": 0, "text": "words"}
    recording = {
        "id": "rec",
        "sources": [{"type": "file", "channels": [0], "source": source}],
        "sampling_rate": 16_000,
        "num_samples": 8000,
        "duration": 0.5,
        "channel_ids": [0],
    }
    supervision = told | {"speaker": "anna", "language": "English", "gender": "Female"}
    own = {"id": name, "start": 0.125, "duration": 0.25, "channel": 0, "type": "MonoCut"}
    return own | {"supervisions": [supervision], "recording": recording} | changed


def lhotse(root: Path, samples: Path, cuts: Iterable[dict[str, Any]] | None = None) -> Path:
    """A gzipped manifest of two cuts, or of those given, and one recording."""
    put(root / "audio/a.flac", sound(samples))
    listed = [cut("c1", "audio/a.flac"), cut("c2", "audio/a.flac")] if cuts is None else cuts
    text = "".join(json.dumps(one) + "\n" for one in listed)
    put(root / "corpus_cuts_train.jsonl.gz", gzip.compress(text.encode()))
    return root


TABLE = """\
source\tlicence\tsplit\tspeaker\tsession\tutterance\tpath\tlanguage
one\tMIT\ttrain\t7\t-\tu1\tone/a.flac\ten
two\tMIT\tdev\t7\troom\tu1\ttwo/b.flac\tde
two\tMIT\tunlabelled\tnobody\t-\tu2\ttwo/c.flac\t-
two\tMIT\tnoise\t-\t-\tu3\ttwo/d.flac\t-
"""


def table(root: Path, samples: Path, text: str | bytes = TABLE) -> Path:
    """A table of two sources with one labelled recording each, an unlabelled one, and a noise."""
    for number, name in enumerate(("one/a", "two/b", "two/c", "two/d")):
        put(root / f"{name}.flac", sound(samples, number))
    put(root / "manifest.tsv", text)
    return root
