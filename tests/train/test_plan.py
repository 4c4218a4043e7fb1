"""The plan: the arithmetic of batches, what is refused with both numbers, and that every value reaches TRL."""

import dataclasses

import pytest

from sql_rl.errors import UsageError
from sql_rl.settings import Settings, TrainSettings
from sql_rl.train import plan


def settings(**train) -> Settings:
    return Settings(max_prompt_length=512, max_seq_length=2048, train=TrainSettings(**train))


@pytest.mark.parametrize(
    ("batch", "accumulation", "shared", "iterations", "group", "processes", "completions", "groups", "stride"),
    [
        (8, 4, None, 1, 8, 1, 32, 4, 1),
        (8, 4, None, 1, 8, 2, 64, 8, 1),
        (16, 4, 4, 2, 8, 1, 64, 8, 2),  # two passes over each generation: two optimizer steps
        (4, 2, 4, 1, 8, 1, 16, 2, 2),  # a generation lasts for two optimizer steps
        (8, 4, 2, 1, 8, 1, 16, 2, 1),  # two generations in one optimizer step
    ],
)
def test_batches(batch, accumulation, shared, iterations, group, processes, completions, groups, stride):
    found = plan.batches(
        TrainSettings(
            batch_size=batch,
            gradient_accumulation_steps=accumulation,
            steps_per_generation=shared,
            num_iterations=iterations,
            num_generations=group,
            save_steps=24,
            eval_steps=24,
        ),
        processes,
    )
    assert (found.completions, found.groups, found.stride) == (completions, groups, stride)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"num_generations": 7}, r"num_generations: 7 does not divide the 32 completions .* take 8"),
        ({"gradient_accumulation_steps": 4, "steps_per_generation": 6, "num_generations": 4}, "4 and the 6 forward"),
        ({"num_iterations": 3, "save_steps": 25}, "save_steps: 25 is not a multiple of the 3 steps .* take 27"),
        ({"num_iterations": 2, "save_steps": 50}, "eval_steps: 25 is not a multiple of the 2 steps .* take 26"),
        ({"max_completion_length": 1800}, "1800 and max_prompt_length 512 are 2312 tokens, but max_seq_length is 2048"),
        ({"reward_mismatch": 1.0}, "reward_match: 1.0 must be above .* mismatch 1.0"),
        ({"use_vllm": "server"}, "needs train.vllm_server_base_url"),
        ({"model": "micro", "use_vllm": "colocate"}, "use_vllm: colocate: vLLM cannot load micro"),
        ({"model": "a.gguf", "use_vllm": "server", "vllm_server_base_url": "http://gpu"}, "cannot load a.gguf"),
        ({"sft_stop_at": 0.5}, "sft_stop_at: 0.5 would never be seen: SFT watches 100 rows every 0 steps"),
        ({"full_finetuning": True, "load_in_4bit": True}, "cannot be trained"),
    ],
)
def test_what_cannot_work_is_refused_with_both_numbers(train, said):
    with pytest.raises(UsageError, match=said):
        plan.check(settings(**train))


def test_several_processes_and_resampling_exclude_each_other(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="resample_groups: 1 needs one process, there are 2"):
        plan.check(settings(resample_groups=1))


def test_rollouts_are_spread_over_whole_processes(monkeypatch):
    parted = dataclasses.replace(settings(use_vllm="colocate"), tensor_parallel_size=2)
    with pytest.raises(UsageError, match="tensor_parallel_size: 2 does not divide the 1 processes"):
        plan.check(parted)
    monkeypatch.setenv("WORLD_SIZE", "4")
    plan.check(parted)
    monkeypatch.delenv("WORLD_SIZE")
    plan.check(dataclasses.replace(settings(use_vllm="never"), tensor_parallel_size=2))


def test_several_processes_cannot_stop_at_what_one_of_them_watches(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match=r"sft_stop_at: 0\.5 is watched by one process, and there are 2"):
        plan.check(settings(sft_stop_at=0.5, sft_eval_steps=10))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("ACCELERATE_USE_FSDP", "true", "FSDP"), ("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3", "ZeRO-3")],
)
def test_sharded_weights_are_refused(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"with {said} no process has whole weights"):
        plan.check(settings())


