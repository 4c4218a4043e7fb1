"""GGUF: a real file, written from a micro model, comes back as the same model."""

from pathlib import Path

import pytest
from students.conftest import PROMPTS, make_micro

from sql_rl.errors import UsageError
from sql_rl.students import Student, StudentSpec, open_student
from sql_rl.students.gguf import unpacked
from sql_rl.students.inference import LocalModel

# GGUF's names for the parts of a Qwen2 model, as llama.cpp writes them.
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(student: Student, file: Path) -> Path:
    """A Qwen2-shaped student as a GGUF file with float32 weights."""
    import json

    from gguf import GGUFWriter

    config, tokenizer = student.model.config, student.tokenizer
    writer = GGUFWriter(file, "qwen2")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    bpe = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 4 if token.startswith("<") else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in bpe["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    for name, tensor in student.model.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied to the embeddings
        part, _, parameter = name.rpartition(".")
        layer = part.split(".")[2] if part.startswith("model.layers.") else None
        ours = NAMES[part if layer is None else part.split(".", 3)[3]]
        writer.add_tensor(f"blk.{layer}.{ours}.{parameter}" if layer else f"{ours}.{parameter}", tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(scope="module")
def qwen() -> Student:
    """With the tokens that every Qwen2 tokenizer has, which transformers adds where a file lacks them."""
    student = make_micro("micro-qwen2", seed=3)
    student.tokenizer.add_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], special_tokens=True)
    student.model.resize_token_embeddings(len(student.tokenizer))
    return student


@pytest.fixture
def file(qwen: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_gguf(qwen, tmp_path / "qwen.gguf")


def test_it_is_the_same_model(qwen: Student, file: Path) -> None:
    import torch

    model = LocalModel(str(file))
    ids = torch.arange(5, 45)[None]
    with torch.inference_mode():
        ours, theirs = qwen.model.eval()(ids).logits, model.model(ids).logits
    assert (ours - theirs).abs().max() < 0.02  # the file is unpacked into bfloat16
    assert "has no chat template" in model.notes[0]
    assert len(model.generate(PROMPTS[:2], 5)) == 2


def test_it_is_trained_and_its_adapter_finds_it_again(file: Path, tmp_path: Path) -> None:
    student = open_student(StudentSpec(model=str(file), lora_rank=2))
    assert student.kind == "lora"
    student.save(tmp_path / "adapter")
    assert LocalModel(str(tmp_path / "adapter")).generate(PROMPTS[:2], 8) == student.generate(PROMPTS[:2], 8)


def test_unpacked_once(file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "elsewhere"
    folder = unpacked(file, cache)
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert unpacked(file, cache) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    assert [path.name for path in cache.iterdir()] == [folder.name]


def test_no_gguf(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGML but old")
    with pytest.raises(UsageError, match="no GGUF file"):
        unpacked(file, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_cut_short(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[:20_000])
    with pytest.raises(UsageError, match=r"cut\.gguf: cannot be read") as refusal:
        unpacked(cut, tmp_path / "cache")
    assert "\n" not in str(refusal.value)
    assert not list((tmp_path / "cache").iterdir())
