"""Training a student: first by imitation (SFT), then by reinforcement with execution as the reward (GRPO)."""
