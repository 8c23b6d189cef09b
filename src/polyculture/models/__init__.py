"""What is a fitted model? Encoder, tokenizer, inference and storage; readable without the trainer."""
