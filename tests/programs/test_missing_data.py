"""Programs that measure on real data: where it is missing each says so in a line, before it begins."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "benchmarks/engine.py server": "train_rows.parquet: no such file",
    "benchmarks/engine.py offline": "train_rows.parquet: no such file",
    "benchmarks/ray_scaling.py": "train_rows.parquet: no such file",
    "benchmarks/judge_speed.py": "shared/data/spider is missing",
    "benchmarks/judge_accuracy.py": "shared/data/spider is missing",
    "benchmarks/evaluate_speed.py": "shared/data/spider is missing",
    "benchmarks/chat_dialects.py nowhere": "nowhere has no dev.json",
    "benchmarks/gpu_path.py --out out --dry-run": "has no train_rows.parquet",
    "benchmarks/vllm_gemma.py out": "gretel/rows.jsonl is missing",
    "-m benchmarks.peers.evaluate.compare": "shared/data/spider is missing",
}


@pytest.mark.parametrize(("line", "said"), PROGRAMS.items())
def test_missing_data_is_told(tmp_path: Path, line: str, said: str):
    shutil.copytree(ROOT / "benchmarks", tmp_path / "main/benchmarks")
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, *line.split()], cwd=tmp_path / "main", env=environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert said in ended.stderr.splitlines()[-1]
