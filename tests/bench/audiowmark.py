"""The open peer of the sound mark, where it is on the PATH: audiowmark, through its command line."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from watermark.sound.wav import to_integers

Samples = NDArray[np.float32]
MESSAGE = "5eed0fc010f0405eed0fc010f0405eed"


def at_hand() -> bool:
    return shutil.which("audiowmark") is not None


def embed(samples: Samples, rate: int) -> Samples:
    """Return what `audiowmark add` makes of a sound, of its first two channels at 16 bits."""
    with tempfile.TemporaryDirectory() as folder:
        plain, marked = Path(folder) / "plain.wav", Path(folder) / "marked.wav"
        _write(plain, samples[:, :2], rate)
        subprocess.run(["audiowmark", "add", plain, marked, MESSAGE], check=True, capture_output=True)
        with wave.open(str(marked), "rb") as file:
            data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return data.reshape(-1, file.getnchannels()).astype(np.float32) / 32_768


def reads(samples: Samples, rate: int) -> bool:
    """Whether `audiowmark get` with its search for speeds gives the message back, among whatever else it gives."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.wav"
        _write(copy, samples, rate)
        got = subprocess.run(["audiowmark", "get", copy, "--detect-speed"], check=False, capture_output=True, text=True)
    lines = (line.split() for line in got.stdout.splitlines())
    return any(words[0] == "pattern" and words[2] == MESSAGE for words in lines if len(words) > 2)


def _write(path: Path, samples: Samples, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(to_integers(np.clip(samples, -1, 1), 16).astype("<i2").tobytes())
