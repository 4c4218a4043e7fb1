"""The rows of a file through distilabel: run by compare.py, in an environment that has distilabel and not us.

    python with_distilabel.py URL PROMPTS.jsonl WINDOW FOLDER

Prints how many rows got an answer, as JSON. FOLDER holds its cache, so that the same command may carry on.
"""

import json
import sys
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def main() -> None:
    url, prompts, window, folder = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    rows = [json.loads(line) for line in prompts.open()]
    data = [{"system_prompt": r["system"], "instruction": r["user"]} for r in rows]
    with Pipeline(name="distill", cache_dir=folder) as pipeline:
        load = LoadDataFromDicts(data=data, batch_size=window)
        llm = OpenAILLM(model="gpt-4.1-nano", base_url=url, api_key="none")
        # The batch is what it asks at once; its default of 8 takes 75 s where this takes 20.
        load >> TextGeneration(llm=llm, input_batch_size=window, use_system_prompt=True)
    answers = pipeline.run(use_cache=True)["default"]["train"]["generation"]
    print(json.dumps({"rows": sum(answer is not None for answer in answers)}))


if __name__ == "__main__":
    main()
