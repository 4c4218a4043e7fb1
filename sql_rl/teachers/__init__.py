"""Teachers: one file for each backend, behind the Protocol in `base.py`; `open_teacher` picks it.

OpenAI, Groq and HuggingFace are one teacher (`openai.py`) in three dialects (`dialects.py`).
"""

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.settings import Settings
from sql_rl.teachers.base import Teacher


def open_teacher(settings: Settings, secrets: Secrets) -> Teacher:
    """The teacher that the settings name, not yet opened. Raises UsageError if it cannot be had."""
    options = settings.distill
    match options.provider:
        case "offline":
            from sql_rl.teachers.offline import OfflineTeacher

            return OfflineTeacher(options.reasoning_style)
        case "openai" | "groq" | "huggingface":
            from sql_rl.teachers.openai import OpenAITeacher

            return OpenAITeacher(
                model=options.model,
                base_url=settings.base_url,
                secrets=secrets,
                window=options.batch_size,
                timeout=settings.request_timeout,
                provider=options.provider,
                service_tier=options.service_tier,
            )
    raise UsageError(
        f"--provider {options.provider} is not there yet; openai (with --base-url for any server that speaks its "
        "chat API, vllm serve among them), groq, huggingface and offline are"
    )