def test_steps_come_from_epochs_unless_they_are_given():
    def steps(**train) -> tuple[int, int]:
        s = settings(**train)
        return plan.sft_arguments(s, plan.folder_of(s.train), 100, {})["max_steps"], plan.grpo_steps(s.train, 100)

    assert steps(num_train_sft_epochs=2, num_train_grpo_epochs=1) == (7, 25)  # 200 rows of 32; 100 questions of 4
    assert steps(sft_max_steps=3, grpo_max_steps=5) == (3, 5)
    assert steps(sft_max_steps=3, grpo_max_steps=5, max_steps=9) == (9, 9)


# Settings whose value is not the default of TRL, by the name that TRL gives them.
UNUSUAL = {
    "optim": "adafactor",
    "adam_beta1": 0.8,
    "adam_beta2": 0.95,
    "weight_decay": 0.123,
    "max_grad_norm": 0.7,
    "lr_scheduler_type": "cosine",
    "num_generations": 6,
    "steps_per_generation": 4,
    "num_iterations": 2,
    "max_completion_length": 99,
    "temperature": 0.6,
    "top_p": 0.9,
    "top_k": 11,
    "loss_type": "dr_grpo",
    "beta": 0.03,
    "epsilon": 0.1,
    "epsilon_high": 0.3,
    "scale_rewards": "none",
    "importance_sampling_level": "sequence",
    "mask_truncated_completions": True,
    "save_steps": 6,
    "save_total_limit": 3,
    "seed": 17,
    "gradient_accumulation_steps": 4,
}


def test_every_hyper_parameter_reaches_trl(tmp_path):
    from trl import GRPOConfig, SFTConfig

    o = settings(
        **UNUSUAL, batch_size=6, warmup_ratio=0.2, eval_steps=6, sft_learning_rate=3e-3, grpo_learning_rate=4e-5
    )
    cpu = {"use_cpu": True, "bf16": False, "fp16": False}
    grpo = GRPOConfig(**plan.grpo_arguments(o, tmp_path, 100, [1.0, 0.05], cpu))
    sft = SFTConfig(**plan.sft_arguments(o, tmp_path, 100, cpu))
    for name, value in UNUSUAL.items():
        assert getattr(grpo, name) == value, name
        if name in {f.name for f in dataclasses.fields(SFTConfig)} and name != "loss_type":
            assert getattr(sft, name) == value, name
    assert (grpo.learning_rate, sft.learning_rate) == (4e-5, 3e-3)
    assert (grpo.per_device_train_batch_size, sft.per_device_train_batch_size) == (6, 6)
    assert grpo.get_warmup_steps(100) == sft.get_warmup_steps(100) == 20
    assert grpo.reward_weights == [1.0, 0.05]
    assert (sft.max_length, sft.completion_only_loss) == (None, True)


@pytest.mark.parametrize(
    ("train", "chunked", "loss"),
    [
        ({}, True, "chunked_nll"),
        ({}, False, "nll"),
        ({"lora_targets": ["q_proj", "lm_head"]}, True, "nll"),  # TRL's chunks would pass an adapter on the head by
    ],
)
def test_how_the_loss_of_sft_is_computed(train, chunked, loss, tmp_path):
    assert plan.sft_arguments(settings(**train), tmp_path, 100, {}, chunked)["loss_type"] == loss


@pytest.mark.parametrize(
    ("train", "where"),
    [
        ({"use_vllm": "never"}, {"use_vllm": False}),
        (
            {"use_vllm": "auto", "vllm_server_base_url": "http://gpu:8000"},
            {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": "http://gpu:8000"},
        ),
        ({"use_vllm": "auto", "model": "micro", "vllm_server_base_url": "http://gpu:8000"}, {"use_vllm": False}),
        (
            {"use_vllm": "colocate"},
            {
                "use_vllm": True,
                "vllm_mode": "colocate",
                "vllm_gpu_memory_utilization": TrainSettings().gpu_memory_utilization,
                "vllm_tensor_parallel_size": 1,
                "vllm_max_model_length": 2048,
            },
        ),
    ],
)
def test_where_rollouts_come_from(train, where):
    assert plan.vllm_arguments(settings(**train)) == where


@pytest.mark.parametrize(
    ("train", "inside"),
    [
        ({"use_vllm": "colocate"}, True),
        ({"use_vllm": "colocate", "stage": "sft"}, False),  # nothing is rolled out
        ({"use_vllm": "colocate", "full_finetuning": True}, True),  # asked for in so many words: Unsloth refuses it
        ({"use_vllm": "never"}, False),
    ],
)
def test_whether_unsloth_is_to_have_vllm_inside(train, inside):
    assert plan.rolls_out_inside(settings(**train)) is inside
