"""What is a fitted model? Encoder, tokenizer, inference and storage; usable without the trainer."""
