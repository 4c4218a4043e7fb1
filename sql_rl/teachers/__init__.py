"""Teachers: one file for each backend, behind the Protocol in `base.py`; `open_teacher` picks it.

OpenAI, Groq and HuggingFace are one teacher (`openai.py`) in three dialects (`dialects.py`).
"""

from pathlib import Path

from sql_rl.configure import Secrets
from sql_rl.errors import UsageError
from sql_rl.prompts import load_prompts
from sql_rl.settings import Settings
from sql_rl.teachers.base import Teacher


def open_teacher(settings: Settings, secrets: Secrets, folder: Path = Path()) -> Teacher:
    """The teacher that the settings name, not yet opened. Raises UsageError if it cannot be had.

    folder: the run's, where an engine in process writes its log.
    """
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
                stop=options.stop,
            )
        case "vllm":
            return _vllm(settings, secrets, folder)


def _vllm(settings: Settings, secrets: Secrets, folder: Path) -> Teacher:
    from sql_rl.teachers.few_shot import few_shot
    from sql_rl.teachers.vllm import LOG, VllmTeacher
    from sql_rl.teachers.vllm_engine import EngineSettings
    from sql_rl.teachers.vllm_problems import check_folder, check_gpus, check_installed

    options = settings.distill
    if settings.base_url:
        raise UsageError(
            "--base-url names a server, and --provider vllm runs the model in this program: "
            "use --provider openai for the server, or leave --base-url out"
        )
    check_installed()
    check_folder(options.model)
    if not options.use_ray:  # else the GPUs are the workers'
        check_gpus(settings.tensor_parallel_size)
    prompts = load_prompts(options.reasoning_style, Path(options.templates) if options.templates else None)
    engine = EngineSettings(
        model=str(Path(options.model).expanduser()),
        max_seq_length=settings.max_seq_length,
        tensor_parallel_size=settings.tensor_parallel_size,
        gpu_memory_utilization=settings.gpu_memory_utilization,
        dtype=settings.dtype,
        hf_token=secrets.hf_token,
    )
    return VllmTeacher(engine, few_shot(prompts, options.reasoning_style), folder / LOG)
