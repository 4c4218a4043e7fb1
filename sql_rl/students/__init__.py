"""Students: the models that are trained, behind one Protocol, and the one door to them.

`open_student` picks the backend by the model's name and the machine; `inference.LocalModel` opens what was trained.
"""

from collections.abc import Iterable

from sql_rl.errors import UsageError
from sql_rl.students.student import Generation, Student, StudentSpec

__all__ = ["Generation", "Student", "StudentSpec", "open_student"]


def open_student(spec: StudentSpec, corpus: Iterable[str] = (), token: str | None = None) -> Student:
    """The student that `spec` names, loaded and ready to be trained.

    corpus: texts of the dataset (prompts and completions), from which a micro student gets its tokenizer; not read
    for other models. token: for gated models on the Hub.
    Raises UsageError for a model that is not there or does not run on this machine, RefusedError where the Hub refuses.
    """
    from sql_rl.students.micro import NAMES, micro
    from sql_rl.students.plain import PlainStudent

    if spec.model in NAMES:
        model, tokenizer = micro(spec.model, corpus, spec.seed)
        return PlainStudent(spec.model, model, tokenizer, "micro", "full")
    raise UsageError(f"{spec.model}: only micro students can be opened so far")
