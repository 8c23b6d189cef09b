"""The Open Inference Protocol, version 2: what its requests and responses are, without any server.

tensors (datatypes, JSON, raw bytes) · requests · responses · metadata · grpc_messages
"""
