"""transformers and PEFT on the same card and shapes as first_minutes.sh: random weights, bf16, SDPA, LoRA on all linear layers."""
import json
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SHAPES = {
    "llama-3-8b": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, vocab_size=128256),
    "qwen2.5-0.5b": dict(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, vocab_size=151936),
}


def measure(name, length, batch, is_lora, recomputes):
    torch.manual_seed(1)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    config = LlamaConfig(**SHAPES[name], attn_implementation="sdpa", use_cache=False)
    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16)
        model = LlamaForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    if is_lora:
        model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=LINEAR))
    if recomputes:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    seconds, norm = [], 0.0
    for step in range(7):
        tokens = torch.randint(0, config.vocab_size, (batch, length), device="cuda")
        torch.cuda.synchronize()
        start = time.perf_counter()
        model(input_ids=tokens, labels=tokens).loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(trained, 1.0))
        optimizer.step()
        optimizer.zero_grad()
        torch.cuda.synchronize()
        if step >= 2:
            seconds.append(time.perf_counter() - start)
    seconds.sort()
    print(json.dumps(dict(
        peer="transformers + PEFT" if is_lora else "transformers", shape=name, batch=batch, length=length, checkpointing=recomputes,
        tokens_per_second=batch * length / seconds[len(seconds) // 2], gradient_norm=norm, peak_bytes=torch.cuda.max_memory_allocated())))
    del model, optimizer, trained


for arguments in [("llama-3-8b", 4096, 1, True, False), ("llama-3-8b", 4096, 1, True, True), ("qwen2.5-0.5b", 1024, 16, False, False)]:
    try:
        measure(*arguments)
    except torch.cuda.OutOfMemoryError:
        print(json.dumps(dict(shape=arguments[0], checkpointing=arguments[4], out_of_memory=True)))
