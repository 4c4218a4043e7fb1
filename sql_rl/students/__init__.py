"""Students: the models that are trained, behind one Protocol, and the one door to them.

`open_student` picks the backend by the model's name and the machine; `inference.LocalModel` opens what was trained.
"""

import logging
from collections.abc import Iterable

from sql_rl.errors import UsageError
from sql_rl.students.student import Generation, Student, StudentSpec

__all__ = ["Generation", "Student", "StudentSpec", "open_student"]

# PEFT loads it on every machine, and it complains of a kernel for CPUs that nothing here asks for.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def open_student(spec: StudentSpec, corpus: Iterable[str] = (), token: str | None = None) -> Student:
    """The student that `spec` names, loaded and ready to be trained.

    A CUDA GPU with Unsloth trains by Unsloth; everything else, and whoever asks for it, by transformers and PEFT.
    `student.notes` has a line for each thing that was chosen for the user.
    corpus: texts of the dataset (prompts and completions), from which a micro student gets its tokenizer; not read
    for other models. token: for gated models on the Hub.
    Raises UsageError for a model that is not there or does not run on this machine, RefusedError where the Hub refuses.
    """
    from sql_rl.students.loading import find
    from sql_rl.students.plain import PlainStudent, open_plain
    from sql_rl.students.unsloth import open_unsloth, why_not

    source = find(spec.model, token)
    reason = "train.backend says so" if spec.backend == "transformers" else why_not(source)
    if reason is None:
        return open_unsloth(source, spec, token)
    if spec.backend == "unsloth":
        raise UsageError(f"train.backend: Unsloth cannot train {spec.model} here ({reason}): leave it at auto")
    if source.kind == "micro":
        from sql_rl.students.micro import micro

        model, tokenizer = micro(spec.model, corpus, spec.seed)
        return PlainStudent(spec.model, model, tokenizer, "micro", "full")
    return open_plain(source, spec, token, reason)
