"""A newer librdkafka than the distribution's: the one inside the Python package confluent-kafka."""

import ctypes
import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "servers" / "librdkafka"


def newer():
    """The library's path; fetched once into build/servers."""
    if not find():
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", FOLDER,
                   "confluent-kafka"]
        subprocess.run([str(word) for word in command], check=True)
        for wheel in FOLDER.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(FOLDER, [name for name in archive.namelist() if "/librdkafka" in name])
    found = find()
    if not found:
        raise SystemExit(f"bench: the package confluent-kafka brought no librdkafka into {FOLDER}")
    return found


def find():
    return next(iter(sorted(FOLDER.glob("*.libs/librdkafka*.so*"))), None)


def version_of(library):
    """As the library itself says."""
    loaded = ctypes.CDLL(str(library))
    loaded.rd_kafka_version_str.restype = ctypes.c_char_p
    return loaded.rd_kafka_version_str().decode()
