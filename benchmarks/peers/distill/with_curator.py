"""The rows of a file through bespokelabs-curator: run by compare.py, in an environment that has curator and not us.

    python with_curator.py URL PROMPTS.jsonl WINDOW FOLDER

Prints how many rows got an answer, as JSON. FOLDER holds its cache, so that the same command may carry on.
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

# Nothing is fetched: the tokenizer that it counts with lies in the package of litellm, which it depends on.
TOKENIZERS = Path(find_spec("litellm").origin).parent / "litellm_core_utils" / "tokenizers"
os.environ |= {
    "TELEMETRY_ENABLED": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "TIKTOKEN_CACHE_DIR": str(TOKENIZERS),
    "OPENAI_API_KEY": "none",
}

from bespokelabs import curator  # noqa: E402 (it reads the environment when it is imported)


class Teacher(curator.LLM):
    def prompt(self, row: dict) -> list[dict[str, str]]:
        return [{"role": "system", "content": row["system"]}, {"role": "user", "content": row["user"]}]

    def parse(self, row: dict, response: str) -> dict:
        return {"user": row["user"], "answer": response}


def main() -> None:
    url, prompts, window, folder = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    rows = [json.loads(line) for line in prompts.open()]
    limits = {
        "base_url": url,
        "max_concurrent_requests": window,
        "max_requests_per_minute": 1_000_000,
        "max_tokens_per_minute": 10_000_000_000,
        "max_retries": 3,
        "require_all_responses": False,
    }
    teacher = Teacher(model_name="gpt-4.1-nano", backend="openai", backend_params=limits)
    answers = teacher(rows, working_dir=folder)
    answers = getattr(answers, "dataset", answers)
    print(json.dumps({"rows": sum(answer is not None for answer in answers["answer"])}))


if __name__ == "__main__":
    main()
